"""Where objects may be, without any learning: what R-CNN and Fast R-CNN are told to look at."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision.ops import box_iou, nms

from cvbench.errors import NotInstalled
from cvbench.samples import AnyArray, UInt8Array
from cvbench_tasks.opencv_contrib import repair

Method = Literal["regions", "selective_search"]

LEVELS = 16  # thresholds per channel
LEAST_SIDE, MOST_SHARE = 4, 0.95  # pixels; of the picture's side
ALIKE = 0.8  # intersection over union from which two boxes count as one
MOST = 200  # proposals per picture


def proposals(pictures: Tensor, method: Method) -> list[Tensor]:
    """A float (k, 4) tensor of boxes x1, y1, x2, y2, best first, per picture of float (n, C, H, W) in [0, 1]."""
    images = pictures.mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    find = selective_search if method == "selective_search" else stable_regions
    return [_distinct(find(image), image.shape).to(pictures.device) for image in images]


def stable_regions(image: UInt8Array) -> AnyArray:
    """(k, 4) boxes around what hangs together above or below many a threshold of each channel.

    The idea of maximally stable regions (Matas et al., BMVC 2002), box by box.
    """
    found = []
    for channel in np.moveaxis(image, -1, 0):
        levels = np.unique(np.quantile(channel, np.linspace(0, 1, LEVELS + 2)[1:-1]))
        for level in levels:
            for side in (channel > level, channel < level):
                _, _, stats, _ = cv2.connectedComponentsWithStats(side.astype(np.uint8), connectivity=4)
                found.append(stats[1:, :4])  # the first is what is left over
    boxes = np.concatenate([np.zeros((0, 4)), *found])
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def selective_search(image: UInt8Array) -> AnyArray:
    """(k, 4) boxes by OpenCV's selective search (Uijlings et al., IJCV 2013).

    Raises :class:`NotInstalled` where OpenCV has none.
    """
    if not hasattr(cv2, "ximgproc"):
        raise NotInstalled(f"selective search is in OpenCV's contrib build: {repair()}; or use proposals: regions")
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., ::-1].copy())
    search.switchToSelectiveSearchFast()
    boxes = np.asarray(search.process(), np.float64)
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def _distinct(boxes: AnyArray, shape: tuple[int, ...]) -> Tensor:
    """The boxes of a sensible size that are not alike, those that were found most often first; last, the whole."""
    every = torch.from_numpy(boxes).float()
    sides = every[:, 2:] - every[:, :2]
    whole = torch.tensor([[0.0, 0.0, shape[1], shape[0]]])
    every = every[(sides >= LEAST_SIDE).all(1) & (sides <= whole[:, 2:] * MOST_SHARE).all(1)]
    seen = (box_iou(every, every) > ALIKE).sum(1).float()
    return torch.cat([every[nms(every, seen, ALIKE)[: MOST - 1]], whole])
