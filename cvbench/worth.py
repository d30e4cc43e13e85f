"""What synthetic samples are worth in real ones, read off the curve that real data alone draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cvbench.effects import Interval, mean_interval


@dataclass(frozen=True)
class Worth:
    """``per_sample``: real samples that one synthetic sample stands for, over seeds; ``equivalent``: in all.

    ``beyond``: how many seeds scored above the end of the real curve; they count with its end, so the true worth is
    higher.
    """

    per_sample: Interval
    equivalent: float
    beyond: int


def equivalent_real(curve: Mapping[int, float], score: float) -> float:
    """How many real samples alone reach ``score``: linear in the logarithm of their number between the curve's points.

    ``curve``: number of real samples → score, higher is better; where it dips, the best so far counts. Infinite
    above its best score, its smallest number below its least.
    """
    numbers = sorted(curve)
    best = np.maximum.accumulate([curve[number] for number in numbers])
    if score > best[-1]:
        return math.inf
    rising = np.flatnonzero(np.diff(best, prepend=-math.inf) > 0)
    logarithm = np.interp(score, best[rising], np.log([numbers[place] for place in rising]))
    return float(np.exp(logarithm))


def worth(curves: Sequence[Mapping[int, float]], scores: Sequence[float], *, real: int, synthetic: int) -> Worth:
    """Of one row: per seed its curve and its score, with so many real and synthetic samples."""
    reached = [equivalent_real(curve, score) for curve, score in zip(curves, scores, strict=True)]
    bounded = [min(number, max(curve)) for number, curve in zip(reached, curves, strict=True)]
    gained = [(number - real) / synthetic for number in bounded]
    return Worth(mean_interval(gained), float(np.mean(bounded)), sum(map(math.isinf, reached)))
