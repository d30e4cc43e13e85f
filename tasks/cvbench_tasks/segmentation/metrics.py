"""The one ruler of segmentation: predicted masks and true masks in, scores out. Ignored pixels count nowhere."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np

from cvbench.contracts import Scores
from cvbench.errors import PluginError
from cvbench.samples import BoolArray, Dataset, FloatArray, IntArray, UInt8Array
from cvbench.scenes import IGNORED, SegmentedImages, segmented

BOUNDARY = 0.02  # of a picture's diagonal: how far inside an outline its band reaches (arXiv 2103.16562)


def score(predictions: Iterable[Any], truth: Dataset) -> Scores:
    """Scores of integer (n, H, W) masks that together cover the N test pictures in order.

    Averages over classes leave out those that neither truth nor prediction has. A picture without an annotated pixel
    counts as 1 in ``mIoU_image``, whatever the model. Per item, ``pixel_accuracy`` is a picture's right pixels as a
    share of what a picture has on average, so that the mean over pictures is the share of all pixels.
    Raises :class:`PluginError` for predictions of a wrong shape, type or count, or of classes that there are not.
    """
    data = segmented(truth)
    names = data.spec.classes
    per_image, bands = [], np.zeros((2, len(names)), np.int64)
    for guesses, masks in _in_pairs(predictions, data):
        per_image.append(confusions(guesses, masks, len(names)))
        bands += boundary_overlaps(guesses, masks, len(names))
    confusion = np.concatenate([np.zeros((0, len(names), len(names)), np.int64), *per_image])
    whole = confusion.sum(axis=0)
    each = {"iou": iou(whole), "dice": dice(whole), "boundary_iou": _ratio(bands[0], bands[1])}
    pixels = max(1, int(whole.sum()))
    hits = np.trace(confusion, axis1=1, axis2=2) * (len(data) / pixels)
    of_images = _mean(iou(confusion), none=1.0)
    return Scores(
        values={
            "mIoU": float(_mean(each["iou"])),
            "mIoU_image": float(of_images.mean()),
            "pixel_accuracy": float(np.trace(whole) / pixels),
            "dice": float(_mean(each["dice"])),
            "boundary_iou": float(_mean(each["boundary_iou"])),
        },
        per_item={"mIoU_image": of_images, "pixel_accuracy": hits},
        per_class={metric: dict(zip(names, scores.tolist(), strict=True)) for metric, scores in each.items()},
    )


def confusions(guesses: UInt8Array, masks: UInt8Array, classes: int) -> IntArray:
    """(n, K, K) pixels of each picture by true and predicted class."""
    counted = masks != IGNORED
    codes = (np.nonzero(counted)[0] * classes + masks[counted]) * classes + guesses[counted]
    counts = np.bincount(codes, minlength=len(masks) * classes**2)
    return counts.reshape(len(masks), classes, classes).astype(np.int64)


def iou(confusion: IntArray) -> FloatArray:
    """(…, K, K) → (…, K) intersection over union, NaN for a class that neither truth nor prediction has."""
    hits, true, guessed = _counts(confusion)
    return _ratio(hits, true + guessed - hits)


def dice(confusion: IntArray) -> FloatArray:
    """(…, K, K) → (…, K) Dice coefficient, NaN for a class that neither truth nor prediction has."""
    hits, true, guessed = _counts(confusion)
    return _ratio(2 * hits, true + guessed)


def boundary_overlaps(guesses: UInt8Array, masks: UInt8Array, classes: int) -> IntArray:
    """(2, K) pixels in the intersection and in the union of true and predicted bands, over all pictures.

    A class's band is its pixels that are within 2 % of the picture's diagonal from its outline or the picture's edge
    (Cheng et al., arXiv 2103.16562). Ignored pixels are outside every class, in truth and prediction alike.
    """
    height, width = masks.shape[1:]
    reach = max(1, round(BOUNDARY * math.hypot(height, width)))
    found = np.zeros((2, classes), np.int64)
    for guess, mask in zip(np.where(masks == IGNORED, IGNORED, guesses), masks, strict=True):
        for label in np.union1d(guess, mask):
            if label != IGNORED:
                ours, theirs = _band(guess == label, reach), _band(mask == label, reach)
                found[:, label] += np.count_nonzero(ours & theirs), np.count_nonzero(ours | theirs)
    return found


def _band(region: BoolArray, reach: int) -> BoolArray:
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    inner = cv2.erode(region.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    outer: BoolArray = region & (np.asarray(inner) == 0)
    return outer


def _counts(confusion: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    return np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1), confusion.sum(axis=-2)


def _ratio(part: IntArray, whole: IntArray) -> FloatArray:
    ratio: FloatArray = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return ratio


def _mean(scores: FloatArray, none: float = math.nan) -> FloatArray:
    """(…, K) → (…): the mean over the classes that have a score, ``none`` where there is no such class."""
    there = np.isfinite(scores)
    count = there.sum(axis=-1)
    return np.where(count, np.where(there, scores, 0).sum(axis=-1) / np.maximum(count, 1), none)


def _in_pairs(predictions: Iterable[Any], truth: SegmentedImages) -> Iterator[tuple[UInt8Array, UInt8Array]]:
    """Predicted and true masks, chunk by chunk, checked."""
    done, (height, width), classes = 0, truth.masks.shape[1:], len(truth.spec.classes)
    for part in predictions:
        guesses = np.asarray(part)
        if guesses.ndim != 3 or guesses.shape[1:] != (height, width) or guesses.dtype.kind not in "iu":
            raise PluginError(
                f"predictions must be integer (n, {height}, {width}) masks, not {guesses.dtype} {guesses.shape}"
            )
        if guesses.size and not (guesses.min() >= 0 and guesses.max() < classes):
            raise PluginError(f"predictions run from {guesses.min()} to {guesses.max()}, there are {classes} classes")
        if done + len(guesses) > len(truth):
            raise PluginError(f"more predictions than the {len(truth)} test pictures")
        yield guesses.astype(np.uint8), np.asarray(truth.masks[done : done + len(guesses)])
        done += len(guesses)
    if done != len(truth):
        raise PluginError(f"{done} predictions for {len(truth)} test pictures")
