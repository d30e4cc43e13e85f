"""Worth: read off the curve of real data alone."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvbench.worth import equivalent_real, worth

CURVE = {10: 0.5, 100: 0.8, 1000: 0.9}


@pytest.mark.parametrize(
    ("score", "number"),
    [(0.5, 10), (0.65, 1000**0.5), (0.8, 100), (0.85, 1e5**0.5), (0.9, 1000), (0.91, math.inf), (0.1, 10)],
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
