"""How much boxes overlap."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.ops import box_iou

from cvbench.samples import AnyArray, FloatArray


def overlaps(boxes: AnyArray, others: AnyArray) -> FloatArray:
    """(n, k) intersection over union of every one of ``boxes`` (n, 4) with every one of ``others`` (k, 4)."""
    both = (torch.from_numpy(np.asarray(one, np.float64)) for one in (boxes, others))
    overlap: FloatArray = box_iou(*both).numpy()
    return overlap
