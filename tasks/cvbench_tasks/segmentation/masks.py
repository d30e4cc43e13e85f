"""What the task asks of its data: pictures with a class per pixel, some of them annotated."""

from __future__ import annotations

import numpy as np

from cvbench.errors import DataError
from cvbench.samples import Dataset, IntArray
from cvbench.scenes import SegmentedImages


def segmented(data: Dataset) -> SegmentedImages:
    """The data, if it is pictures with a class per pixel. Raises :class:`DataError` for any other."""
    if not isinstance(data, SegmentedImages):
        raise DataError("needs pictures of equal size with a class per pixel", where=data.spec.name)
    return data


def pixels_per_class(data: Dataset) -> IntArray:
    """(K,) how many pixels each class has. Raises as :func:`segmented`."""
    masks = segmented(data).masks
    counts = sum((np.bincount(mask.ravel(), minlength=256) for mask in masks), np.zeros(256, np.int64))
    return np.asarray(counts[: len(data.spec.classes)], np.int64)
