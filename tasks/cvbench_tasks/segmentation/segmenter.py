"""A segmenter in a cell: normalisation from its training pictures, the shared loop, masks out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.contracts import Augmentation, Budget, Model, Progress, Workplace
from cvbench.samples import Dataset, DatasetSpec, UInt8Array
from cvbench.scenes import segmented
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
)
from cvbench_tasks.classification.classifier import Normalized
from cvbench_tasks.kept_weights import KeptWeights
from cvbench_tasks.segmentation.augmentation import in_groups, ordinary, strong
from cvbench_tasks.segmentation.losses import summed
from cvbench_tasks.segmentation.metrics import score
from cvbench_tasks.segmentation.models import FcnLightOptions, FcnOptions, SegmenterOptions, SmpOptions

PREDICT_PIXELS = 2**20  # at once
LOOKS_AT_VAL = 10  # times per stage that the val split, if there is one, is scored to choose weights
STRIDE = 32  # no network here halves the sides more than five times
LEAST_SIDE = {"pan": 128}  # its pyramid halves a sixteenth of the sides three times more


class Padded(nn.Module):
    """The network on pictures of any size: padded to the right and below with 0, its logits cropped back."""

    def __init__(self, network: nn.Module, least: int) -> None:
        super().__init__()
        self.network, self.least = network, least

    def forward(self, pictures: Tensor) -> Tensor:
        """Float (n, C, H, W) → logits (n, classes, H, W)."""
        height, width = pictures.shape[-2:]
        below, right = (max(self.least, -(-side // STRIDE) * STRIDE) - side for side in (height, width))
        logits = self.network(nn.functional.pad(pictures, (0, right, 0, below)) if below or right else pictures)
        return cast(Tensor, logits[..., :height, :width])


class Segmenter(Model):
    """Any network of :mod:`models`, trained with the losses of its options."""

    def __init__(self, name: str, spec: DatasetSpec, options: SegmenterOptions, *, seed: int, device: str) -> None:
        torch.manual_seed(seed)
        self.spec, self.options, self.device = spec, options, device
        network = Padded(_network(name, spec, options), LEAST_SIDE.get(name, STRIDE))
        self.net = Normalized(network, spec.channels).to(device).to(memory_format=torch.channels_last)

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
        data = segmented(train)
        images, masks = to_tensor(data.images, device), torch.from_numpy(np.array(data.masks)).to(device)
        net.learn(images)
        vary = strong if augmentation is Augmentation.STRONG else ordinary
        augment, cost = vary(options.augmentation, options.crop), summed(options.loss)
        settings = OptimizerSettings(
            options.optimizer, options.learning_rate, options.weight_decay, (0.9, 0.99), warmup=options.warmup
        )
        descent = Descent(net.parameters(), settings, steps=budget.steps, device=device, precision=budget.precision)
        order = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order"))
        kept = KeptWeights(net, ema=options.ema, score=self._miou, val=val, steps=budget.steps, looks=LOOKS_AT_VAL)
        shared = data_parallel(net)

        def step(number: int) -> dict[str, Tensor]:
            net.train()
            batch = order(number).to(device)
            pictures, truth = images[batch].float().div_(255), masks[batch]
            if augment is not None:
                pictures, truth = in_groups(augment, pictures, truth)
            with autocast(device, budget.precision):
                logits = shared(pictures.contiguous(memory_format=torch.channels_last))
            loss = cost(logits.float(), truth.long())
            descent.step(loss, number)
            kept.after(number)
            return {" + ".join(options.loss): loss}

        run_steps(
            step,
            steps=budget.steps,
            seed=seed,
            state={"net": net, "descent": descent, **kept.parts()},
            progress=progress,
            folder=workplace.folder,
        )
        kept.settle()

    def predict(self, data: Dataset) -> Iterator[UInt8Array]:
        """uint8 (n, H, W) masks per batch."""
        yield from self._masks(self.net, data)

    def _masks(self, net: nn.Module, data: Dataset) -> Iterator[UInt8Array]:
        images = to_tensor(segmented(data).images, self.device)
        net.eval()
        with torch.inference_mode():
            for batch in torch.split(images, max(1, PREDICT_PIXELS // (self.spec.height * self.spec.width))):
                yield net(batch.float().div_(255)).argmax(1).to(torch.uint8).cpu().numpy()

    def _miou(self, net: nn.Module, data: Dataset) -> float:
        return score(self._masks(net, data), data).values["mIoU"]

    def save(self, folder: Path) -> None:
        save_weights(self.net, folder / "network.safetensors")

    def load(self, folder: Path) -> None:
        load_weights(self.net, folder / "network.safetensors")


def _network(name: str, spec: DatasetSpec, options: SegmenterOptions) -> nn.Module:
    if isinstance(options, FcnLightOptions):
        from cvbench_tasks.segmentation.fcn_light import FcnLight

        return FcnLight(spec.channels, len(spec.classes), options.width)
    if isinstance(options, FcnOptions):
        from cvbench_tasks.segmentation.fcn import Fcn

        return Fcn(len(spec.classes), options.encoder_weights)
    from cvbench_tasks.segmentation.smp_models import build

    return build(name, spec.channels, len(spec.classes), cast(SmpOptions, options))
