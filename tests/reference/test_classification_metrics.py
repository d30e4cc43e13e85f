"""The classification metrics held against scikit-learn and torchmetrics on the same predictions."""

import numpy as np
import pytest
import torch
from cvbench_tasks.classification.metrics import score
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from torchmetrics.functional.classification import multiclass_calibration_error

from cvbench.errors import PluginError
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages


def truth(labels: np.ndarray, classes: int) -> LabelledImages:
    spec = DatasetSpec("toy", AnnotationKind.LABEL, tuple(map(str, range(classes))), 1, 1, 1)
    return LabelledImages(spec, np.zeros((len(labels), 1, 1, 1), np.uint8), labels.astype(np.int64))


@settings(deadline=None, max_examples=60)
@given(st.integers(2, 12), st.integers(1, 80), st.integers(0, 2**31))
def test_scores_are_the_reference_implementations(classes, count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(0, 2, (count, classes))
    logits[np.arange(count), labels] += rng.normal(1, 1, count)
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    half = count // 2
    ours = score([probabilities[:half], probabilities[half:]], truth(labels, classes))
    guesses = probabilities.argmax(1)

    assert ours.values["top1"] == pytest.approx(sk.accuracy_score(labels, guesses))
    if classes > 5:
        every = sk.top_k_accuracy_score(labels, probabilities, k=5, labels=range(classes))
        assert ours.values["top5"] == pytest.approx(every)
    else:
        assert ours.values["top5"] == 1
    assert ours.values["macro_f1"] == pytest.approx(sk.f1_score(labels, guesses, average="macro"))
    recalls = sk.recall_score(labels, guesses, average=None, labels=range(classes), zero_division=np.nan)
    assert list(ours.per_class["recall"].values()) == pytest.approx(list(recalls), nan_ok=True)
    reference = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), num_classes=classes, n_bins=15, norm="l1"
    )
    assert ours.values["ece"] == pytest.approx(float(reference), abs=1e-5)
    for name, items in ours.per_item.items():
        assert items.mean() == pytest.approx(ours.values[name])


@pytest.mark.parametrize(
    ("predictions", "words"),
    [
        ([np.ones((3, 2)) / 2], "3 predictions for 4"),
        ([np.ones((4, 3)) / 3], "must be"),
        ([np.ones(4)], "must be"),
        ([np.full((4, 2), np.nan)], "NaN"),
        ([], "0 predictions"),
    ],
)
def test_rubbish_predictions_are_refused_in_one_line(predictions, words):
    with pytest.raises(PluginError, match=words):
        score(predictions, truth(np.array([0, 1, 0, 1]), 2))
