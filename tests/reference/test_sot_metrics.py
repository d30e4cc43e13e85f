"""Single-object tracking's metrics against the formulas of the OTB and GOT-10k toolkits, in their own way."""

import numpy as np
import pytest
from cvbench_tasks.sot.boxes import overlaps
from cvbench_tasks.sot.metrics import clip_scores
from cvbench_tasks.sot.sequences import Truth
from hypothesis import given, settings
from hypothesis import strategies as st

# ------------------------------------------------------------------- the toolkits' formulas, x, y, width, height


def rect_iou(rects1, rects2, bound=None):
    """got10k.utils.metrics.rect_iou and _intersection; ``bound`` (width, height) is given by ExperimentGOT10k alone."""
    if bound is not None:
        rects1, rects2 = rects1.copy(), rects2.copy()
        for rects in (rects1, rects2):
            for side in (0, 1):
                rects[:, side] = np.clip(rects[:, side], 0, bound[side])
                rects[:, 2 + side] = np.clip(rects[:, 2 + side], 0, bound[side] - rects[:, side])
    x1, y1 = np.maximum(rects1[:, 0], rects2[:, 0]), np.maximum(rects1[:, 1], rects2[:, 1])
    x2 = np.minimum(rects1[:, 0] + rects1[:, 2], rects2[:, 0] + rects2[:, 2])
    y2 = np.minimum(rects1[:, 1] + rects1[:, 3], rects2[:, 1] + rects2[:, 3])
    inter = np.maximum(x2 - x1, 0) * np.maximum(y2 - y1, 0)
    union = rects1[:, 2] * rects1[:, 3] + rects2[:, 2] * rects2[:, 3] - inter
    return np.clip(inter / (union + np.finfo(float).eps), 0, 1)


def center_error(rects1, rects2):
    """got10k.utils.metrics.center_error: pixels are counted, so that a box of width 1 has its centre at x."""
    c1, c2 = (rects[:, :2] + (rects[:, 2:] - 1) / 2 for rects in (rects1, rects2))
    return np.sqrt(np.sum(np.power(c1 - c2, 2), axis=1))


def normalized_center_error(rects1, rects2):
    """got10k.utils.metrics.normalized_center_error."""
    c1, c2 = (rects[:, :2] + (rects[:, 2:] - 1) / 2 for rects in (rects1, rects2))
    return np.sqrt(np.sum(np.power((c1 - c2) / np.maximum(np.finfo(float).eps, rects2[:, 2:]), 2), axis=1))


FRAME = (240, 200)  # height, width


def reference(boxes, truth):
    """ExperimentOTB, ExperimentLaSOT and ExperimentGOT10k of the toolkit, for one sequence."""
    valid = [place for place in range(len(boxes)) if truth.present[place]]
    found, true = (np.array([[b[0], b[1], b[2] - b[0], b[3] - b[1]] for b in of[valid]]) for of in (boxes, truth.boxes))
    ious, errors, shares = rect_iou(found, true), center_error(found, true), normalized_center_error(found, true)
    bounded = rect_iou(found, true, bound=FRAME[::-1])[1:]
    succ_curve = np.mean(np.greater(ious[:, None], np.linspace(0, 1, 21)[None, :]), axis=0)
    prec_curve = np.mean(np.less_equal(errors[:, None], np.arange(0, 51)[None, :]), axis=0)
    norm_prec_curve = np.mean(np.less_equal(shares[:, None], np.linspace(0, 0.5, 51)[None, :]), axis=0)
    lost, failures = False, 0
    for iou in ious:
        failures += iou == 0 and not lost
        lost = iou == 0
    return {
        "success": np.mean(succ_curve),
        "precision": prec_curve[20],
        "normalised_precision": np.mean(norm_prec_curve),
        "AO": np.mean(bounded),
        "SR0.5": np.mean(bounded > 0.5),
        "SR0.75": np.mean(bounded > 0.75),
        "failures": failures,
    }


def sequence(seed, length=60, absent=0.2, off=10.0):
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 200, (length, 2)), rng.uniform(8, 90, (length, 2))
    true = np.hstack([corner, corner + size])
    boxes = true + rng.normal(0, off, (length, 1)) + rng.normal(0, 2, (length, 4))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    boxes[0] = true[0]
    present = rng.random(length) >= absent
    present[:2] = True
    return boxes, Truth(np.where(present[:, None], true, np.nan), present)


