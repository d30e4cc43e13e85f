"""Fidelity metrics held against independent implementations on the same features, and against what must be true."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from cvbench.fidelity import NEIGHBOURHOOD_K
from cvbench.fidelity import features as feature_arrays
from cvbench.fidelity.classes import class_balance, diversity, mode_coverage, trts
from cvbench.fidelity.frechet import frechet_distance
from cvbench.fidelity.kernel import kernel_distance
from cvbench.fidelity.memorization import memorization
from cvbench.fidelity.neighbourhoods import MANIFOLD_K, neighbourhoods
from cvbench.fidelity.two_sample import c2st

SHAPES = [(60, 50, 4), (40, 40, 64), (300, 200, 16)]  # the second: fewer pictures than features


def two_sets(n: int, m: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Correlated features, some of them with a large mean, and others that are shifted and wider."""
    rng = np.random.default_rng(seed)
    mix, middle = rng.normal(size=(width, width)), rng.normal(size=width) * 3
    return rng.normal(size=(n, width)) @ mix + middle, 1.2 * rng.normal(size=(m, width)) @ mix + middle + 0.3


@pytest.fixture(autouse=True)
def several_chunks(monkeypatch):
    monkeypatch.setattr(feature_arrays, "CHUNK_ENTRIES", 1000)


# ------------------------------------------------------------------------------------------ Fréchet


@pytest.mark.parametrize("shape", SHAPES)
def test_the_frechet_distance_is_the_textbooks_and_torchmetrics(shape):
    real, made = two_sets(*shape)
    moments = [(x.mean(0), np.cov(x, rowvar=False)) for x in (real, made)]
    (mu1, sigma1), (mu2, sigma2) = moments
    textbook = np.square(mu1 - mu2).sum() + np.trace(sigma1 + sigma2 - 2 * scipy.linalg.sqrtm(sigma1 @ sigma2).real)
    theirs = _compute_fid(*(torch.from_numpy(part) for pair in moments for part in pair)).item()
    assert frechet_distance(real, made) == pytest.approx(textbook, rel=1e-6)
    assert frechet_distance(real, made) == pytest.approx(theirs, rel=1e-6)


def test_the_frechet_distance_of_known_gaussians():
    """Exactly whitened samples with spreads 1 and 3 and means 2 apart: ‖2‖²·D + (3 − 1)²·D."""
    rng, width = np.random.default_rng(0), 5
    raw = rng.normal(size=(400, width))
    raw -= raw.mean(0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False))).T
    assert frechet_distance(white, 3 * white + 2) == pytest.approx(width * (4 + 4), rel=1e-9)


# ------------------------------------------------------------------------------------------- kernel


@pytest.mark.parametrize("shape", SHAPES)
def test_the_kernel_distance_is_the_double_sum_and_its_error_the_jackknife(shape):
    real, made = two_sets(*shape)
    real, made = real[:40], made[:30]

    def double_sum(first: np.ndarray, second: np.ndarray) -> float:
        def mean(a: np.ndarray, b: np.ndarray, same: bool) -> float:
            values = [(x @ y / len(x) + 1) ** 3 for i, x in enumerate(a) for j, y in enumerate(b) if not same or i != j]
            return float(np.mean(values))

        return mean(first, first, True) + mean(second, second, True) - 2 * mean(first, second, False)

    found = kernel_distance(real, made)
    assert found.value == pytest.approx(double_sum(real, made), rel=1e-9)
    if shape == SHAPES[0]:
        without = [np.array([double_sum(np.delete(real, i, 0), made) for i in range(len(real))]),
                   np.array([double_sum(real, np.delete(made, i, 0)) for i in range(len(made))])]  # fmt: skip
        assert found.error == pytest.approx(np.sqrt(sum((len(w) - 1) * w.var() for w in without)), rel=1e-6)


def test_the_kernel_distance_is_torchmetrics():
    real, made = two_sets(200, 200, 16)
    theirs = poly_mmd(torch.from_numpy(real), torch.from_numpy(made)).item()
    assert kernel_distance(real, made).value == pytest.approx(theirs, rel=1e-6)


def test_the_kernel_distances_error_is_the_spread_over_fresh_samples():
    rng = np.random.default_rng(0)
    found = [kernel_distance(rng.normal(size=(80, 4)), rng.normal(0.7, 1, size=(80, 4))) for _ in range(300)]
    spread = np.std([estimate.value for estimate in found])
    assert np.mean([estimate.error for estimate in found]) == pytest.approx(spread, rel=0.15)


# ----------------------------------------------------------------------------------- neighbourhoods


def radii(features: np.ndarray, k: int) -> np.ndarray:
    return np.sort(cdist(features, features), axis=1)[:, k]  # the 0th is the picture itself


