"""The segmentation metrics held against torchmetrics, and boundary IoU against its paper's definition."""

import math

import numpy as np
import pytest
import torch
from cvbench_tasks.segmentation.metrics import boundary_overlaps, score
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_cdt
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score, multiclass_jaccard_index

from cvbench.errors import PluginError
from cvbench.samples import AnnotationKind, DatasetSpec
from cvbench.scenes import IGNORED, SegmentedImages


def truth(masks: np.ndarray, classes: int) -> SegmentedImages:
    spec = DatasetSpec("toy", AnnotationKind.MASK, tuple(map(str, range(classes))), *masks.shape[1:], 1)
    return SegmentedImages(spec, np.zeros((*masks.shape, 1), np.uint8), masks)


def drawn(seed: int, classes: int, count: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Blocky masks, some of it void, some classes absent, and predictions that are right in most places."""
    rng = np.random.default_rng(seed)
    present = rng.permutation(classes)[: rng.integers(1, classes + 1)]
    coarse = present[rng.integers(0, len(present), (count, -(-height // 3), -(-width // 3)))]
    masks = coarse.repeat(3, 1).repeat(3, 2)[:, :height, :width].astype(np.uint8)
    wrong = rng.integers(0, classes, masks.shape)
    guesses = np.where(rng.random(masks.shape) < 0.3, wrong, masks).astype(np.uint8)
    masks[rng.random(masks.shape) < 0.1] = IGNORED
    masks[0, 0, 0] = present[0]
    return masks, guesses


DRAWN = (st.integers(0, 2**31), st.integers(2, 7), st.integers(1, 5), st.integers(3, 14), st.integers(3, 14))


@settings(deadline=None, max_examples=50)
@given(*DRAWN)
def test_scores_are_the_reference_implementations(seed, classes, count, height, width):
    masks, guesses = drawn(seed, classes, count, height, width)
    half = count // 2
    ours = score([guesses[:half], guesses[half:]], truth(masks, classes))
    flat = torch.from_numpy(guesses.astype(np.int64)), torch.from_numpy(masks.astype(np.int64))
    asked = {"num_classes": classes, "ignore_index": IGNORED}

    assert ours.values["mIoU"] == pytest.approx(float(multiclass_jaccard_index(*flat, **asked)), abs=1e-6)
    assert ours.values["dice"] == pytest.approx(float(multiclass_f1_score(*flat, average="macro", **asked)), abs=1e-6)
    accuracy = float(multiclass_accuracy(*flat, average="micro", **asked))
    assert ours.values["pixel_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    each = multiclass_jaccard_index(*flat, average="none", **asked).numpy()
    found = np.array(list(ours.per_class["iou"].values()))
    assert np.nan_to_num(found) == pytest.approx(np.nan_to_num(each), abs=1e-6)
    of_images = [
        float(multiclass_jaccard_index(guess, mask, **asked)) if (mask != IGNORED).any() else 1.0
        for guess, mask in zip(*flat, strict=True)
    ]
    assert ours.per_item["mIoU_image"] == pytest.approx(of_images, abs=1e-6)
    for name, items in ours.per_item.items():
        assert items.mean() == pytest.approx(ours.values[name])


def band(region: np.ndarray, reach: int) -> np.ndarray:
    """Pixels of the region within ``reach`` (chessboard) of what is not it, the outside of the picture included."""
    return region & (distance_transform_cdt(np.pad(region, 1), "chessboard")[1:-1, 1:-1] <= reach)


@settings(deadline=None, max_examples=50)
@given(*DRAWN)
def test_boundary_overlaps_are_the_papers(seed, classes, count, height, width):
    masks, guesses = drawn(seed, classes, count, 4 * height, 4 * width)
    reach = max(1, round(0.02 * math.hypot(4 * height, 4 * width)))
    found = boundary_overlaps(guesses, masks, classes)
    seen = np.where(masks == IGNORED, IGNORED, guesses)
    for label in range(classes):
        pairs = [(band(a == label, reach), band(b == label, reach)) for a, b in zip(seen, masks, strict=True)]
        assert found[0, label] == sum((a & b).sum() for a, b in pairs)
        assert found[1, label] == sum((a | b).sum() for a, b in pairs)


@settings(deadline=None, max_examples=30)
@given(*DRAWN)
def test_what_must_hold_of_any_masks(seed, classes, count, height, width):
    masks, guesses = drawn(seed, classes, count, height, width)
    data = truth(masks, classes)
    right = score([np.where(masks == IGNORED, 0, masks)], data)
    assert set(right.values.values()) == {1.0}
    ours = score([guesses], data)
    assert all(0 <= value <= 1 for value in ours.values.values())
    assert ours.values["mIoU"] <= ours.values["dice"] + 1e-12
    elsewhere = np.where(masks == IGNORED, (guesses + 1) % classes, guesses)
    assert score([elsewhere], data).values == ours.values
    order = np.random.default_rng(seed).permutation(classes)
    renamed = np.where(masks == IGNORED, IGNORED, order[np.minimum(masks, classes - 1)]).astype(np.uint8)
    again = score([order[guesses].astype(np.uint8)], truth(renamed, classes))
    assert again.values == pytest.approx(ours.values)


def test_a_band_of_two_pixels_at_100_pixels_of_diagonal():
    mask, guess = np.zeros((1, 60, 80), np.uint8), np.zeros((1, 60, 80), np.uint8)
    mask[0, 20:40, 20:40] = 1
    guess[0, 20:40, 20:41] = 1
    ring = 20 * 20 - 16 * 16
    wider = 20 * 21 - 16 * 17
    common = ring - 16  # the columns 38 and 39 against 39 and 40, without the corners that both rows' bands share
    assert boundary_overlaps(guess, mask, 2)[:, 1].tolist() == [common, ring + wider - common]


@pytest.mark.parametrize(
    ("predictions", "words"),
    [
        ([np.zeros((3, 4, 4), np.uint8)], "3 predictions for 4"),
        ([np.zeros((5, 4, 4), np.uint8)], "more predictions than the 4"),
        ([np.zeros((4, 4, 5), np.uint8)], "must be integer \\(n, 4, 4\\) masks"),
        ([np.zeros((4, 4, 4))], "must be integer"),
        ([np.full((4, 4, 4), 2)], "run from 2 to 2, there are 2 classes"),
        ([np.full((4, 4, 4), -1)], "run from -1"),
        ([], "0 predictions"),
    ],
)
def test_rubbish_predictions_are_refused_in_one_line(predictions, words):
    with pytest.raises(PluginError, match=words):
        score(predictions, truth(np.zeros((4, 4, 4), np.uint8), 2))