@pytest.mark.parametrize("seed", range(20))
def test_every_metric_is_the_toolkits(seed):
    boxes, truth = sequence(seed, off=3.0 * seed, absent=0.04 * seed)
    assert clip_scores(boxes, truth, FRAME) == pytest.approx(reference(boxes, truth), abs=1e-12)


# ------------------------------------------------------------------------------------------ by hand

STILL = np.array([[10.0, 10, 30, 50]] * 5)
EVERYWHERE = np.ones(5, bool)


def test_a_perfect_track():
    scores = clip_scores(STILL, Truth(STILL, EVERYWHERE), FRAME)
    assert scores.pop("success") == pytest.approx(20 / 21)  # OTB: no overlap is above 1
    assert scores.pop("failures") == 0
    assert set(scores.values()) == {1.0}


def test_got10k_does_not_look_beyond_the_frame():
    true = np.array([[180.0, 10, 200, 30]] * 3)
    beyond = true + np.array([0, 0, 20, 0])
    scores = clip_scores(beyond, Truth(true, np.ones(3, bool)), FRAME)
    assert (scores["AO"], scores["SR0.75"]) == (1, 1)
    assert scores["success"] == pytest.approx(10 / 21)


def test_half_an_overlap_is_not_above_half():
    off = STILL.copy()
    off[1:, 3] = 30  # half the height: overlap 1/2, the centre 10 pixels off, a quarter of the height
    scores = clip_scores(off, Truth(STILL, EVERYWHERE), FRAME)
    assert scores["AO"] == 0.5
    assert scores["SR0.5"] == 0
    assert scores["success"] == pytest.approx((20 + 4 * 10) / 5 / 21)
    assert scores["precision"] == 1
    assert scores["normalised_precision"] == pytest.approx((1 + 4 * 26 / 51) / 5)


def test_absent_frames_are_left_out_of_everything():
    off = STILL.copy()
    off[2] += 1000
    present = EVERYWHERE.copy()
    present[2] = False
    truth = np.where(present[:, None], STILL, np.nan)
    assert clip_scores(off, Truth(truth, present), FRAME) == clip_scores(STILL, Truth(STILL, EVERYWHERE), FRAME)


@pytest.mark.parametrize(("lost", "failures"), [((), 0), ((1,), 1), ((1, 2, 3, 4), 1), ((1, 3), 2), ((4,), 1)])
def test_a_failure_is_a_fall_to_no_overlap(lost, failures):
    off = STILL.copy()
    off[list(lost)] += 1000
    assert clip_scores(off, Truth(STILL, EVERYWHERE), FRAME)["failures"] == failures


# --------------------------------------------------------------------------------------- properties

SIDES = st.floats(1, 100)
BOXES = st.tuples(st.floats(-50, 200), st.floats(-50, 200), SIDES, SIDES).map(
    lambda b: np.array([b[0], b[1], b[0] + b[2], b[1] + b[3]])
)


@given(BOXES, BOXES, st.floats(0.1, 10), st.floats(-100, 100))
@settings(deadline=None, max_examples=60)
def test_overlap_is_symmetrical_and_blind_to_scale_and_place(a, b, scale, shift):
    assert 0 <= overlaps(a, b) <= 1
    assert overlaps(a, b) == pytest.approx(overlaps(b, a))
    assert overlaps(a * scale + shift, b * scale + shift) == pytest.approx(overlaps(a, b), abs=1e-6)
    assert overlaps(a, a) == pytest.approx(1)


@given(st.integers(0, 10_000), st.floats(0, 40))
@settings(deadline=None, max_examples=40)
def test_scores_stay_in_range_and_order(seed, off):
    boxes, truth = sequence(seed, length=12, off=off)
    scores = clip_scores(boxes, truth, FRAME)
    assert all(0 <= value <= 1 for name, value in scores.items() if name != "failures")
    assert scores["SR0.75"] <= scores["SR0.5"]
    assert scores["SR0.5"] / 2 <= scores["AO"] <= 0.5 + scores["SR0.5"] / 2
    assert 0 <= scores["failures"] <= len(boxes) / 2
    nearer = (boxes + np.nan_to_num(truth.boxes, nan=0)) / 2
    nearer[~truth.present] = boxes[~truth.present]
    assert clip_scores(nearer, truth, FRAME)["precision"] >= scores["precision"]
