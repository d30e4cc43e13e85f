"""Crops of a frame as networks see them: boxes of any place and size brought to one size."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import roi_align

from cvbench.samples import AnyArray, FloatArray, UInt8Array
from cvbench_tasks.sot.boxes import centres_and_sizes

SPREAD = 64.0  # grey levels that a network's unit stands for: about a picture's standard deviation


def crops(frame: UInt8Array, boxes: AnyArray, size: int, device: str) -> Tensor:
    """float32 (n, C, size, size): the boxes (n, 4) of a frame, less its mean colour; 0 beyond its edge.

    Smaller crops are averages over the pixels that they stand for, not samples of them.
    """
    regions = np.asarray(boxes, np.float64)
    left, top = np.floor(regions[:, :2].min(axis=0)).astype(int).clip(min=0)
    right, bottom = np.ceil(regions[:, 2:].max(axis=0)).astype(int) + 1
    part = torch.from_numpy(np.require(frame[top:bottom, left:right], requirements=["C", "W"]))  # not all: it is slow
    if not part.numel():
        return torch.zeros(len(regions), frame.shape[2], size, size, device=device)
    mean = torch.from_numpy(frame[:: max(1, len(frame) // 64), :: max(1, frame.shape[1] // 64)].mean(axis=(0, 1)))
    picture = part.to(device).permute(2, 0, 1).float().sub_(mean.to(device).float()[:, None, None]).div_(SPREAD)
    shifted = torch.from_numpy(regions - [left, top, left, top]).float().to(device)
    found: Tensor = roi_align(picture[None], [shifted], size, aligned=True)
    return found


def in_crop(boxes: AnyArray, crop: AnyArray, size: int) -> FloatArray:
    """(…, 4) the boxes in the pixels of a crop (4,) of a frame that was brought to ``size`` pixels a side."""
    corner, scale = np.tile(crop[:2], 2), size / np.tile(centres_and_sizes(crop)[1], 2)
    return np.asarray((boxes - corner) * scale)


def in_frame(boxes: AnyArray, crop: AnyArray, size: int) -> FloatArray:
    """(…, 4) the inverse of :func:`in_crop`."""
    corner, scale = np.tile(crop[:2], 2), np.tile(centres_and_sizes(crop)[1], 2) / size
    return np.asarray(boxes * scale + corner)
