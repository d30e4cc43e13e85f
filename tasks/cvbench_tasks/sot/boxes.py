"""Boxes as trackers handle them: float64 arrays of x1, y1, x2, y2 in pixels, one box (4,) or many (n, 4)."""

from __future__ import annotations

import numpy as np

from cvbench.samples import AnyArray, FloatArray

LEAST_SIDE = 4.0  # pixels: what is smaller cannot be followed


def centres_and_sizes(boxes: AnyArray) -> tuple[FloatArray, FloatArray]:
    """(…, 2) centres x, y and (…, 2) sizes width, height."""
    corners = np.asarray(boxes, np.float64)
    return (corners[..., :2] + corners[..., 2:]) / 2, corners[..., 2:] - corners[..., :2]


def around(centres: AnyArray, sizes: AnyArray) -> FloatArray:
    """(…, 4) boxes of these sizes around these centres, each (…, 2)."""
    halves = np.asarray(sizes, np.float64) / 2
    return np.concatenate([centres - halves, centres + halves], axis=-1)


def overlaps(boxes: AnyArray, others: AnyArray) -> FloatArray:
    """(n,) intersection over union of each box with the other in its place, or with the one other (4,)."""
    boxes, others = np.asarray(boxes, np.float64), np.asarray(others, np.float64)
    sides = np.minimum(boxes[..., 2:], others[..., 2:]) - np.maximum(boxes[..., :2], others[..., :2])
    shared = np.clip(sides, 0, None).prod(axis=-1)
    areas = [np.clip(one[..., 2:] - one[..., :2], 0, None).prod(axis=-1) for one in (boxes, others)]
    union = areas[0] + areas[1] - shared
    return np.asarray(shared / np.where(union > 0, union, 1))


def kept_inside(box: AnyArray, shape: tuple[int, ...]) -> FloatArray:
    """(4,) the box with its centre in a picture of this shape (H, W, …), at least 4 pixels a side, at most all."""
    picture = np.array([shape[1], shape[0]], np.float64)
    centre, size = centres_and_sizes(box)
    return around(np.clip(centre, 0, picture), np.clip(size, np.minimum(LEAST_SIDE, picture), picture))


def squares(boxes: AnyArray, context: float) -> FloatArray:
    """(…, 4) the squares of the same area as the boxes with ``context`` times (width + height) / 2 added to each side.

    With 1: the exemplar's crop of SiamFC (arXiv 1606.09549, eq. 7).
    """
    centres, sizes = centres_and_sizes(boxes)
    side = np.sqrt((sizes + context * sizes.mean(axis=-1, keepdims=True)).prod(axis=-1, keepdims=True))
    return around(centres, np.concatenate([side, side], axis=-1))
