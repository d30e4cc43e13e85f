"""Differences, intervals, corrections, verdicts: the pure functions."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cvbench.effects import Effect, Interval, Verdict, holm, item_interval, judge, mean_interval, paired_effect

scores = st.lists(st.floats(0, 1), min_size=2, max_size=12)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(scores)
def test_the_mean_interval_is_scipys(values):
    ours = mean_interval(values)
    spread = stats.sem(values)
    if spread > 1e-12:
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), spread)
        assert (ours.low, ours.high) == (pytest.approx(low), pytest.approx(high))


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=12))
def test_the_paired_effect_is_scipys_paired_t_test(pairs):
    before, after = ({seed: pair[k] for seed, pair in enumerate(pairs)} for k in (0, 1))
    effect = paired_effect(before, after)
    differences = np.array([b - a for a, b in pairs])
    if effect is not None and differences.std() > 1e-6:
        reference = stats.ttest_rel(*zip(*[(b, a) for a, b in pairs], strict=True))
        interval = reference.confidence_interval(0.95)
        assert effect.p_value == pytest.approx(reference.pvalue, abs=1e-9)
        assert (effect.low, effect.high) == (pytest.approx(interval.low), pytest.approx(interval.high))


def test_only_common_seeds_are_paired():
    effect = paired_effect({0: 0.5, 1: 0.6, 7: 0.0}, {0: 0.6, 1: 0.8, 3: 1.0})
    assert effect is not None
    assert effect.n == 2
    assert effect.difference == pytest.approx(0.15)
    assert paired_effect({0: 0.5}, {1: 0.5}) is None


def test_one_seed_has_a_difference_but_no_interval():
    assert paired_effect({0: 0.5}, {0: 0.75}) == Effect(0.25, None, None, None, 1)
    assert mean_interval([0.5]).low is None


def test_no_difference_at_all_is_exactly_that():
    same = dict.fromkeys(range(3), 0.5)
    assert paired_effect(same, same) == Effect(0.0, 0.0, 0.0, 1.0, 3)


def test_what_draws_nothing_differs_without_an_interval():
    before, after = dict.fromkeys(range(3), 0.41), dict.fromkeys(range(3), 0.4105)
    effect = paired_effect(before, after)
    assert (effect.low, effect.p_value, effect.n) == (None, None, 3)
    (judgement,) = judge([effect], higher_is_better=True)
    assert judgement.verdict is Verdict.NO_SPREAD


def test_equal_differences_of_one_test_item_are_not_certainty():
    before, after = dict.fromkeys(range(3), 0.5), dict.fromkeys(range(3), 0.51)
    effect = paired_effect(before, after, resolution=0.01)
    assert effect is not None
    assert effect.p_value > 0.05
    assert effect.low < 0 < effect.high
    large = paired_effect(before, dict.fromkeys(range(3), 0.9), resolution=0.01)
    assert large is not None
    assert large.p_value < 0.01


@given(p_values)
def test_holm_never_lowers_a_p_value_and_keeps_their_order(values):
    adjusted = holm(values)
    assert all(a >= p and a <= 1 for a, p in zip(adjusted, values, strict=True))
    for i, j in itertools.combinations(range(len(values)), 2):
        if values[i] < values[j]:
            assert adjusted[i] <= adjusted[j]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_bonferroni_test(values):
    """Closed testing: a hypothesis falls at level a when every intersection with it falls by Bonferroni."""
    places = range(len(values))
    for k in places:
        worst = max(
            min(1.0, len(group) * min(values[i] for i in group))
            for size in range(1, len(values) + 1)
            for group in itertools.combinations(places, size)
            if k in group
        )
        assert holm(values)[k] == pytest.approx(worst)


def test_the_item_interval_is_scipys_percentile_bootstrap():
    rng = np.random.default_rng(0)
    before = (rng.random((3, 400)) < 0.8).astype(float)
    after = (rng.random((3, 400)) < 0.85).astype(float)
    ours = item_interval(before, after)
    reference = stats.bootstrap(
        ((after - before).mean(0),), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.low == pytest.approx(reference.low, abs=0.003)
    assert ours.high == pytest.approx(reference.high, abs=0.003)
    assert ours.mean == pytest.approx((after - before).mean())


def test_one_item_alone_has_no_interval():
    assert item_interval(np.array([[0.25], [0.25]]), np.array([[0.5], [1.0]])) == Interval(0.5, None, None, 1)


def effect(difference: float, half: float, p: float) -> Effect:
    return Effect(difference, difference - half, difference + half, p, 5)


def test_verdicts():
    table = [effect(0.1, 0.01, 1e-6), effect(-0.1, 0.01, 1e-6), effect(0.01, 0.1, 0.8), None]
    up = judge(table, higher_is_better=True)
    assert [j.verdict for j in up] == [
        Verdict.BETTER,
        Verdict.WORSE,
        Verdict.NO_DIFFERENCE,
        Verdict.NO_BASELINE,
    ]
    down = judge(table, higher_is_better=False)
    assert [j.verdict for j in down[:2]] == [Verdict.WORSE, Verdict.BETTER]
    one_seed = judge([Effect(0.3, None, None, None, 1)], higher_is_better=True)
    assert one_seed[0].verdict is Verdict.TOO_FEW_SEEDS


def test_two_seeds_give_no_verdict_and_are_not_counted_by_the_correction():
    two = replace(effect(0.3, 0.001, 1e-6), n=2)
    none = Effect(0.0, 0.0, 0.0, 1.0, 2)
    without = Effect(0.1, None, None, None, 2)
    judged = judge([two, none, without, effect(0.02, 0.019, 0.04)], higher_is_better=True)
    assert [one.verdict for one in judged] == [
        Verdict.TOO_FEW_SEEDS,
        Verdict.TOO_FEW_SEEDS,
        Verdict.NO_SPREAD,
        Verdict.BETTER,
    ]
    assert judged[3].adjusted_p == pytest.approx(0.04)


def test_what_does_not_survive_the_correction_is_no_measurable_difference_and_marked():
    alone = effect(0.02, 0.019, 0.04)
    assert judge([alone], higher_is_better=True)[0].verdict is Verdict.BETTER
    among = judge([alone, *[effect(0.0, 0.1, 0.9)] * 3], higher_is_better=True)[0]
    assert (among.verdict, among.alone) == (Verdict.NO_DIFFERENCE, Verdict.BETTER)
    assert among.adjusted_p == pytest.approx(0.16)
