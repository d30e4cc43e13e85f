"""Regimes and real shares: proportions, nesting, equal steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvbench.contracts import Augmentation
from cvbench.errors import DataError
from cvbench.regimes import compose, split_real
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages

strata = st.lists(st.integers(0, 4), min_size=1, max_size=200).map(lambda g: np.array(g, dtype=np.int64))


@given(strata, st.floats(0.01, 1.0), st.integers(0, 2**62))
def test_a_fraction_keeps_every_groups_proportion(groups, fraction, seed):
    kept, held_back = split_real(groups, fraction=fraction, per_class=None, seed=seed)
    assert sorted([*kept, *held_back]) == list(range(len(groups)))
    for group in np.unique(groups):
        wanted = max(1, round(int((groups == group).sum()) * fraction))
        assert (groups[kept] == group).sum() == wanted


@given(strata, st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.integers(0, 2**62))
def test_the_smaller_share_is_part_of_the_larger(groups, one, other, seed):
    small, _ = split_real(groups, fraction=min(one, other), per_class=None, seed=seed)
    large, _ = split_real(groups, fraction=max(one, other), per_class=None, seed=seed)
    assert set(small) <= set(large)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(0, 2**62))
def test_of_two_numbers_of_samples_the_smaller_is_part_of_the_larger(sizes, seed):
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    smaller: set[int] = set()
    for count in range(1, len(groups) + 1):
        kept, rest = split_real(groups, fraction=None, samples=count, seed=seed)
        assert len(kept) == count
        assert sorted([*kept, *rest]) == list(range(len(groups)))
        assert smaller < set(kept)
        smaller = set(kept)


def test_one_more_sample_takes_none_from_another_group():
    groups = np.repeat([0, 1, 2], [6, 6, 2])
    parts = [
        np.bincount(groups[split_real(groups, fraction=None, samples=n, seed=0)[0]], minlength=3).tolist()
        for n in range(1, 15)
    ]
    assert (np.diff(parts, axis=0) >= 0).all()
    assert parts[-1] == [6, 6, 2]
    assert parts[6] == [3, 3, 1]  # half of each


@given(strata, st.integers(0, 2**62), st.data())
def test_a_number_of_samples_is_in_proportion(groups, seed, data):
    count = data.draw(st.integers(1, len(groups)))
    kept, _ = split_real(groups, fraction=None, samples=count, seed=seed)
    sizes = np.unique(groups, return_counts=True)[1]
    parts = np.array([(groups[kept] == group).sum() for group in np.unique(groups)])
    # one share for all groups, of which each has the whole number next to it (Webster)
    assert ((parts - 0.5) / sizes).max() <= ((parts + 0.5) / sizes).min()


@given(strata, st.integers(1, 5), st.integers(0, 2**62))
def test_per_class_takes_exactly_so_many_or_says_who_has_too_few(groups, per_class, seed):
    counts = np.bincount(groups)
    counts = counts[counts > 0]
    if counts.min() < per_class:
        with pytest.raises(DataError, match="ask for fewer"):
            split_real(groups, fraction=None, per_class=per_class, seed=seed)
    else:
        kept, _ = split_real(groups, fraction=None, per_class=per_class, seed=seed)
        assert len(kept) == per_class * len(counts)


def pictures(value: int, count: int) -> LabelledImages:
    spec = DatasetSpec("toy", AnnotationKind.LABEL, ("a", "b"), 2, 3, 1)
    return LabelledImages(spec, np.full((count, 2, 3, 1), value, np.uint8), np.arange(count, dtype=np.int64) % 2)


@pytest.mark.parametrize("regime", ["real", "augment", "synthetic", "mixed", "finetune"])
def test_every_regime_spends_all_steps_on_its_own_data(regime):
    real, synthetic = pictures(1, 4), pictures(2, 6)
    data = compose(regime, real, None if regime in ("real", "augment") else synthetic)
    assert sum(stage.share for stage in data.stages) == 1
    assert (data.augmentation is Augmentation.STRONG) == (regime == "augment")
    values = [sorted(set(np.unique(stage.data.images))) for stage in data.stages]
    sizes = [len(stage.data) for stage in data.stages]
    assert (values, sizes) == {
        "real": ([[1]], [4]),
        "augment": ([[1]], [4]),
        "synthetic": ([[2]], [6]),
        "mixed": ([[1, 2]], [10]),
        "finetune": ([[2], [1]], [6, 4]),
    }[regime]


@pytest.mark.parametrize(
    ("share", "real_seen", "synthetic_seen"), [(0.5, 8, 8), (0.8, 32, 8), (0.2, 4, 16), (1 / 3, 4, 8)]
)
def test_a_share_of_real_samples_is_kept_by_showing_the_fewer_more_often(share, real_seen, synthetic_seen):
    real, synthetic = pictures(1, 4), pictures(2, 8)
    (stage,) = compose("mixed", real, synthetic, real_share=share).stages
    assert (stage.data.images[:real_seen] == 1).all()
    assert (stage.data.images[real_seen:] == 2).all()
    assert len(stage.data) == real_seen + synthetic_seen
    (alone,) = compose("synthetic", real, synthetic, real_share=share).stages
    assert len(alone.data) == 8


def test_refreshed_samples_keep_their_share_of_every_batch():
    real, three_sets = pictures(1, 4), pictures(2, 3 * 6)
    (stage,) = compose("mixed", real, three_sets, refresh=3).stages
    assert (stage.data.images[:, 0, 0, 0] == 1).sum() == 3 * 4
    assert (stage.data.images[:, 0, 0, 0] == 2).sum() == 3 * 6