@pytest.mark.parametrize("shape", SHAPES)
def test_precision_recall_density_and_coverage_are_the_papers_loops(shape):
    real, made = two_sets(*shape)
    apart = cdist(made, real)
    real_3, made_3, real_5 = radii(real, MANIFOLD_K), radii(made, MANIFOLD_K), radii(real, NEIGHBOURHOOD_K)
    m, n = apart.shape
    found = neighbourhoods(real, made)
    assert found.precision == np.mean([any(apart[j, i] <= real_3[i] for i in range(n)) for j in range(m)])
    assert found.recall == np.mean([any(apart[j, i] <= made_3[j] for j in range(m)) for i in range(n)])
    assert found.density == pytest.approx(sum(apart[j, i] <= real_5[i] for i in range(n) for j in range(m)) / (5 * m))
    assert found.coverage == np.mean([any(apart[j, i] <= real_5[i] for j in range(m)) for i in range(n)])


def test_all_of_torch_fidelity_agrees_on_the_same_features():
    """Its own functions, where it is installed."""
    pytest.importorskip("torch_fidelity")
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
    from torch_fidelity.metric_kid import kernel_mmd
    from torch_fidelity.metric_prc import prc_features_to_metric

    real, made = two_sets(200, 200, 16)
    first, second = torch.from_numpy(real), torch.from_numpy(made)
    fid = fid_statistics_to_metric(fid_features_to_statistics(first), fid_features_to_statistics(second), False)
    prc = prc_features_to_metric(second, first, prc_neighborhood=MANIFOLD_K, prc_batch_size=64, verbose=False)
    assert frechet_distance(real, made) == pytest.approx(fid["frechet_inception_distance"], rel=1e-6)
    assert kernel_distance(real, made).value == pytest.approx(kernel_mmd(real, made), rel=1e-6)
    found = neighbourhoods(real, made)
    assert (found.precision, found.recall) == pytest.approx((prc["precision"], prc["recall"]), rel=1e-6)


# ---------------------------------------------------------------------------- two-sample, memorization


def test_a_classifier_tells_sets_apart_as_well_as_the_best_one_could():
    """Two unit Gaussians 2 apart: the best accuracy is Φ(1)."""
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(4000, 3)), rng.normal([2, 0, 0], 1, size=(4000, 3))
    found = c2st(real, made, seed=1)
    assert found.value == pytest.approx(0.8413, abs=0.02)
    assert c2st(real, rng.normal(size=(4000, 3)), seed=1).value == pytest.approx(0.5, abs=3.5 * found.error)
    assert c2st(real[:1000], made, seed=1).value == pytest.approx(0.8413, abs=0.03)


@pytest.mark.parametrize(("seen", "unseen"), [(300, 300), (900, 150), (100, 500)])
def test_memorization_is_a_half_for_fresh_samples_and_one_for_copies_whatever_the_sizes(seen, unseen):
    rng = np.random.default_rng(seen)
    fresh = [memorization(*(rng.normal(size=(n, 4)) for n in (seen, unseen, 300))).share for _ in range(60)]
    values = np.array([share.value for share in fresh])
    assert values.mean() == pytest.approx(0.5, abs=4 * values.std() / np.sqrt(60) + 0.01)
    assert np.mean([share.error for share in fresh]) == pytest.approx(values.std(), rel=0.35)
    train, held_out = rng.normal(size=(seen, 4)), rng.normal(size=(unseen, 4))
    assert memorization(train, held_out, train[:90]).share.value == 1
    assert memorization(train, held_out, held_out[:90]).share.value == 0
    assert memorization(train, train, train).share.value == 0.5


def test_memorization_at_equal_sizes_is_the_plain_share():
    train, made = two_sets(80, 60, 4)
    held_out = two_sets(80, 60, 4, seed=3)[0]
    to_train, to_held_out = cdist(made, train), cdist(made, held_out)
    found = memorization(train, held_out, made)
    assert found.share.value == pytest.approx(np.mean(to_train.min(1) < to_held_out.min(1)))
    np.testing.assert_array_equal(found.nearest, to_train.argmin(1))
    np.testing.assert_allclose(found.to_held_out, to_held_out.min(1))
    ratio = to_train.min(1) / to_held_out.min(1)
    assert found.most_suspicious(3).tolist() == np.argsort(ratio)[:3].tolist()


def test_noise_that_finds_one_picture_proves_no_memorization():
    rng = np.random.default_rng(0)
    train, held_out = rng.normal(size=(100, 50)), rng.normal(size=(100, 50))
    train[0] = 0
    share = memorization(train, held_out, rng.normal(size=(200, 50)) * 0.1).share
    assert share.value == 1
    assert share.error == 0.5


