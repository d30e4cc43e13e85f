"""Scenes are written in standard formats and read back as they were; and drawn, to be looked at."""

import json

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvbench.conformance import tiny_scenes
from cvbench.contracts import silent
from cvbench.datasets import as_kind
from cvbench.drawing import colour, drawn, scene_sheet
from cvbench.errors import UserError
from cvbench.formats import HOLDING, Format
from cvbench.generate import request_samples
from cvbench.readers import open_dataset
from cvbench.readers.findings import Findings
from cvbench.readers.objects import polygons_mask
from cvbench.samples import AnnotationKind, DatasetSpec
from cvbench.scenes import IGNORED, BoxedImages, Instance, InstanceImages, SegmentedImages, painted
from cvbench.writers import write_set
from cvbench.writers.outlines import outline

SIDE = 7


def read_back(folder, reader="", **options):
    """All pictures of a written set, by a hash of their pixels, with the number that they have there."""
    splits = open_dataset(reader, "", folder, {"test_fraction": 0.5, **options}, 0.0)
    return {
        digest: (part, place) for part in (splits.train, splits.test) for place, digest in enumerate(part.item_hashes())
    }


def assert_same(data, back):
    assert len(back) == len(data)
    for place, digest in enumerate(data.item_hashes()):
        part, there = back[digest]
        if isinstance(data, SegmentedImages):
            assert np.array_equal(part.masks[there], data.masks[place])
            continue
        mine, own = data.objects(place), part.objects(there)
        assert np.array_equal(part.boxes[own], data.boxes[mine])
        names = [part.spec.classes[label] for label in part.labels[own]]
        assert names == [data.spec.classes[label] for label in data.labels[mine]]
        assert np.array_equal(part.crowd[own], data.crowd[mine])
        if isinstance(data, InstanceImages):
            assert np.array_equal(part.masks(there), data.masks(place))


