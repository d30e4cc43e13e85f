"""Boxes drawn by chance around a true one: candidates to score, and examples to learn from by how they overlap it."""

from __future__ import annotations

import numpy as np

from cvbench.samples import FloatArray
from cvbench_tasks.sot.boxes import around, centres_and_sizes, overlaps

TRIES = 8  # rounds of drawing before fewer boxes than asked for are given


def jittered(box: FloatArray, count: int, place: float, scale: float, rng: np.random.Generator) -> FloatArray:
    """(count, 4) Gaussian around a box (4,).

    ``place``: the centre's standard deviation in units of the mean side; ``scale``: that of the sides' logarithm, the
    same for width and height but for a fifth of it.
    """
    centre, size = centres_and_sizes(box)
    moved = centre + rng.normal(0, place, (count, 2)) * size.mean()
    grown = rng.normal(0, scale, (count, 1)) + rng.normal(0, scale / 5, (count, 2))
    return around(moved, size * np.exp(grown))


def overlapping(
    box: FloatArray, count: int, least: float, most: float, shape: tuple[int, ...], rng: np.random.Generator
) -> FloatArray:
    """Up to ``count`` boxes (k, 4) whose overlap with the box (4,) is from ``least`` to ``most``, near it or anywhere.

    Near it only if ``least`` is above 0; else a half of them anywhere in a picture of this shape (H, W, …).
    """
    kept: list[FloatArray] = []
    for _ in range(TRIES):
        drawn = jittered(box, 2 * count, 0.1 if least > 0 else 1.0, 0.1 if least > 0 else 0.3, rng)
        if least <= 0:
            drawn[::2] = around(rng.random((count, 2)) * [shape[1], shape[0]], centres_and_sizes(drawn[::2])[1])
        fitting = overlaps(drawn, box)
        kept.append(drawn[(fitting >= least) & (fitting <= most)])
        if sum(map(len, kept)) >= count:
            break
    return np.concatenate(kept)[:count]
