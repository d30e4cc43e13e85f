"""A filter keeps what the probe finds convincing, class by class, or says which class it cannot fill."""

import numpy as np
import pytest
from cvbench_generators.controls import NoisePictures, Replay
from hypothesis import given, settings
from hypothesis import strategies as st

from cvbench.conformance import tiny_pictures
from cvbench.datasets import gather
from cvbench.errors import NotApplicable
from cvbench.filtering import Filtered

DATA = tiny_pictures(8, 8, 1)
CLASSES = len(DATA.spec.classes)


class Judge:
    """A probe that believes in bright pictures."""

    spec = DATA.spec

    def probabilities(self, images):
        bright = images.mean((1, 2, 3)) / 255
        return np.repeat(bright[:, None], CLASSES, 1)


def filtered(confidence, source=None):
    source = source or NoisePictures(DATA)
    return Filtered(source, Judge(), confidence, DATA.class_counts())


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 60), seed=st.integers(0, 2**32))
def test_as_many_as_asked_in_proportion_and_all_convincing(count, seed):
    kept = gather(filtered(0.5).sample(count, seed=seed), DATA.spec)
    plain = gather(NoisePictures(DATA).sample(count, seed=seed), DATA.spec)
    assert kept.class_counts().tolist() == plain.class_counts().tolist()
    assert (Judge().probabilities(kept.images)[:, 0] >= 0.5).all()
    again = gather(filtered(0.5).sample(count, seed=seed), DATA.spec)
    assert (again.images == kept.images).all()
    assert (again.labels == kept.labels).all()


def test_without_a_demand_the_classes_come_in_mixed_order():
    kept = gather(filtered(0.0, Replay(DATA)).sample(40, seed=1), DATA.spec)
    assert (np.diff(kept.labels) < 0).any()


def test_exact_numbers_per_class():
    counts = np.zeros(CLASSES, np.int64)
    counts[1] = 7
    kept = gather(filtered(0.5).sample(7, seed=0, class_counts=counts), DATA.spec)
    assert kept.class_counts().tolist() == counts.tolist()


@pytest.mark.parametrize("share", [0.15, 0.35])
@pytest.mark.parametrize("count", [50, 3000])
def test_what_convinces_seldom_still_fills_any_number(share, count):
    noise = gather(NoisePictures(DATA).sample(2000, seed=9), DATA.spec)
    confidence = float(np.quantile(Judge().probabilities(noise.images)[:, 0], 1 - share))
    assert len(gather(filtered(confidence).sample(count, seed=1), DATA.spec)) == count


def test_a_class_that_never_convinces_is_named():
    with pytest.raises(
        NotApplicable, match=r"too few samples of class '.*' reach the filter's .* 0.99: lower the filter"
    ):
        list(filtered(0.99).sample(10, seed=0))
