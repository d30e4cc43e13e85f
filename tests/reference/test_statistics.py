"""The statistics held against simulation: coverage of the intervals, false positives under no difference."""

import math

import numpy as np
import pytest

from cvbench.effects import Verdict, item_interval, judge, paired_effect

REPLICATIONS = 4000


def paired_scores(rng: np.random.Generator, noise: str, seeds: int, difference: float) -> tuple[dict, dict]:
    """Scores of two arms that share a seed's luck (its data subset, its initial weights)."""
    luck = rng.normal(0.9, 0.01, seeds)
    arms = luck + rng.normal(0, 0.005, seeds), luck + difference + rng.normal(0, 0.005, seeds)
    if noise == "binomial":
        arms = tuple(rng.binomial(1000, arm.clip(0, 1)) / 1000 for arm in arms)
    return tuple(dict(enumerate(arm.tolist())) for arm in arms)


@pytest.mark.parametrize("noise", ["gaussian", "binomial"])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_seed_paired_intervals_cover_95_percent(noise, seeds):
    rng = np.random.default_rng(seeds)
    covered = 0
    for _ in range(REPLICATIONS):
        effect = paired_effect(*paired_scores(rng, noise, seeds, 0.01), resolution=0.001)
        covered += effect.low <= 0.01 <= effect.high
    assert abs(covered / REPLICATIONS - 0.95) <= 0.02


@pytest.mark.parametrize("noise", ["gaussian", "binomial"])
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_false_positives_under_no_difference_are_at_most_five_percent(noise, seeds):
    rng = np.random.default_rng(100 + seeds)
    called = 0
    for _ in range(REPLICATIONS):
        effect = paired_effect(*paired_scores(rng, noise, seeds, 0.0), resolution=0.001)
        verdict = judge([effect], higher_is_better=True)[0].verdict
        called += verdict in (Verdict.BETTER, Verdict.WORSE)
    assert called / REPLICATIONS <= 0.05 + simulation_error(0.05, REPLICATIONS)


def test_a_whole_table_calls_a_difference_that_is_none_at_most_five_percent_of_the_time():
    rng = np.random.default_rng(7)
    tables, rows = 1000, 8
    called = 0
    for _ in range(tables):
        effects = [paired_effect(*paired_scores(rng, "binomial", 5, 0.0), resolution=0.001) for _ in range(rows)]
        verdicts = [j.verdict for j in judge(effects, higher_is_better=True)]
        called += any(v in (Verdict.BETTER, Verdict.WORSE) for v in verdicts)
    assert called / tables <= 0.05 + simulation_error(0.05, tables)


@pytest.mark.parametrize("items", [500, 2000])
def test_item_intervals_cover_95_percent(items):
    rng = np.random.default_rng(items)
    replications, covered, truth = 1500, 0, 0.03
    for k in range(replications):
        hard = rng.random(items)  # both arms find the same pictures hard
        before = (rng.random((3, items)) < 0.85 - 0.3 * hard).astype(float)
        after = (rng.random((3, items)) < 0.85 + truth - 0.3 * hard).astype(float)
        interval = item_interval(before, after, seed=k)
        covered += interval.low <= truth <= interval.high
    assert abs(covered / replications - 0.95) <= 0.02


def simulation_error(rate: float, replications: int) -> float:
    """Three standard errors of a simulated rate."""
    return 3 * math.sqrt(rate * (1 - rate) / replications)
