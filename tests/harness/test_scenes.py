"""Pictures with masks, boxes and instances: what they refuse, and that nothing is lost on any way through them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvbench.conformance import tiny_scenes
from cvbench.datasets import as_kind, gather, load_dataset
from cvbench.errors import DataError
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages
from cvbench.scenes import IGNORED, BoxedImages, Instance, InstanceImages, SegmentedImages, tight_box

SPEC = DatasetSpec("toy", AnnotationKind.INSTANCES, ("a", "b"), 6, 8, 1)
BOXED = DatasetSpec("toy", AnnotationKind.BOXES, ("a", "b"), 6, 8, 1)
MASKED = DatasetSpec("toy", AnnotationKind.MASK, ("a", "b"), 6, 8, 1)
PICTURE = np.zeros((1, 6, 8, 1), np.uint8)


@st.composite
def scenes(draw) -> tuple[InstanceImages, list[list[Instance]]]:
    """Random instances, none empty, and the data that holds them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    listed = []
    for _ in range(draw(st.integers(1, 4))):
        own = []
        for _ in range(draw(st.integers(0, 3))):
            mask = rng.random((6, 8)) < 0.2
            mask[rng.integers(6), rng.integers(8)] = True
            own.append(Instance(int(rng.integers(2)), mask, bool(rng.integers(2))))
        listed.append(own)
    images = rng.integers(0, 256, (len(listed), 6, 8, 1)).astype(np.uint8)
    return InstanceImages.of_instances(SPEC, images, listed), listed


@given(scenes())
@settings(max_examples=60, deadline=None)
def test_every_mask_comes_back_as_it_was(made):
    data, listed = made
    for place, own in enumerate(listed):
        assert np.array_equal(data.masks(place), np.array([one.mask for one in own]).reshape(-1, 6, 8))
        objects = data.objects(place)
        assert data.labels[objects].tolist() == [one.label for one in own]
        assert data.crowd[objects].tolist() == [one.crowd for one in own]
        assert data.boxes[objects].tolist() == [list(tight_box(one.mask)) for one in own]


@given(scenes(), st.data())
@settings(max_examples=60, deadline=None)
def test_selecting_joining_and_gathering_keep_each_picture_s_objects(made, more):
    data, listed = made
    places = more.draw(st.lists(st.integers(0, len(data) - 1), max_size=6))
    chosen = data.select(places)
    for at, place in enumerate(places):
        assert np.array_equal(chosen.masks(at), data.masks(place))
    assert data.join(chosen).fingerprint == gather([data, chosen], SPEC).fingerprint
    whole = InstanceImages.of_instances(SPEC, data.join(chosen).images, listed + [listed[place] for place in places])
    assert data.join(chosen).fingerprint == whole.fingerprint


@pytest.mark.parametrize("kind", [AnnotationKind.MASK, AnnotationKind.BOXES, AnnotationKind.INSTANCES])
def test_saved_and_loaded_is_the_same(kind, tmp_path):
    data = as_kind(tiny_scenes(32, 40, 3), kind)
    data.save(tmp_path)
    loaded = load_dataset(tmp_path)
    assert loaded.fingerprint == data.fingerprint
    assert loaded.spec == data.spec
    assert isinstance(loaded.images, np.memmap)


def test_more_classes_than_a_byte_holds_cannot_be_painted():
    names = tuple(f"class {k}" for k in range(255))
    data = InstanceImages.of_instances(replace(SPEC, classes=names), PICTURE, [[]])
    with pytest.raises(DataError, match="255 classes and the background do not fit"):
        as_kind(data, AnnotationKind.MASK)


def test_objects_called_background_cannot_be_painted():
    spec = DatasetSpec("toy", AnnotationKind.INSTANCES, ("cat", "background"), 4, 4, 1)
    data = InstanceImages.of_instances(spec, np.zeros((1, 4, 4, 1), np.uint8), [[]])
    with pytest.raises(DataError, match=r"has a class of objects 'background'.*rename it"):
        as_kind(data, AnnotationKind.MASK)


