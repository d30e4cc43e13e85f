"""A detector in a cell, of boxes or of masks: the shared loop around any :class:`Network`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from cvbench.contracts import Augmentation, Budget, Model, Progress, Workplace
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec
from cvbench.scenes import InstanceImages, boxed
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
)
from cvbench_tasks.detection.augmentation import augmented, flipping, strong
from cvbench_tasks.detection.batches import Batches
from cvbench_tasks.detection.coco_ap import score
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.detection.models import DetectorOptions
from cvbench_tasks.detection.network import Network
from cvbench_tasks.kept_weights import KeptWeights

PREDICT_BATCH = 16
PREDICT_PIXELS = 2**20  # at once, where there are masks
LOOKS_AT_VAL = 5  # times per stage that the val split, if there is one, is scored to choose weights


def _predicted_at_once(spec: DatasetSpec) -> int:
    """Pictures; few large ones with masks, for every object that is found has one of that size."""
    with_masks = spec.kind is AnnotationKind.INSTANCES
    return max(1, min(PREDICT_BATCH, PREDICT_PIXELS // (spec.height * spec.width))) if with_masks else PREDICT_BATCH


class Detector(Model):
    """A network trained on its own losses, flipped pictures and, if asked, strongly augmented ones."""

    def __init__(self, network: Network, options: DetectorOptions, *, device: str) -> None:
        self.options, self.device = options, device
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
        batches = Batches(train, device)
        augment = strong(options.flips) if augmentation is Augmentation.STRONG else flipping(options.flips)
        settings = OptimizerSettings(
            options.optimizer,
            options.learning_rate,
            options.weight_decay,
            (0.9, 0.999),
            warmup=min(options.warmup, budget.steps // 4),
            floor=0.01,
            clip_norm=options.clip_norm,
        )
        descent = Descent(net.parameters(), settings, steps=budget.steps, device=device, precision=budget.precision)
        order = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order"))
        kept = KeptWeights(
            net, ema=options.ema, score=self._average_precision, val=val, steps=budget.steps, looks=LOOKS_AT_VAL
        )
        shared = data_parallel(net)

        def step(number: int) -> dict[str, Tensor]:
            net.train()
            net.at(number / budget.steps)
            pictures, targets = augmented(augment, *batches(order(number)))
            with autocast(device, budget.precision):
                losses = shared(pictures, targets)
            total = torch.stack([loss.float() for loss in losses.values()]).sum()
            descent.step(total, number)
            kept.after(number)
            return {"loss": total}

        run_steps(
            step,
            steps=budget.steps,
            seed=seed,
            state={"net": net, "descent": descent, **kept.parts()},
            progress=progress,
            folder=workplace.folder,
        )
        kept.settle()

    def predict(self, data: Dataset) -> Iterator[Detections]:
        """One :class:`Detections` per picture."""
        yield from self._found(self.net, data)

    def _found(self, net: Network, data: Dataset) -> Iterator[Detections]:
        batches = Batches(data, self.device)
        net.eval()
        for places in torch.split(torch.arange(len(data)), _predicted_at_once(batches.data.spec)):
            with torch.no_grad():
                yield from net.detect(batches.pictures(places))

    def _average_precision(self, net: nn.Module, data: Dataset) -> float:
        truth = boxed(data)
        if truth.crowd.all():  # nothing to find in so small a val split: the last weights count
            return 0.0
        return score(self._found(cast(Network, net), data), truth, masks=isinstance(data, InstanceImages)).values[
            "mAP50-95"
        ]

    def save(self, folder: Path) -> None:
        save_weights(self.net, folder / "network.safetensors")

    def load(self, folder: Path) -> None:
        load_weights(self.net, folder / "network.safetensors")