@st.composite
def instances(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count = draw(st.integers(2, 4))
    spec = DatasetSpec("made", AnnotationKind.INSTANCES, ("cat", "dog & <cow>"), SIDE, SIDE, 3)
    images = rng.integers(0, 256, (count, SIDE, SIDE, 3)).astype(np.uint8)
    scenes = []
    for place in range(count):
        owner = rng.integers(0, 4 if place else 3, (SIDE, SIDE)) * (rng.random((SIDE, SIDE)) < 0.7)
        masks = [owner == number for number in range(1, 4)]
        masks = [one for one in masks if one.any() and np.ptp(np.argwhere(one), axis=0).min() > 0]
        scenes.append([Instance(int(rng.integers(2)), one) for one in masks])
    return InstanceImages.of_instances(spec, images, scenes)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(instances())
def test_what_is_written_is_read_back(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("written")
    if not len(data.boxes):
        return
    for format in HOLDING["instances"]:
        write_set(data, folder / format, format=format, about={}, progress=silent)
    assert_same(data, read_back(folder / "coco"))
    assert_same(data, read_back(folder / "yolo"))
    assert_same(data, read_back(folder / "voc", annotation="instances"))
    objects = [(place, *box) for place in range(len(data)) for box in data.boxes[data.objects(place)].tolist()]
    if len(set(objects)) == len(objects):  # of equal boxes one is dropped
        assert_same(as_kind(data, AnnotationKind.BOXES), read_back(folder / "voc", annotation="boxes"))
    assert_same(painted(data), read_back(folder / "voc", annotation="mask"))
    assert_same(painted(data), read_back(folder / "masks"))


def test_boxes_between_pixels_and_crowds_are_read_back(tmp_path):
    spec = DatasetSpec("made", AnnotationKind.BOXES, ("cat", "dog"), 5, 9, 1)
    rng = np.random.default_rng(0)
    corners = np.sort(rng.random((12, 2, 2)) * (9, 5), axis=1).reshape(12, 4).astype(np.float32)
    labels = rng.integers(0, 2, 12)
    crowd = rng.random(12) < 0.3
    images = rng.integers(0, 256, (4, 5, 9, 1)).astype(np.uint8)
    cut = [slice(0, 5), slice(5, 5), slice(5, 6), slice(6, 12)]
    data = BoxedImages.of(spec, images, [corners[c] for c in cut], [labels[c] for c in cut], [crowd[c] for c in cut])
    for format in (Format.coco, Format.voc):
        write_set(data, tmp_path / format, format=format, about={}, progress=silent)
        back = read_back(tmp_path / format)
        for place, digest in enumerate(data.item_hashes()):
            part, there = back[digest]
            assert np.allclose(part.boxes[part.objects(there)], data.boxes[data.objects(place)], atol=1e-5)
            assert np.array_equal(part.crowd[part.objects(there)], data.crowd[data.objects(place)])
    write_set(data, tmp_path / "yolo", format=Format.yolo, about={}, progress=silent)
    back = read_back(tmp_path / "yolo")
    for place, digest in enumerate(data.item_hashes()):
        part, there = back[digest]
        single = ~data.crowd[data.objects(place)]
        assert np.allclose(part.boxes[part.objects(there)], data.boxes[data.objects(place)][single], atol=1e-4)
    lines = (tmp_path / "yolo" / "labels" / "000003.txt").read_text().splitlines()
    assert len(lines) == np.count_nonzero(~crowd[6:])


def test_masks_with_ignored_pixels_are_read_back(tmp_path):
    spec = DatasetSpec("made", AnnotationKind.MASK, ("sky", "road", "tree"), 6, 5, 3)
    rng = np.random.default_rng(0)
    masks = np.array([0, 1, 2, IGNORED], np.uint8)[rng.integers(0, 4, (4, 6, 5))]
    data = SegmentedImages(spec, rng.integers(0, 256, (4, 6, 5, 3)).astype(np.uint8), masks)
    for format in HOLDING["mask"]:
        write_set(data, tmp_path / format, format=format, about={"seed": 1}, progress=silent)
        assert_same(data, read_back(tmp_path / format))
    assert json.loads((tmp_path / "masks" / "about.json").read_text()) == {"seed": 1}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_an_outline_filled_again_is_the_mask(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random(tuple(rng.integers(1, 16, 2))) < rng.uniform(0.1, 0.95)
    mask[0, 0] |= not mask.any()
    points = outline(mask).astype(np.float64)
    assert np.array_equal(polygons_mask([points], *mask.shape, "", Findings(strict=True)), mask)


def test_a_format_that_cannot_hold_it_is_refused_and_nothing_is_left(tmp_path):
    data = as_kind(tiny_scenes(16, 16, 3), AnnotationKind.MASK)
    with pytest.raises(UserError, match="coco does not hold pictures with mask"):
        write_set(data, tmp_path / "made", format=Format.coco, about={}, progress=silent)
    crowded = np.zeros((255, 16, 16), bool)
    crowded.reshape(255, 256)[np.arange(255), np.arange(255)] = True
    spec = DatasetSpec("made", AnnotationKind.INSTANCES, ("dot",), 16, 16, 1)
    dots = InstanceImages.of_instances(spec, np.zeros((1, 16, 16, 1), np.uint8), [[Instance(0, m) for m in crowded]])
    with pytest.raises(UserError, match="has 255 instances, VOC's masks hold 254"):
        write_set(dots, tmp_path / "made", format=Format.voc, about={}, progress=silent)
    assert list(tmp_path.iterdir()) == []


def test_generate_writes_scenes_and_refuses_what_does_not_fit(tmp_path, cvbench):
    small = ("--data", "digit-scenes", "--data-option", "train=6", "--data-option", "test=2")
    said = cvbench("generate", "copy", *small, "--count", 4, "--out", tmp_path / "made", "--format", "yolo")
    assert said.code == 0, said.err
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        "about.json", "contact-sheet.png", "data.yaml", "images", "labels",
    ]  # fmt: skip
    content = yaml.safe_load((tmp_path / "made" / "data.yaml").read_text())
    assert content["train"] == content["val"] == "images"  # ultralytics asks for both
    asked = {"count": 4, "per_class": None, "seed": 0, "settings": [], "device": "cpu"}
    asked["data_options"] = ["train=2", "test=1"]
    with pytest.raises(UserError, match="'flow' makes pictures with label, 'digit-scenes' has instances"):
        request_samples("flow", "digit-scenes", **asked)
    with pytest.raises(UserError, match="--per-class: is for pictures with one class each"):
        request_samples("copy", "digit-scenes", **asked | {"count": None, "per_class": 4})


# ------------------------------------------------------------------------------------------ drawing


def test_masks_are_tinted_and_boxes_drawn_where_they_are():
    data = tiny_scenes(16, 16, 3)
    place = int(np.flatnonzero(np.diff(data.starts))[0])
    dark = InstanceImages(data.spec, np.zeros_like(data.images), *list(data.annotation().values()))
    picture = drawn(dark, place)
    assert picture.shape == (256, 256, 3)
    covered = np.repeat(np.repeat(data.masks(place)[0], 16, 0), 16, 1)
    half = np.round(np.array(colour(0)) / 2)
    x1, y1, x2, y2 = (data.boxes[data.objects(place)][0] * 16).astype(int)
    inside = np.zeros_like(covered)
    inside[y1 + 14 : y2 - 1, x1 + 1 : x2 - 1] = True  # below the name
    assert np.abs(picture[covered & inside].astype(int) - half).max() <= 1
    assert tuple(picture[y2 - 1, x1]) == colour(0)
    painted_on = drawn(as_kind(dark, AnnotationKind.MASK), place)
    ink = np.round(np.array(colour(int(data.labels[data.objects(place)][0]) + 1)) * 0.75)
    assert np.abs(painted_on[covered] - ink).max() <= 1
    assert not painted_on[~covered].any()  # the background is as it was


def test_a_sheet_has_real_rows_above_synthetic_ones():
    data = as_kind(tiny_scenes(16, 24, 1), AnnotationKind.BOXES)
    with_real, alone = scene_sheet(data, above=data), scene_sheet(data)
    assert with_real.height == alone.height * 3 // 2
    assert len({colour(number) for number in range(40)}) == 40
