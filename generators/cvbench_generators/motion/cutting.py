"""Objects cut out of frames with their surroundings, each in the middle of a square picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from cvbench.samples import BoolArray, UInt8Array
from cvbench.scenes import InstanceImages
from cvbench_generators.scenes.objects import whole_objects
from cvbench_generators.scenes.pieces import bounds

SIDE = 96  # pixels: what is larger is kept smaller
LEAST_PIXELS = 12
RING = 2  # pixels around a box that show its background
RING_INK = 0.1  # of the ring's pixels that may look like the object
AGREEMENT = 0.8  # IoU of the box with the one around what the threshold leaves
FILLED = (0.1, 0.95)  # of the box
CONNECTED = 0.6  # of the mask's pixels in its largest region


@dataclass(frozen=True)
class Cutout:
    """``pixels`` uint8 (S, S, C), ``mask`` uint8 (S, S), 0 or 255; ``length``: the longer side that it has in a frame.

    ``way``: how its mask was found.
    """

    pixels: UInt8Array
    mask: UInt8Array
    label: int
    length: float
    way: str


def cutouts(objects: InstanceImages) -> Iterator[Cutout]:
    """Every whole object. Where GrabCut had found nothing and an ellipse stands, a threshold is tried."""
    numbers = whole_objects(objects, LEAST_PIXELS)
    pictures = np.searchsorted(objects.starts, numbers, side="right") - 1
    for number, picture in zip(numbers.tolist(), pictures.tolist(), strict=True):
        x1, y1, x2, y2 = objects.boxes[number].astype(int).tolist()
        image, mask, way = np.asarray(objects.images[picture]), objects.cut_mask(number), "GrabCut"
        if np.array_equal(mask, mask[::-1]) and np.array_equal(mask, mask[:, ::-1]):  # no object is that symmetric
            found = _above_threshold(image, (x1, y1, x2, y2))
            mask, way = (mask, "the ellipse in its box") if found is None else (found, "a threshold")
        pixels, opacity = _centred(image[y1:y2, x1:x2], mask)
        yield Cutout(pixels, opacity, int(objects.labels[number]), float(max(mask.shape)), way)


def _above_threshold(image: UInt8Array, box: tuple[int, int, int, int]) -> BoolArray | None:
    """bool (h, w): what differs from the colour around the box (Otsu, IEEE Trans. SMC 9(1), 1979); None if in doubt."""
    x1, y1, x2, y2 = box
    left, top = max(0, x1 - RING), max(0, y1 - RING)
    around = image[top : y2 + RING, left : x2 + RING].astype(np.int16)
    inside = np.s_[y1 - top : y2 - top, x1 - left : x2 - left]
    ring = np.ones(around.shape[:2], np.bool_)
    ring[inside] = False
    if not ring.any():
        return None
    differs = np.abs(around - np.median(around[ring], axis=0)).max(axis=2).astype(np.uint8)
    _, thresholded = cv2.threshold(differs, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    ink = np.asarray(thresholded, np.bool_)
    mask = np.ascontiguousarray(ink[inside])
    if ink[ring].mean() > RING_INK or not FILLED[0] <= mask.mean() <= FILLED[1]:
        return None
    a, b, c, d = bounds(mask)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    whole = int(stats[1:, cv2.CC_STAT_AREA].max()) >= CONNECTED * np.count_nonzero(mask)
    return mask if whole and (c - a) * (d - b) >= AGREEMENT * mask.size else None


def _centred(pixels: UInt8Array, mask: BoolArray) -> tuple[UInt8Array, UInt8Array]:
    """Both in the middle of a square of ``SIDE``, made smaller if need be; the pixels' edge goes on to its border."""
    channels, shrink = pixels.shape[2], min(1.0, (SIDE - 2) / max(mask.shape))
    wide, high = (max(1, round(shrink * side)) for side in mask.shape[::-1])
    small = cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_AREA)
    opacity = cv2.resize(mask.astype(np.uint8) * np.uint8(255), (wide, high), interpolation=cv2.INTER_AREA)
    top, left = (SIDE - high) // 2, (SIDE - wide) // 2
    edges = (top, SIDE - high - top, left, SIDE - wide - left)
    framed = np.asarray(cv2.copyMakeBorder(small, *edges, cv2.BORDER_REPLICATE), np.uint8)
    hard = np.where(opacity >= 128, np.uint8(255), np.uint8(0))
    return framed.reshape(SIDE, SIDE, channels), np.asarray(cv2.copyMakeBorder(hard, *edges, cv2.BORDER_CONSTANT))
