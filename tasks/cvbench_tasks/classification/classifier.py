"""A classifier in a cell: normalisation from its training pictures, the shared loop, probabilities out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cvbench.contracts import Augmentation, Budget, Model, Progress, Workplace
from cvbench.samples import Dataset, DatasetSpec, labelled
from cvbench.seeds import derive_seed
from cvbench.training import (
    BatchOrder,
    Descent,
    OptimizerSettings,
    autocast,
    data_parallel,
    load_weights,
    run_steps,
    save_weights,
    to_tensor,
    to_tensors,
)
from cvbench_tasks.classification.augmentation import in_groups, light, strong
from cvbench_tasks.classification.models import ClassifierOptions, SimpleCnnOptions, TorchvisionOptions
from cvbench_tasks.kept_weights import KeptWeights

LOOKS_AT_VAL = 10  # times per stage that the val split, if there is one, is scored to choose weights


class Normalized(nn.Module):
    """uint8-range pictures in, logits out; mean and deviation per channel are part of the saved weights."""

    mean: Tensor
    deviation: Tensor
    known: Tensor

    def __init__(self, network: nn.Module, channels: int) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("deviation", torch.ones(channels))
        self.register_buffer("known", torch.zeros((), dtype=torch.bool))

    def learn(self, images: Tensor) -> None:
        """Take mean and deviation from the first data that is trained on; later stages keep them."""
        if not self.known:
            values = images.permute(1, 0, 2, 3).flatten(1)
            exact = values.double() if values.numel() < 2**24 else values.float()
            self.mean.copy_(exact.mean(1) / 255)
            self.deviation.copy_((exact.std(1) / 255).clamp_min(1e-3))
            self.known.fill_(True)

    def forward(self, pictures: Tensor) -> Tensor:
        """Float (n, C, H, W) in [0, 1] → logits (n, classes)."""
        shape = (1, -1, 1, 1)
        return cast(Tensor, self.network((pictures - self.mean.view(shape)) / self.deviation.view(shape)))


class Classifier(Model):
    """Any network of :mod:`models`, trained with cross-entropy."""

    def __init__(self, name: str, spec: DatasetSpec, options: ClassifierOptions, *, seed: int, device: str) -> None:
        torch.manual_seed(seed)
        self.spec, self.options, self.device = spec, options, device
        network = Normalized(_network(name, spec, options), spec.channels)
        self.net = network.to(device).to(memory_format=torch.channels_last)

    def train(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        budget: Budget,
        augmentation: Augmentation,
        seed: int,
        progress: Progress,
        workplace: Workplace,
    ) -> None:
        net, options, device = self.net, self.options, self.device
        images, labels = _tensors(train, device)
        net.learn(images)
        augment = strong(self.spec.channels) if augmentation is Augmentation.STRONG else _ordinary(options)
        settings = OptimizerSettings(
            options.optimizer, options.learning_rate, options.weight_decay, (0.9, 0.99), warmup=options.warmup
        )
        descent = Descent(net.parameters(), settings, steps=budget.steps, device=device, precision=budget.precision)
        order = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order"))
        kept = KeptWeights(net, ema=options.ema, score=self._top1, val=val, steps=budget.steps, looks=LOOKS_AT_VAL)
        shared = data_parallel(net)

        def step(number: int) -> dict[str, Tensor]:
            net.train()
            batch = order(number).to(device)
            pictures = images[batch].float().div_(255)
            if augment is not None:
                pictures = in_groups(augment, pictures)
            with autocast(device, budget.precision):
                logits = shared(pictures)
            loss = nn.functional.cross_entropy(logits.float(), labels[batch], label_smoothing=options.label_smoothing)
            descent.step(loss, number)
            kept.after(number)
            return {"cross-entropy": loss}

        run_steps(
            step,
            steps=budget.steps,
            seed=seed,
            state={"net": net, "descent": descent, **kept.parts()},
            progress=progress,
            folder=workplace.folder,
        )
        kept.settle()

    def predict(self, data: Dataset) -> Iterator[npt.NDArray[np.float32]]:
        """float32 (n, classes) probabilities per batch."""
        yield from self._probabilities(self.net, data)

    def _probabilities(self, net: nn.Module, data: Dataset) -> Iterator[npt.NDArray[np.float32]]:
        net.eval()
        with torch.inference_mode():
            for batch in to_tensors(labelled(data).images, self.device):
                yield net(batch.float().div_(255)).softmax(1).cpu().numpy()

    def _top1(self, net: nn.Module, data: Dataset) -> float:
        guesses = np.concatenate([p.argmax(1) for p in self._probabilities(net, data)])
        return float((guesses == labelled(data).labels).mean())

    def save(self, folder: Path) -> None:
        save_weights(self.net, folder / "network.safetensors")

    def load(self, folder: Path) -> None:
        load_weights(self.net, folder / "network.safetensors")


def _network(name: str, spec: DatasetSpec, options: ClassifierOptions) -> nn.Module:
    if isinstance(options, SimpleCnnOptions):
        from cvbench_tasks.classification.simple_cnn import SimpleCnn

        return SimpleCnn(spec.channels, len(spec.classes), options.width)
    from cvbench_tasks.classification.torchvision_models import build

    return build(name, spec, cast(TorchvisionOptions, options).weights)


def _ordinary(options: ClassifierOptions) -> Any:
    return light() if options.augmentation == "light" else None


def _tensors(data: Dataset, device: str) -> tuple[Tensor, Tensor]:
    pictures = labelled(data)
    return to_tensor(pictures.images, device), torch.from_numpy(np.array(pictures.labels)).to(device)