# ------------------------------------------------------------------------------------------- classes


def test_what_the_classifier_sees_is_counted():
    certain = np.eye(3)
    real = certain[[0] * 10 + [1] * 60 + [2] * 30]
    made = certain[[0] * 2 + [1] * 96 + [2] * 2]
    labels = np.array([0] * 2 + [1] * 90 + [2] * 8, dtype=np.int64)
    assert trts(made, labels) == pytest.approx(0.94)
    assert mode_coverage(real, made) == pytest.approx(2 / 3)  # 2 of 100 is less than a tenth of 30
    assert class_balance(real, made) == pytest.approx(1 - 0.36)
    assert mode_coverage(real, real) == class_balance(real, real) == 1


def test_diversity_is_the_ratio_of_mean_pairwise_distances():
    real, made = two_sets(90, 60, 4)
    real_labels, made_labels = np.arange(90) % 3, np.arange(60) % 2
    made_labels[0] = 2
    found = diversity(real, real_labels, made, made_labels, 3)
    for label in (0, 1):
        expected = pdist(made[made_labels == label]).mean() / pdist(real[real_labels == label]).mean()
        assert found[label] == pytest.approx(expected)
    assert np.isnan(found[2])  # one synthetic picture


# --------------------------------------------------------------------------------- what must be true

sizes = st.tuples(st.integers(8, 30), st.integers(8, 30), st.integers(1, 12), st.integers(0, 10_000))


@settings(max_examples=25, deadline=None)
@given(sizes)
def test_a_set_against_itself(shape):
    real, _ = two_sets(*shape)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-8 * np.square(real).sum())
    found = neighbourhoods(real, real)
    assert found.precision == found.recall == found.coverage == 1
    assert 1 - 1e-9 <= found.density <= (NEIGHBOURHOOD_K + 1) / NEIGHBOURHOOD_K + 1e-9
    labels = np.zeros(len(real), dtype=np.int64)
    assert diversity(real, labels, real, labels, 1)[0] == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(sizes)
def test_order_and_a_common_shift_change_nothing_and_ranges_hold(shape):
    real, made = two_sets(*shape)
    rng = np.random.default_rng(shape[3])
    shift = rng.normal(size=shape[2]) * 10
    shuffled = rng.permutation(real), rng.permutation(made)
    distance, near = frechet_distance(real, made), neighbourhoods(real, made)
    scale = np.square(real - real.mean(0)).sum()
    for other in (shuffled, (real + shift, made + shift)):
        assert frechet_distance(*other) == pytest.approx(distance, rel=1e-7, abs=1e-10 * scale)
        again = neighbourhoods(*other)
        assert list(vars(again).values()) == pytest.approx(list(vars(near).values()))
        assert memorization(real + shift, other[0], made + shift).share.value <= 1
    kernel, same = kernel_distance(real, made), kernel_distance(*shuffled)
    assert same.value == pytest.approx(kernel.value, rel=1e-7, abs=1e-7 * abs(kernel.error))
    assert same.error == pytest.approx(kernel.error, rel=1e-6)
    assert distance >= 0
    assert near.density >= 0
    assert all(0 <= value <= 1 for value in (near.precision, near.recall, near.coverage))
    assert frechet_distance(made, real) == pytest.approx(distance, rel=1e-7, abs=1e-10 * scale)
    swapped = neighbourhoods(made, real)
    assert (swapped.precision, swapped.recall) == (near.recall, near.precision)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_more_noise_is_never_better(seed):
    rng = np.random.default_rng(seed)
    real, made, noise = (rng.normal(size=(300, 4)) for _ in range(3))
    found = [
        (frechet_distance(real, x), neighbourhoods(real, x).density) for x in (made + s * noise for s in (0, 1, 3))
    ]
    assert found[0][0] < found[1][0] < found[2][0]
    assert found[0][1] > found[1][1] > found[2][1]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_fewer_pictures_give_a_larger_frechet_distance_on_average_but_not_a_larger_kernel_distance(seed):
    """Why counts are made equal: on equal distributions the one is biased, the other is not."""
    rng = np.random.default_rng(seed)
    few = [frechet_distance(*(rng.normal(size=(2, 20, 6)))) for _ in range(20)]
    many = [frechet_distance(*(rng.normal(size=(2, 200, 6)))) for _ in range(20)]
    assert np.mean(few) > 4 * np.mean(many)
    kernel = [kernel_distance(*(rng.normal(size=(2, 20, 6)))).value for _ in range(100)]
    assert abs(np.mean(kernel)) < 5 * np.std(kernel) / 10
