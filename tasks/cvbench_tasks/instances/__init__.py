"""The task ``instances``: a mask and a class per object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cvbench.contracts import Budget, Learnt, Model, ModelInfo, Scores, Splits, Task, Workplace
from cvbench.errors import DataError
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec
from cvbench.scenes import InstanceImages
from cvbench_tasks.detection import check_objects
from cvbench_tasks.detection.detections import METRICS
from cvbench_tasks.detection.models import PyramidOptions, TorchvisionOptions, YoloOptions, in_ultralytics, yolo_models
from cvbench_tasks.model_names import unknown_model
from cvbench_tasks.pretrained import weights_checked

TORCHVISION = ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2")


class Instances(Task):
    """Trains a network that outlines objects, and scores its masks as COCO does."""

    summary = "instance segmentation: a mask and a class per object"
    licence = "Apache-2.0"
    version = 2
    kind = AnnotationKind.INSTANCES
    metrics = METRICS
    default_budget = Budget(steps=1000, batch_size=8)

    def models(self) -> Sequence[ModelInfo]:
        ours = ModelInfo("maskrcnn", "Mask R-CNN on a small ResNet with a feature pyramid", "Apache-2.0")
        theirs = (ModelInfo(name, "torchvision's network of that name", "BSD-3-Clause") for name in TORCHVISION)
        return (ours, *theirs, *yolo_models(masks=True))

    def model_options(self, name: str) -> type:
        if name == "maskrcnn":
            return PyramidOptions
        if name in TORCHVISION:
            return weights_checked(TorchvisionOptions, name)
        if in_ultralytics(name, masks=True):
            return YoloOptions
        raise unknown_model(name, (info.name for info in self.models()))

    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        import torch

        from cvbench_tasks.detection.detector import Detector

        torch.manual_seed(seed)
        return Detector(_network(name, spec, options), options, device=workplace.device)

    def learnt(self, name: str, options: Any) -> Learnt:
        return Learnt(name, options, reads=options.files)

    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        from cvbench_tasks.detection.coco_ap import score

        return score(predictions, _with_masks(truth), masks=True)

    def answers(self, predictions: Iterable[Any], data: Dataset) -> Dataset:
        from cvbench_tasks.detection.detections import as_instances

        return as_instances(predictions, _with_masks(data))

    def check_splits(self, splits: Splits) -> None:
        _with_masks(splits.train)
        check_objects(splits)


def _with_masks(data: Dataset) -> InstanceImages:
    if not isinstance(data, InstanceImages):
        raise DataError("needs pictures with a mask per object", where=data.spec.name)
    return data


def _network(name: str, spec: DatasetSpec, options: Any) -> Any:
    if name == "maskrcnn":
        from cvbench_tasks.detection import pyramid

        return pyramid.build(spec, options, masks=True)
    if name in TORCHVISION:
        from cvbench_tasks.detection import torchvision_models

        return torchvision_models.build(name, spec, options, masks=True)
    from cvbench_tasks.detection import yolo

    return yolo.build(name, spec, options, masks=True)
