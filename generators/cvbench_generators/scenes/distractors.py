"""Distractors: patches that belong to no class, so that a pasted edge alone does not make an object."""

from __future__ import annotations

import cv2
import numpy as np

from cvbench.samples import BoolArray, FloatArray, UInt8Array
from cvbench_generators.scenes.layout import overlaps
from cvbench_generators.scenes.pasting import Patch
from cvbench_generators.scenes.placing import Ground, within

SIDES = (0.05, 0.2)  # of the picture's shorter side
TRIES = 5  # to find a piece of the background without objects


def draw_distractor(image: UInt8Array, ground: Ground, rng: np.random.Generator) -> Patch | None:
    """A polygon of the background without objects, upside down or inverted, at a random place; None without room.

    It has no class: a copy of an object without an annotation would teach that objects are none.
    """
    left, top, right, low = ground.content.astype(int).tolist()
    shorter = min(right - left, low - top)
    wide, high = np.maximum(4, rng.uniform(*SIDES, 2) * shorter).astype(int).tolist()
    if shorter < max(wide, high):
        return None
    there = np.concatenate([ground.boxes, ground.crowds])
    for _ in range(TRIES):
        x, y = int(rng.integers(left, right - wide + 1)), int(rng.integers(top, low - high + 1))
        if not overlaps(np.array([x, y, x + wide, y + high], np.float32), there).any():
            piece, mask = image[y : y + high, x : x + wide], _polygon(high, wide, rng)
            pixels = 255 - piece if rng.random() < 0.5 else piece[::-1]
            x, y = int(rng.integers(left, right - wide // 2)), int(rng.integers(top, low - high // 2))
            return within(ground.content, Patch(None, x, y, pixels, mask, int(np.count_nonzero(mask))))
    return None


def _polygon(height: int, width: int, rng: np.random.Generator) -> BoolArray:
    """bool (h, w): a star-shaped polygon of five to eight corners about the middle."""
    count = int(rng.integers(5, 9))
    angles: FloatArray = np.sort(rng.uniform(0, 2 * np.pi, count))
    reach = rng.uniform(0.6, 1, count)
    middle = np.array([width - 1, height - 1]) / 2
    corners = middle + np.stack([np.cos(angles) * width, np.sin(angles) * height], axis=1) * reach[:, None] / 2
    mask = np.zeros((height, width), np.uint8)
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
    return mask.astype(np.bool_)