def test_instances_serve_as_boxes_and_painted_as_masks():
    first, second = np.zeros((2, 6, 8), np.bool_)
    first[1:4, 1:5] = second[2:6, 3:8] = True
    crowd = np.zeros((6, 8), np.bool_)
    crowd[0, 0] = True
    listed = [[Instance(0, first), Instance(1, second), Instance(0, crowd, crowd=True)]]
    data = InstanceImages.of_instances(SPEC, PICTURE, listed)
    boxes = as_kind(data, AnnotationKind.BOXES)
    assert boxes.boxes.tolist() == [[1, 1, 5, 4], [3, 2, 8, 6], [0, 0, 1, 1]]
    assert boxes.spec.kind is AnnotationKind.BOXES
    masks = as_kind(data, AnnotationKind.MASK)
    assert masks.spec.classes == ("background", "a", "b")
    assert np.array_equal(masks.masks[0] == 2, second)
    assert np.array_equal(masks.masks[0] == 1, first & ~second)
    assert masks.masks[0, 0, 0] == IGNORED
    with pytest.raises(DataError, match="is annotated with boxes, instances is needed"):
        as_kind(boxes, AnnotationKind.INSTANCES)


def boxed(boxes, labels=None, crowd=None):
    labels = np.zeros(len(boxes), np.int64) if labels is None else labels
    return BoxedImages.of(BOXED, PICTURE, [np.array(boxes, np.float32)], [labels], crowd)


@pytest.mark.parametrize(
    "box", [(0, 0, 9, 3), (-1, 0, 3, 3), (3, 3, 3, 5), (4, 4, 2, 5), (0, 0, np.nan, 3), (0, 0, np.inf, 3)]
)
def test_a_box_that_is_empty_or_outside_is_refused(box):
    with pytest.raises(DataError, match="a box of picture 0 is"):
        boxed([(0, 0, 1, 1), box])


def test_other_rubbish_is_refused():
    with pytest.raises(DataError, match="labels run from 2 to 2, there are 2 classes"):
        boxed([(0, 0, 1, 1)], np.array([2]))
    with pytest.raises(DataError, match="the mask of picture 0 has the value 2, there are 2 classes"):
        SegmentedImages(MASKED, PICTURE, np.full((1, 6, 8), 2, np.uint8))
    SegmentedImages(MASKED, PICTURE, np.full((1, 6, 8), IGNORED, np.uint8))
    with pytest.raises(DataError, match="masks must be uint8"):
        SegmentedImages(MASKED, PICTURE, np.zeros((1, 6, 7), np.uint8))
    for mask in (np.zeros((6, 8), np.bool_), np.ones((5, 8), np.bool_)):
        with pytest.raises(DataError, match="a mask of picture 0 is empty or not 6x8"):
            InstanceImages.of_instances(SPEC, PICTURE, [[Instance(0, mask)]])
    with pytest.raises(DataError, match="cannot be joined"):
        boxed([(0, 0, 1, 1)]).join(as_kind(tiny_scenes(6, 8, 1), AnnotationKind.BOXES))


def test_a_number_of_samples_is_drawn_in_proportion_and_nested():
    strata = np.repeat([0, 1], [30, 10])
    few, rest = split_real(strata, fraction=None, samples=8, seed=1)
    more, _ = split_real(strata, fraction=None, samples=20, seed=1)
    assert np.bincount(strata[few]).tolist() == [6, 2]
    assert len(rest) == 32
    assert set(few) <= set(more)
    with pytest.raises(DataError, match="asks for 41 samples, there are 40"):
        split_real(strata, fraction=None, samples=41, seed=1)


def test_scenes_are_no_labelled_pictures():
    assert not isinstance(tiny_scenes(16, 16, 1), LabelledImages)
    assert tiny_scenes(16, 16, 1).strata().tolist() == [0] * 12
