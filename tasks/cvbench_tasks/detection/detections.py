"""What a detector says of one picture, and the metrics that it is held to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cvbench.contracts import Metric
from cvbench.errors import PluginError
from cvbench.samples import BoolArray, DatasetSpec, IntArray
from cvbench.scenes import BoxedImages, Float32Array, Instance, InstanceImages

METRICS = (
    Metric("mAP50-95", "COCO's average precision, mean over classes and IoU 0.5 to 0.95", primary=True),
    Metric("mAP50", "average precision at IoU 0.5, mean over classes"),
    Metric("mAP75", "average precision at IoU 0.75, mean over classes"),
    Metric("AR100", "recall with 100 detections per picture, mean over classes and IoU 0.5 to 0.95"),
)


SURE = 0.3  # the least score of an object that is drawn


@dataclass(frozen=True)
class Detections:
    """What a model found in one picture.

    ``boxes`` float32 (k, 4): x1, y1, x2, y2 in pixels. ``scores`` float32 (k,), higher is surer. ``labels`` int64
    (k,), indices into the classes. ``masks`` bool (k, H, W), one per object, where masks are asked for.
    """

    boxes: Float32Array
    scores: Float32Array
    labels: IntArray
    masks: BoolArray | None = None

    def checked(self, spec: DatasetSpec, *, masks: bool) -> Detections:
        """Itself, if it fits the data; else :class:`PluginError`."""
        count = len(self.boxes)
        if self.boxes.shape != (count, 4) or self.scores.shape != (count,) or self.labels.shape != (count,):
            shapes = f"{self.boxes.shape}, {self.scores.shape}, {self.labels.shape}"
            raise PluginError(f"boxes, scores and labels of a picture must be (k, 4), (k,), (k,), not {shapes}")
        if not (np.isfinite(self.boxes).all() and np.isfinite(self.scores).all()):
            raise PluginError("boxes or scores are NaN or infinite")
        if count and not (self.labels.min() >= 0 and self.labels.max() < len(spec.classes)):
            found = f"classes from {self.labels.min()} to {self.labels.max()}"
            raise PluginError(f"found {found}, there are {len(spec.classes)} classes, the first is 0")
        if masks and self.masks is not None and self.masks.dtype != np.bool_:
            raise PluginError(f"masks must be bool, not {self.masks.dtype}: where is the object, and where not?")
        if masks and (self.masks is None or self.masks.shape != (count, spec.height, spec.width)):
            got = None if self.masks is None else self.masks.shape
            raise PluginError(f"masks of a picture must be {(count, spec.height, spec.width)}, not {got}")
        return self


def as_boxes(predictions: Iterable[Detections], data: BoxedImages) -> BoxedImages:
    """The pictures with what was surely found in them, its boxes cut off at the picture's edge."""
    boxes, labels = [], []
    for found in predictions:
        inside = found.boxes.clip(0, np.array([data.spec.width, data.spec.height] * 2, np.float32))
        kept = (found.scores >= SURE) & (inside[:, 2:] > inside[:, :2]).all(axis=1)
        boxes.append(inside[kept])
        labels.append(found.labels[kept])
    return BoxedImages.of(data.spec, data.images, boxes, labels)


def as_instances(predictions: Iterable[Detections], data: InstanceImages) -> InstanceImages:
    """The pictures with what was surely found in them and has a mask."""
    found = []
    for one in predictions:
        masks = one.checked(data.spec, masks=True).masks
        assert masks is not None
        rows = zip(masks, one.labels, one.scores, strict=True)
        found.append([Instance(int(label), mask) for mask, label, score in rows if score >= SURE and mask.any()])
    return InstanceImages.of_instances(data.spec, data.images, found)
