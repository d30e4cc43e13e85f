"""The classifier two-sample test: can a classifier tell synthetic features from real ones?

Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", arXiv 1610.06545, section 3.
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cvbench.fidelity.features import Estimate, checked

ITERATIONS = 200


def c2st(real: npt.ArrayLike, synthetic: npt.ArrayLike, *, seed: int) -> Estimate:
    """Balanced accuracy, on the held-out half, of a logistic regression that tells float (N, D) from (M, D).

    0.5: it cannot; 1: always. The standard error is that of a classifier that guesses.
    Raises :class:`~cvbench.errors.DataError` for bad features, ``NotApplicable`` below four rows.
    """
    first, second = checked(real, synthetic, least=4)
    features = np.concatenate([first, second])
    is_synthetic = np.repeat([0, 1], [len(first), len(second)])
    seen, unseen, truth_seen, truth_unseen = train_test_split(
        features, is_synthetic, test_size=0.5, stratify=is_synthetic, random_state=seed % 2**32
    )
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS, class_weight="balanced"))
    with warnings.catch_warnings():  # sets that a plane parts have no best plane: the accuracy is 1 all the same
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(seen, truth_seen)
    accuracy = balanced_accuracy_score(truth_unseen, classifier.predict(unseen))
    return Estimate(float(accuracy), 0.5 / np.sqrt(len(unseen)))
