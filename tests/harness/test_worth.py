"""Worth: read off the curve of real data alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvbench.contracts import Metric
from cvbench.effects import Interval, mean_interval
from cvbench.report.words import worth_rows
from cvbench.rows import Cost, Measured, Row, Table
from cvbench.worth import equivalent_real, worth

CURVE = {10: 0.5, 100: 0.8, 1000: 0.9}


@pytest.mark.parametrize(
    ("score", "number"),
    [(0.5, 10), (0.65, 1000**0.5), (0.8, 100), (0.85, 1e5**0.5), (0.9, 1000), (0.91, math.inf), (0.1, 0)],
)  # fmt: skip
def test_points_of_the_curve(score, number):
    assert equivalent_real(CURVE, score) == pytest.approx(number)


def test_where_the_curve_dips_the_best_so_far_counts():
    assert equivalent_real({10: 0.5, 20: 0.7, 40: 0.6, 80: 0.9}, 0.7) == pytest.approx(20)


@given(
    st.dictionaries(st.integers(1, 10_000), st.floats(0, 1), min_size=2, max_size=6), st.floats(0, 1), st.floats(0, 1)
)
def test_a_higher_score_is_never_worth_less(curve, one, other):
    low, high = sorted((one, other))
    assert equivalent_real(curve, low) <= equivalent_real(curve, high) * (1 + 1e-9)


def test_one_synthetic_sample_in_real_ones():
    found = worth([CURVE, CURVE], [0.8, 0.8], real=10, synthetic=30)
    assert found.per_sample.mean == pytest.approx(3)
    assert found.equivalent == pytest.approx(100)
    assert found.beyond == 0
    assert worth([CURVE], [0.99], real=10, synthetic=990).beyond == 1
    assert worth([CURVE], [0.99], real=10, synthetic=990).per_sample.mean == pytest.approx(1)


@pytest.mark.parametrize(
    ("scores", "beyond", "below", "equivalent"),
    [
        ([0.3, 0.3], 0, 2, 10),
        ([0.3, 0.8], 0, 1, 55),
        ([0.99, 0.99], 2, 0, 1000),
        ([0.99, 0.8], 1, 0, 550),
        ([0.3, 0.99], 1, 1, 505),
    ],
)
def test_off_the_curve_a_worth_is_a_bound_without_an_interval(scores, beyond, below, equivalent):
    found = worth([CURVE, CURVE], scores, real=10, synthetic=30)
    assert (found.beyond, found.below) == (beyond, below)
    assert found.equivalent == pytest.approx(equivalent)
    assert found.per_sample == Interval(pytest.approx((equivalent - 10) / 30), None, None, 2)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([0.3, 0.4], ["less than 10 real", "less than 0.00 real"]),
        ([0.99, 0.99], ["more than 1,000 real", "more than 33.00 real"]),
        ([0.3, 0.99], ["off both ends", "–"]),
        ([0.8, 0.8], ["100 real", "3.00 ±0.00 real"]),
    ],
)
def test_a_worth_in_words(scores, said):
    metric = Metric("top1", "", primary=True)
    row = Row(
        "1%", "mixed", "flow", 1.0, False, "", {"top1": Measured(mean_interval(scores))}, Cost(None, None, None),
        {"ok": 2}, worth=worth([CURVE, CURVE], scores, real=10, synthetic=30),
    )  # fmt: skip
    (line,) = worth_rows(Table("classification", "d", "m", (metric,), 10, {"1%": (row,)}))
    assert line[-2:] == said
