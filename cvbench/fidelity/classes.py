"""What a classifier of real pictures sees in the synthetic ones: right labels, all modes, the real proportions.

Functions of class probabilities, float (N, K) with rows that sum to one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvbench.fidelity.features import centred, checked, squared_distances
from cvbench.samples import FloatArray, IntArray

LEAST_SHARE = 0.1  # of the pictures that the real set has of a class: with fewer, its mode is lost


def trts(probabilities: npt.ArrayLike, labels: IntArray) -> float:
    """Train on real, test on synthetic (Esteban et al., arXiv 1706.02633, section 4.2): the classifier's accuracy."""
    (found,) = checked(probabilities, least=1)
    return float(np.mean(found.argmax(axis=1) == labels))


def mode_coverage(real: npt.ArrayLike, synthetic: npt.ArrayLike) -> float:
    """The share of the classes seen among the real pictures that is also seen among the synthetic ones.

    A class is a mode (Metz et al., arXiv 1611.02163, section 3.3.1). One misread picture should not count as one:
    a mode is covered when it has at least ``LEAST_SHARE`` of the proportion that it has among the real pictures.
    """
    truth, made = _proportions(real, synthetic)
    there = truth > 0
    return float(np.mean(made[there] / truth[there] >= LEAST_SHARE))


def class_balance(real: npt.ArrayLike, synthetic: npt.ArrayLike) -> float:
    """One less the total variation distance between the proportions of predicted classes: 1 is equal, 0 disjoint."""
    truth, made = _proportions(real, synthetic)
    return float(1 - np.abs(truth - made).sum() / 2)


def _proportions(*sets: npt.ArrayLike) -> tuple[FloatArray, ...]:
    return tuple(
        np.bincount(found.argmax(axis=1), minlength=found.shape[1]) / len(found) for found in checked(*sets, least=1)
    )


def diversity(
    real: npt.ArrayLike, real_labels: IntArray, synthetic: npt.ArrayLike, synthetic_labels: IntArray, classes: int
) -> FloatArray:
    """(K,) per class, the mean distance between two synthetic pictures over that between two real ones.

    Features are float (N, D) and (M, D). 1: as varied as real. NaN for a class with fewer than two pictures on a
    side, or whose real pictures are all alike.
    """
    truth, made = centred(*checked(real, synthetic, least=1))
    ratios = np.full(classes, np.nan)
    for label in range(classes):
        of_real, of_synthetic = truth[real_labels == label], made[synthetic_labels == label]
        if min(len(of_real), len(of_synthetic)) >= 2 and (spread := _mean_distance(of_real)) > 0:
            ratios[label] = _mean_distance(of_synthetic) / spread
    return ratios


def _mean_distance(features: FloatArray) -> float:
    """Between two different rows."""
    total = 0.0
    for rows, squared in squared_distances(features, features):
        squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = 0  # of itself: only rounding
        total += float(np.sqrt(squared).sum())
    return total / (len(features) * (len(features) - 1))
