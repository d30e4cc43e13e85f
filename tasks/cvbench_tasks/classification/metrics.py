"""The one ruler of classification: class probabilities and true classes in, scores out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cvbench.contracts import Scores
from cvbench.errors import PluginError
from cvbench.samples import Dataset, FloatArray, IntArray, labelled

CALIBRATION_BINS = 15


def score(predictions: Iterable[Any], truth: Dataset) -> Scores:
    """Scores of (n, K) probability arrays that together cover the N test pictures in order.

    With fewer than five classes top-5 is 1 by definition. Ties between classes go to the lower index.
    Raises :class:`PluginError` for predictions of a wrong shape or count, or NaN.
    """
    labels, classes = labelled(truth).labels, truth.spec.classes
    probabilities = _gathered(predictions, len(labels), len(classes))
    ranks = np.argsort(-probabilities, axis=1, kind="stable")
    top1 = (ranks[:, 0] == labels).astype(np.float64)
    top5 = (ranks[:, :5] == labels[:, None]).any(axis=1).astype(np.float64)
    recall, f1 = recall_and_f1(ranks[:, 0], labels, len(classes))
    return Scores(
        values={
            "top1": float(top1.mean()),
            "top5": float(top5.mean()),
            "macro_f1": float(np.nanmean(f1)),
            "ece": expected_calibration_error(probabilities.max(axis=1), top1),
        },
        per_item={"top1": top1, "top5": top5},
        per_class={"recall": dict(zip(classes, recall.tolist(), strict=True))},
    )


def recall_and_f1(guesses: IntArray, labels: IntArray, classes: int) -> tuple[FloatArray, FloatArray]:
    """(K,) recall and F1 per class. NaN where a class is neither true nor guessed (recall: where not true)."""
    hits = np.bincount(labels[guesses == labels], minlength=classes).astype(np.float64)
    true, guessed = np.bincount(labels, minlength=classes), np.bincount(guesses, minlength=classes)
    with np.errstate(invalid="ignore", divide="ignore"):
        return hits / true, 2 * hits / (true + guessed)


def expected_calibration_error(confidence: FloatArray, correct: FloatArray) -> float:
    """Mean distance of confidence from accuracy over equal-width bins (Guo et al., arXiv 1706.04599, eq. 3)."""
    bins = np.clip(np.ceil(confidence * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    sums = [np.bincount(bins, weights, minlength=CALIBRATION_BINS) for weights in (confidence, correct)]
    return float(np.abs(sums[0] - sums[1]).sum() / len(confidence))


def _gathered(predictions: Iterable[Any], items: int, classes: int) -> FloatArray:
    parts = [np.asarray(part, dtype=np.float64) for part in predictions]
    if any(part.ndim != 2 or part.shape[1] != classes for part in parts):
        shapes = sorted({str(part.shape) for part in parts})
        raise PluginError(f"predictions must be (n, {classes}) probabilities, not {', '.join(shapes)}")
    whole = np.concatenate([np.zeros((0, classes)), *parts])
    if len(whole) != items:
        raise PluginError(f"{len(whole)} predictions for {items} test pictures")
    if not np.isfinite(whole).all():
        raise PluginError("predictions are NaN or infinite")
    return whole
