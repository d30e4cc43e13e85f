"""Data sets and what they refuse; proportions; seeds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvbench.datasets import gather, load_dataset
from cvbench.errors import DataError
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages, proportional_counts, shuffled_labels
from cvbench.seeds import derive_seed

SPEC = DatasetSpec("toy", AnnotationKind.LABEL, ("a", "b", "c"), 2, 3, 1)


def toy(count: int = 6) -> LabelledImages:
    images = np.arange(count * 6, dtype=np.uint8).reshape(count, 2, 3, 1)
    return LabelledImages(SPEC, images, np.arange(count, dtype=np.int64) % 3)


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (np.zeros((2, 2, 3, 1), np.float32), np.zeros(2, np.int64), "uint8"),
        (np.full((2, 2, 3, 1), np.nan), np.zeros(2, np.int64), "uint8"),
        (np.zeros((2, 2, 3), np.uint8), np.zeros(2, np.int64), "N, H, W, C"),
        (np.zeros((2, 5, 3, 1), np.uint8), np.zeros(2, np.int64), "the spec says"),
        (np.zeros((2, 2, 3, 1), np.uint8), np.zeros(3, np.int64), "one per picture"),
        (np.zeros((2, 2, 3, 1), np.uint8), np.zeros(2, np.int32), "int64"),
        (np.zeros((2, 2, 3, 1), np.uint8), np.array([0, 3], np.int64), "labels run from 0 to 3"),
        (np.zeros((2, 2, 3, 1), np.uint8), np.array([-1, 0], np.int64), "labels run from -1"),
        ("rubbish", np.zeros(2, np.int64), "not str"),
    ],
)
def test_rubbish_is_refused_in_one_line(images, labels, words):
    with pytest.raises(DataError, match=words) as caught:
        LabelledImages(SPEC, images, labels)
    assert "\n" not in str(caught.value)


def test_saved_and_loaded_is_the_same_content(tmp_path):
    data = toy()
    data.save(tmp_path)
    loaded = load_dataset(tmp_path)
    assert loaded.fingerprint == data.fingerprint
    assert isinstance(loaded.images, np.memmap)
    assert loaded.spec == data.spec


def test_a_fingerprint_changes_with_content_and_order_but_not_with_the_name():
    data = toy()
    renamed = DatasetSpec("other", *[getattr(SPEC, f) for f in list(SPEC.__dataclass_fields__)[1:]])
    assert LabelledImages(renamed, data.images, data.labels).fingerprint == data.fingerprint
    assert data.select([1, 0, 2, 3, 4, 5]).fingerprint != data.fingerprint
    assert LabelledImages(SPEC, data.images, data.labels[::-1].copy()).fingerprint != data.fingerprint


def test_equal_pictures_have_equal_hashes_whatever_their_label():
    data = toy().select([0, 0, 1])
    first, second, third = data.item_hashes()
    assert first == second != third


def test_join_and_gather_keep_order():
    data = toy()
    joined = data.join(data.select([2]))
    assert len(joined) == 7
    assert joined.labels[-1] == 2
    again = gather(iter([data.select([0, 1]), data.select([2])]), SPEC)
    assert again.fingerprint == data.select([0, 1, 2]).fingerprint
    assert len(gather(iter([]), SPEC)) == 0


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=20).filter(any), st.integers(0, 5000))
def test_proportional_counts_sum_and_are_nearest(weights, count):
    counts = proportional_counts(weights, count)
    exact = np.array(weights) / sum(weights) * count
    assert counts.sum() == count
    assert np.all(np.abs(counts - exact) < 1)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.integers(0, 2**62))
def test_shuffled_labels_have_exactly_the_counts(counts, seed):
    labels = shuffled_labels(np.array(counts), seed)
    assert list(np.bincount(labels, minlength=len(counts))) == counts


@given(st.integers(0, 2**31), st.text(), st.text())
def test_seeds_differ_by_scope_and_coordinates_and_repeat(base, scope, coordinate):
    seed = derive_seed(base, scope, coordinate)
    assert 0 <= seed < 2**63
    assert seed == derive_seed(base, scope, coordinate)
    assert seed != derive_seed(base + 1, scope, coordinate)
    assert seed != derive_seed(base, scope + "x", coordinate)
    assert seed != derive_seed(base, scope, coordinate, 0)
