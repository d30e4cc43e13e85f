"""Where an object lies: near a real one's place, on the picture's content, not over others more than real ones are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cvbench.scenes import Float32Array
from cvbench_generators.scenes.layout import Layouts, overlaps
from cvbench_generators.scenes.pasting import Patch

JITTERS = (0.05, 0.1, 0.2, 0.4, 0.8)  # of the picture's sides: how far from a real place, one try after another
MOST_HIDDEN = 0.5  # of an object's sides, outside the picture where the real one touches its border


@dataclass(frozen=True)
class Ground:
    """A background as objects are placed on it: its sides, its content without padding, the boxes of the objects and of
    the crowds that are there.
    """

    height: int
    width: int
    content: Float32Array
    boxes: Float32Array
    crowds: Float32Array


def placed_box(
    layouts: Layouts, entry: int, mirrored: bool, size: tuple[int, int], ground: Ground, rng: np.random.Generator
) -> Float32Array | None:
    """A box (4,) of this width and height near the entry's place, overlapping others no more than real ones do.

    Where the real object touches the border, up to half of this one is outside; else it is wholly inside.
    """
    x1, y1, x2, y2 = layouts.boxes[entry].tolist()
    left, upper, right, lower = layouts.touching[entry].tolist()
    if mirrored:
        x1, x2, left, right = ground.width - x2, ground.width - x1, right, left
    first_x, first_y, last_x, last_y = ground.content.tolist()
    for jitter in JITTERS:
        step_x, step_y = (jitter * rng.standard_normal(2)).tolist()
        hidden = float(rng.uniform(0, MOST_HIDDEN))
        x = _along((x1 + x2) / 2 + step_x * ground.width, size[0], first_x, last_x, left, right, hidden)
        y = _along((y1 + y2) / 2 + step_y * ground.height, size[1], first_y, last_y, upper, lower, hidden)
        box = np.array([x, y, x + size[0], y + size[1]], np.float32)
        if overlaps(box, ground.boxes).max(initial=0) <= layouts.overlap:
            return box
    return None


def _along(middle: float, extent: int, first: float, last: float, at_first: bool, at_last: bool, hidden: float) -> int:
    """Where an object begins on one axis: about the middle and inside, or partly hidden at the end that it is at."""
    if at_first:
        return round(first - hidden * extent)
    if at_last:
        return round(last - extent + hidden * extent)
    return round(max(first, min(last - extent, middle - extent / 2)))


def within(content: Float32Array, patch: Patch) -> Patch:
    """The part of the patch that does not lie on padding, nor outside the picture."""
    x1, y1, x2, y2 = content.astype(int).tolist()
    high, wide = patch.mask.shape
    left, top = max(0, x1 - patch.x), max(0, y1 - patch.y)
    part = slice(top, max(top, min(high, y2 - patch.y))), slice(left, max(left, min(wide, x2 - patch.x)))
    pixels, mask = np.ascontiguousarray(patch.pixels[part]), np.ascontiguousarray(patch.mask[part])
    return replace(patch, x=patch.x + left, y=patch.y + top, pixels=pixels, mask=mask)


def mirror_image(ground: Ground) -> Ground:
    """The same, left and right exchanged."""

    def turned(boxes: Float32Array) -> Float32Array:
        return np.stack([ground.width - boxes[..., 2], boxes[..., 1], ground.width - boxes[..., 0], boxes[..., 3]], -1)

    return replace(ground, content=turned(ground.content), boxes=turned(ground.boxes), crowds=turned(ground.crowds))
