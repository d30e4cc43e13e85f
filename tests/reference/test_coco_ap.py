"""COCO's average precision: the same predictions scored to equality by pycocotools."""

import contextlib
import copy
import io
from dataclasses import replace

import numpy as np
import pytest
from cvbench_tasks.detection.coco_ap import ground_truth, results, score
from cvbench_tasks.detection.detections import Detections
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from cvbench.conformance import tiny_scenes
from cvbench.datasets import as_kind
from cvbench.errors import DataError, PluginError
from cvbench.samples import AnnotationKind, DatasetSpec
from cvbench.scenes import BoxedImages, Instance, InstanceImages

SIDE = 130  # so that all three of COCO's sizes occur


def rectangle(rng) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    height, width = rng.integers(4, SIDE, 2)
    top, left = rng.integers(0, SIDE - height + 1), rng.integers(0, SIDE - width + 1)
    mask[top : top + height, left : left + width] = rng.random((height, width)) < 0.9
    mask[top, left] = True
    return mask


def scenes(rng, classes: int) -> InstanceImages:
    spec = DatasetSpec("toy", AnnotationKind.INSTANCES, tuple(map(str, range(classes))), SIDE, SIDE, 1)
    listed = [
        [
            Instance(int(rng.integers(classes)), rectangle(rng), crowd=bool(rng.random() < 0.15))
            for _ in range(rng.integers(0, 5))
        ]
        for _ in range(rng.integers(1, 5))
    ]
    listed[0].append(Instance(0, rectangle(rng)))
    return InstanceImages.of_instances(spec, np.zeros((len(listed), SIDE, SIDE, 1), np.uint8), listed)


def guesses(rng, truth: InstanceImages) -> list[Detections]:
    """The truth shifted, some of it missing, some of the wrong class, and some out of the blue."""
    found = []
    for place in range(len(truth)):
        own = truth.objects(place)
        masks = [np.roll(mask, rng.integers(-6, 7, 2), (0, 1)) for mask in truth.masks(place) if rng.random() < 0.8]
        masks += [rectangle(rng) for _ in range(rng.integers(0, 3))]
        labels = np.append(truth.labels[own], rng.integers(0, len(truth.spec.classes), 9))[: len(masks)]
        columns, rows = [mask.any(0).nonzero()[0] for mask in masks], [mask.any(1).nonzero()[0] for mask in masks]
        boxes = [(c[0], r[0], c[-1] + 1, r[-1] + 1) for c, r in zip(columns, rows, strict=True)]
        found.append(
            Detections(
                np.array(boxes, np.float32).reshape(-1, 4),
                np.round(rng.random(len(masks)), 1).astype(np.float32),  # with ties
                labels.astype(np.int64),
                np.array(masks, np.bool_).reshape(-1, SIDE, SIDE),
            )
        )
    return found


