"""The objects of one picture as a file describes them, held to what the picture can have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvbench.readers.findings import Findings
from cvbench.samples import BoolArray, FloatArray
from cvbench.scenes import Instance

ROUNDING = 0.5  # pixels: a box that reaches out by less is not worth a word


@dataclass(frozen=True)
class Box:
    """One object: x1, y1, x2, y2 in pixels of its picture, its right and lower edges outside it."""

    label: int
    corners: tuple[float, float, float, float]
    crowd: bool = False


def sound_boxes(boxes: Sequence[Box], height: int, width: int, where: Path | str, findings: Findings) -> list[Box]:
    """Those with an area, inside the picture. NaN and negative sizes are problems, the rest is mended and noted."""
    sound: dict[Box, None] = {}
    empty = outside = clipped = repeated = 0
    for box in boxes:
        x1, y1, x2, y2 = box.corners
        if not np.isfinite(box.corners).all():
            findings.problem(where, f"a box has a coordinate that is no number: {_numbers(box)}", "mend or remove it")
        elif x2 < x1 or y2 < y1:
            hint = "x1 and y1 come first; or is it a width and a height?"
            findings.problem(where, f"a box has a negative size: {_numbers(box)}", hint)
        elif x1 == x2 or y1 == y2:
            empty += 1
        elif x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
            outside += 1
        else:
            inside = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
            clipped += max(abs(a - b) for a, b in zip(inside, box.corners, strict=True)) > ROUNDING
            kept = Box(box.label, inside, box.crowd)
            repeated += kept in sound
            sound[kept] = None
    for number, what in (
        (empty, "of no area: dropped"),
        (outside, f"outside the picture of {width}x{height}: dropped"),
        (clipped, f"reaching out of the picture of {width}x{height}: clipped"),
        (repeated, "there twice: dropped"),
    ):
        findings.note_count(where, number, "box", what)
    return list(sound)


def sound_instances(masks: Sequence[Instance], where: Path | str, findings: Findings) -> list[Instance]:
    """Those with a pixel, each once; the others are dropped and noted."""
    kept = [one for one in masks if one.mask.any()]
    single = {(one.label, one.crowd, np.packbits(one.mask).tobytes()): one for one in kept}
    findings.note_count(where, len(masks) - len(kept), "object", "without a pixel: dropped")
    findings.note_count(where, len(kept) - len(single), "object", "there twice: dropped")
    return list(single.values())


def polygons_mask(
    polygons: Sequence[FloatArray], height: int, width: int, where: Path | str, findings: Findings
) -> BoolArray:
    """bool (H, W): the union of polygons (k, 2) of x and y in pixels, as COCO's own tools fill them.

    What lies outside the picture is cut off. A polygon of fewer than three points, or with NaN, is a problem.
    """
    from faster_coco_eval.core import mask as coco_mask

    filled = np.zeros((height, width), np.bool_)
    for points in polygons:
        if len(points) < 3:
            hint = "a polygon has at least three; remove it"
            findings.problem(where, f"a polygon has {len(points)} points", hint)
        elif not np.isfinite(points).all():
            findings.problem(where, "a polygon has a coordinate that is no number", "mend or remove it")
        else:
            over = max(0.0, -points.min(), (points - (width, height)).max())
            if over > ROUNDING:
                findings.note(where, f"a polygon reaching out of the picture of {width}x{height}: cut off")
            bounded = points.clip((-width, -height), (2 * width, 2 * height))  # what is filled is counted in points
            filled |= coco_mask.decode(coco_mask.frPyObjects([bounded.ravel().tolist()], height, width))[..., 0] > 0
    return filled


def _numbers(box: Box) -> str:
    return ", ".join(f"{value:g}" for value in box.corners)
