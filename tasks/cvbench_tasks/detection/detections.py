"""What a detector says of one picture, and the metrics that it is held to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvbench.contracts import Metric
from cvbench.errors import PluginError
from cvbench.samples import BoolArray, DatasetSpec, IntArray
from cvbench.scenes import Float32Array

METRICS = (
    Metric("mAP50-95", "COCO's average precision, mean over classes and IoU 0.5 to 0.95", primary=True),
    Metric("mAP50", "average precision at IoU 0.5, mean over classes"),
    Metric("mAP75", "average precision at IoU 0.75, mean over classes"),
    Metric("AR100", "recall with 100 detections per picture, mean over classes and IoU 0.5 to 0.95"),
)


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
            raise PluginError(f"found the class {self.labels.max()}, there are {len(spec.classes)} classes")
        if masks and (self.masks is None or self.masks.shape != (count, spec.height, spec.width)):
            got = None if self.masks is None else self.masks.shape
            raise PluginError(f"masks of a picture must be {(count, spec.height, spec.width)}, not {got}")
        return self