def reference(truth, found, masks: bool) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        objects = COCO()
        objects.dataset = copy.deepcopy(ground_truth(truth, masks=masks))
        objects.createIndex()
        listed = results(found, truth, masks=masks)
        judge = COCOeval(objects, objects.loadRes(listed), "segm" if masks else "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.integers(1, 3), st.booleans())
def test_scores_are_pycocotools(seed, classes, masks):
    rng = np.random.default_rng(seed)
    truth = scenes(rng, classes)
    found = guesses(rng, truth)
    if not any(len(one.boxes) for one in found):  # pycocotools cannot read an empty result
        return
    ours, theirs = score(found, truth, masks=masks), reference(truth, found, masks)
    expected = dict(zip(("mAP50-95", "mAP50", "mAP75", "small", "medium", "large"), theirs.stats, strict=False))
    expected["AR100"] = theirs.stats[8]
    sizes = ours.per_class["mAP50-95 by size"]
    for name, value in expected.items():
        own = ours.values[name] if name in ours.values else sizes[name]
        assert (np.isnan(own) and value == -1) or own == pytest.approx(value, abs=1e-9), name
    by_class = theirs.eval["precision"][:, :, :, 0, -1]
    for k, name in enumerate(truth.spec.classes):
        own, value = ours.per_class["mAP50-95"][name], by_class[:, :, k].mean()
        assert (np.isnan(own) and value == -1) or own == pytest.approx(value, abs=1e-9)


def test_a_class_is_not_crowded_out_by_another():
    """COCO's limit of 100 detections is per picture and class."""
    truth = scenes(np.random.default_rng(3), 2).select([0])
    box = np.array([[2, 2, 12, 12]], np.float32)
    one = BoxedImages.of(replace(truth.spec, kind=AnnotationKind.BOXES), truth.images, [box], [np.array([1])])
    boxes = np.concatenate([np.repeat(box + 30, 150, axis=0), box])
    scores = np.array([0.9] * 150 + [0.8], np.float32)
    found = [Detections(boxes, scores, np.array([0] * 150 + [1]))]
    ours, theirs = score(found, one, masks=False), reference(one, found, masks=False)
    assert ours.values["mAP50-95"] == pytest.approx(theirs.stats[0])
    assert ours.values["mAP50-95"] == pytest.approx(1)


def exactly(truth: InstanceImages) -> list[Detections]:
    return [
        Detections(
            truth.boxes[truth.objects(i)],
            np.ones(len(truth.labels[truth.objects(i)]), np.float32),
            truth.labels[truth.objects(i)],
            truth.masks(i),
        )
        for i in range(len(truth))
    ]


@pytest.mark.parametrize("masks", [False, True])
def test_the_truth_scores_one_and_nothing_scores_zero(masks):
    truth = tiny_scenes(40, 48, 1)
    assert set(score(exactly(truth), truth, masks=masks).values.values()) == {1.0}
    none = Detections(
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.int64),
        np.zeros((0, 40, 48), np.bool_),
    )
    nothing = score([none] * len(truth), truth, masks=masks)
    assert set(nothing.values.values()) == {0.0}
    assert np.isnan(nothing.per_class["mAP50-95 by size"]["large"])


def test_a_crowd_is_neither_a_hit_nor_a_miss():
    whole, part = np.zeros((2, SIDE, SIDE), np.bool_)
    whole[10:60, 10:60] = True
    part[70:100, 70:100] = True
    spec = DatasetSpec("toy", AnnotationKind.INSTANCES, ("a",), SIDE, SIDE, 1)
    picture = np.zeros((1, SIDE, SIDE, 1), np.uint8)
    truth = InstanceImages.of_instances(spec, picture, [[Instance(0, whole), Instance(0, part, crowd=True)]])
    boxes = np.array([[70, 70, 90, 90], [10, 10, 60, 60]], np.float32)
    found = [Detections(boxes, np.array([0.9, 0.8], np.float32), np.zeros(2, np.int64))]
    assert score(found, truth, masks=False).values["mAP50-95"] == 1


def boxed(boxes=((1, 1, 5, 5),), scores=(0.5,), labels=(0,), masks=None) -> Detections:
    return Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(labels, np.int64), masks)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (boxed(boxes=((1, 1, 5),)), "must be"),
        (boxed(scores=(0.5, 0.6)), "must be"),
        (boxed(boxes=((1, 1, np.nan, 5),)), "NaN"),
        (boxed(labels=(2,)), "found classes from 2 to 2, there are 2 classes"),
        (boxed(), "masks of a picture must be"),
        (boxed(masks=np.zeros((1, 4, 4), np.bool_)), "masks of a picture must be"),
        (np.zeros((1, 6)), "must be Detections"),
    ],
)
def test_rubbish_predictions_are_refused_in_one_line(bad, words):
    truth = tiny_scenes(40, 48, 1, count=1)
    with pytest.raises(PluginError, match=words):
        score([bad], truth, masks=True)


def test_a_wrong_number_of_predictions_and_a_test_split_without_objects_are_refused():
    truth = as_kind(tiny_scenes(40, 48, 1), AnnotationKind.BOXES)
    with pytest.raises(PluginError, match="1 predictions for 12 test pictures"):
        score([boxed()], truth, masks=False)
    with pytest.raises(DataError, match="no object to be found"):
        score([boxed()], truth.select([0]), masks=False)
