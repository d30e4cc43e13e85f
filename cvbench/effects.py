"""What a difference is worth: paired intervals, corrections, verdicts. Pure functions, no formatting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from cvbench.samples import FloatArray

LEVEL = 0.95
FEWEST_SEEDS = 3  # that a verdict rests on: of two, an interval is 13 standard errors to each side
RESAMPLES = 9999
MOST_DRAWN = 10_000_000  # counts held at once: scores may have as many distinct values as there are items


class Verdict(StrEnum):
    """What may be said of a difference."""

    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no measurable difference"
    TOO_FEW_SEEDS = "too few seeds"
    NO_SPREAD = "the same at every seed"
    NO_BASELINE = "no baseline"


@dataclass(frozen=True)
class Interval:
    """A mean of ``n`` numbers with its 95 % interval; ``low`` and ``high`` are None for fewer than two."""

    mean: float
    low: float | None
    high: float | None
    n: int

    @property
    def half_width(self) -> float | None:
        """The ± of a symmetric interval."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True)
class Effect:
    """A paired difference (contender − baseline, in the metric's units) with its interval and p-value."""

    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    n: int


@dataclass(frozen=True)
class Judgement:
    """A verdict with Holm's adjusted p. ``alone``: what its own interval says where the correction takes it back."""

    verdict: Verdict
    adjusted_p: float | None = None
    alone: Verdict | None = None


def mean_interval(values: Sequence[float]) -> Interval:
    """Student's t interval of the mean over seeds."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, None, None, len(values))
    half = _t_quantile(len(values)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half, len(values))


def paired_effect(
    baseline: Mapping[int, float], contender: Mapping[int, float], *, resolution: float = 0.0
) -> Effect | None:
    """The difference over the seeds that both have, with a paired Student's t interval; None without a pair.

    ``resolution`` is the least step of a score (one test item: 1/N). Rounding to it has a variance of its own,
    so a handful of equal non-zero differences is never taken for certainty. All zero is an effect of zero. Where
    nothing is drawn, neither of the two nor by rounding, the seeds say nothing of chance: there is no interval.
    """
    seeds = sorted(baseline.keys() & contender.keys())
    differences = np.array([contender[seed] - baseline[seed] for seed in seeds])
    if not len(differences):
        return None
    mean, n = float(differences.mean()), len(differences)
    if n < 2:
        return Effect(mean, None, None, None, n)
    if not differences.any():
        return Effect(0.0, 0.0, 0.0, 1.0, n)
    rounding = resolution / math.sqrt(6)  # the deviation of a difference of two rounded scores
    deviation = max(float(differences.std(ddof=1)), rounding)
    if deviation <= 1e-9 * abs(mean):
        return Effect(mean, None, None, None, n)
    error = deviation / math.sqrt(n)
    half = _t_quantile(n) * error
    return Effect(mean, mean - half, mean + half, _t_p_value(mean / error, n), n)


def item_interval(baseline: FloatArray, contender: FloatArray, *, seed: int = 0) -> Interval:
    """How the difference would move with another test set of this size: (S, N) per-item scores of both.

    A percentile bootstrap over the N test items of the seed-averaged per-item differences. The mean of a
    resample depends only on how often each distinct value is drawn, so those counts are drawn: the same
    bootstrap, without N numbers per resample. One item alone has no interval: every resample is that item.
    """
    differences = np.asarray(contender).mean(axis=0) - np.asarray(baseline).mean(axis=0)
    if differences.size < 2:
        return Interval(float(differences.mean()), None, None, differences.size)
    values, counts = np.unique(np.round(differences, 12), return_counts=True)
    n = int(counts.sum())
    rng, block = np.random.default_rng(seed), max(1, MOST_DRAWN // len(values))
    sizes = [min(block, RESAMPLES - start) for start in range(0, RESAMPLES, block)]
    means = np.concatenate([rng.multinomial(n, counts / n, size=size) @ values / n for size in sizes])
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(differences.mean()), float(low), float(high), n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (Holm 1979), in the given order; scipy has none."""
    order = np.argsort(p_values)
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = running
    return adjusted


def judge(effects: Sequence[Effect | None], *, higher_is_better: bool) -> list[Judgement]:
    """A verdict for each effect of one table.

    Better or worse: the interval excludes zero and Holm's adjusted p over the table is below 0.05. Effects of fewer
    than ``FEWEST_SEEDS`` get no verdict, and are none of those that the correction counts.
    """
    p_values = {
        place: effect.p_value
        for place, effect in enumerate(effects)
        if effect is not None and effect.p_value is not None and effect.n >= FEWEST_SEEDS
    }
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    return [_judge(effect, adjusted.get(k), higher_is_better) for k, effect in enumerate(effects)]


def _judge(effect: Effect | None, adjusted: float | None, higher_is_better: bool) -> Judgement:
    if effect is None:
        return Judgement(Verdict.NO_BASELINE)
    if effect.n > 1 and effect.p_value is None:
        return Judgement(Verdict.NO_SPREAD)
    if adjusted is None or effect.low is None or effect.high is None:
        return Judgement(Verdict.TOO_FEW_SEEDS)
    if effect.low <= 0 <= effect.high:
        return Judgement(Verdict.NO_DIFFERENCE, adjusted)
    told = Verdict.BETTER if (effect.difference > 0) == higher_is_better else Verdict.WORSE
    if adjusted >= 1 - LEVEL:
        return Judgement(Verdict.NO_DIFFERENCE, adjusted, alone=told)
    return Judgement(told, adjusted)


def _t_quantile(n: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(n - 1, (1 + LEVEL) / 2))


def _t_p_value(t: float, n: int) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(n - 1, -abs(t)))
