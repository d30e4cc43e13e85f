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

    ``beyond`` and ``below``: how many seeds scored above the best and below the least score of their real curve. They
    count with that end's number, so the true worth is higher, or lower, and has no interval.
    """

    per_sample: Interval
    equivalent: float
    beyond: int
    below: int = 0


def equivalent_real(curve: Mapping[int, float], score: float) -> float:
    """How many real samples alone reach ``score``: linear in the logarithm of their number between the curve's points.

    ``curve``: number of real samples → score, higher is better; where it dips, the best so far counts. Infinite
    above its best score, 0 below its least: fewer than its smallest number, nobody knows how many.
    """
    numbers = sorted(curve)
    best = np.maximum.accumulate([curve[number] for number in numbers])
    if score > best[-1]:
        return math.inf
    if score < best[0]:
        return 0.0
    rising = np.flatnonzero(np.diff(best, prepend=-math.inf) > 0)
    logarithm = np.interp(score, best[rising], np.log([numbers[place] for place in rising]))
    return float(np.exp(logarithm))


def worth(curves: Sequence[Mapping[int, float]], scores: Sequence[float], *, real: int, synthetic: int) -> Worth:
    """Of one row: per seed its curve and its score, with so many real and synthetic samples."""
    reached = [equivalent_real(curve, score) for curve, score in zip(curves, scores, strict=True)]
    bounded = [min(max(number, min(curve)), max(curve)) for number, curve in zip(reached, curves, strict=True)]
    gained = [(number - real) / synthetic for number in bounded]
    beyond, below = sum(map(math.isinf, reached)), reached.count(0.0)
    # an end of the curve in a seed's place is a bound and no reading: Student's t knows nothing of its spread
    per_sample = Interval(float(np.mean(gained)), None, None, len(gained)) if beyond + below else mean_interval(gained)
    return Worth(per_sample, float(np.mean(bounded)), beyond, below)
