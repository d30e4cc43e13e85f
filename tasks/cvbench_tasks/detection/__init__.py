"""The task ``detection``: a box and a class per object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cvbench.contracts import Budget, Learnt, Model, ModelInfo, Scores, Splits, Task, Workplace
from cvbench.errors import DataError
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec
from cvbench.scenes import BoxedImages
from cvbench_tasks.detection.detections import METRICS
from cvbench_tasks.detection.models import (
    TORCHVISION,
    FastRcnnOptions,
    ProposalOptions,
    PyramidOptions,
    TorchvisionOptions,
    YoloOptions,
    in_ultralytics,
    known_models,
)
from cvbench_tasks.model_names import unknown_model
from cvbench_tasks.pretrained import weights_checked
from cvbench_tasks.splits import check_classes


class Detection(Task):
    """Trains a detector and scores its boxes as COCO does."""

    summary = "object detection: a box and a class per object"
    licence = "Apache-2.0"
    version = 2
    kind = AnnotationKind.BOXES
    metrics = METRICS
    default_budget = Budget(steps=1000, batch_size=16)

    def models(self) -> Sequence[ModelInfo]:
        return known_models()

    def model_options(self, name: str) -> type:
        if name == "fasterrcnn":
            return PyramidOptions
        if name == "fast_rcnn":
            return FastRcnnOptions
        if name == "rcnn":
            return ProposalOptions
        if name in TORCHVISION:
            return weights_checked(TorchvisionOptions, name)
        if in_ultralytics(name, masks=False):
            return YoloOptions
        raise unknown_model(name, (info.name for info in self.models()))

    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        import torch

        from cvbench_tasks.detection.detector import Detector

        torch.manual_seed(seed)
        if name == "rcnn":  # it learns in stages of its own
            from cvbench_tasks.detection.rcnn import Rcnn, RcnnDetector

            return RcnnDetector(Rcnn(spec, options), options, device=workplace.device)
        return Detector(_network(name, spec, options), options, device=workplace.device)

    def learnt(self, name: str, options: Any) -> Learnt:
        return Learnt(name, options, reads=options.files)

    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        from cvbench.scenes import boxed
        from cvbench_tasks.detection.coco_ap import score

        return score(predictions, boxed(truth), masks=False)

    def answers(self, predictions: Iterable[Any], data: Dataset) -> Dataset:
        from cvbench.scenes import boxed
        from cvbench_tasks.detection.detections import as_boxes

        return as_boxes(predictions, boxed(data))

    def check_splits(self, splits: Splits) -> None:
        check_objects(splits)


def check_objects(splits: Splits) -> None:
    """Raise :class:`DataError` when train or test has no object, or test a class that train lacks."""
    name = splits.train.spec.name
    there = {}
    for split, data in (("train", splits.train), ("test", splits.test)):
        if not isinstance(data, BoxedImages):
            raise DataError("needs pictures with boxes", where=name)
        there[split] = set(np.unique(data.labels[~data.crowd]).tolist())
        if not there[split]:
            raise DataError(f"the {split} split has no object", where=name)
    check_classes(there["train"], there["test"], splits.train.spec)


def _network(name: str, spec: DatasetSpec, options: Any) -> Any:
    if name == "fasterrcnn":
        from cvbench_tasks.detection import pyramid

        return pyramid.build(spec, options, masks=False)
    if name == "fast_rcnn":
        from cvbench_tasks.detection.fast_rcnn import FastRcnn

        return FastRcnn(spec, options)
    if name in TORCHVISION:
        from cvbench_tasks.detection import torchvision_models

        return torchvision_models.build(name, spec, options)
    from cvbench_tasks.detection import yolo

    return yolo.build(name, spec, options, masks=False)
