"""What the task asks of its data: pictures with a class per pixel, some of them annotated."""

from __future__ import annotations

import numpy as np

from cvbench.samples import Dataset, IntArray
from cvbench.scenes import segmented


def pixels_per_class(data: Dataset) -> IntArray:
    """(K,) how many pixels each class has. Raises as :func:`~cvbench.scenes.segmented`."""
    masks = segmented(data).masks
    counts = sum((np.bincount(mask.ravel(), minlength=256) for mask in masks), np.zeros(256, np.int64))
    return np.asarray(counts[: len(data.spec.classes)], np.int64)
