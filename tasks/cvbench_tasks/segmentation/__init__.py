"""The task ``segmentation``: a class per pixel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cvbench.contracts import Budget, Metric, Model, ModelInfo, Scores, Splits, Task, Workplace
from cvbench.errors import DataError, UserError
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec
from cvbench.scenes import IGNORED, segmented
from cvbench_tasks.model_names import options_of
from cvbench_tasks.segmentation.masks import pixels_per_class
from cvbench_tasks.segmentation.models import OPTIONS, known_models


class Segmentation(Task):
    """Trains a network that gives every pixel a class, and scores its masks. Pixels of value 255 are left out."""

    summary = "semantic segmentation: one class per pixel"
    licence = "Apache-2.0"
    kind = AnnotationKind.MASK
    metrics = (
        Metric("mIoU", "intersection over union of all test pixels, averaged over classes", primary=True),
        Metric("mIoU_image", "IoU within each picture, averaged over its classes, then over pictures"),
        Metric("pixel_accuracy", "share of pixels whose class is right"),
        Metric("dice", "Dice coefficient of all test pixels, averaged over classes"),
        Metric("boundary_iou", "IoU of the bands inside the outlines, averaged over classes"),
    )
    default_budget = Budget(steps=1000, batch_size=16)

    def models(self) -> Sequence[ModelInfo]:
        return known_models()

    def model_options(self, name: str) -> type:
        return options_of(name, OPTIONS)

    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        from cvbench_tasks.segmentation.segmenter import Segmenter

        if options.crop > min(spec.height, spec.width):
            what = f"option 'crop': {options.crop} pixels, the pictures are {spec.height}x{spec.width} (height x width)"
            raise UserError(what, where=name, hint="crop less; 0 for whole pictures")
        return Segmenter(name, spec, options, seed=seed, device=workplace.device)

    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        from cvbench_tasks.segmentation.metrics import score

        return score(predictions, truth)

    def answers(self, predictions: Iterable[Any], data: Dataset) -> Dataset:
        return replace(segmented(data), masks=np.concatenate(list(predictions)).astype(np.uint8))

    def check_splits(self, splits: Splits) -> None:
        name = splits.train.spec.name
        parts = {"training": splits.train, "val": splits.val, "test": splits.test}
        pixels = {part: pixels_per_class(data) for part, data in parts.items() if data is not None}
        for part, found in pixels.items():
            if not found.any():
                raise DataError(f"no pixel of the {part} masks has a class: all are {IGNORED}", where=name)
        if np.count_nonzero(pixels["training"]) < 2:
            only = splits.train.spec.classes[int(np.argmax(pixels["training"]))]
            raise DataError(f"all training pixels are of one class ({only!r})", where=name, hint="two are needed")
