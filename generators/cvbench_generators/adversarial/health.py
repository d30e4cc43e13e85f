"""What one look at a fit found, and whether that is healthy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist, squareform

from cvbench.fidelity.probe import Float32Array
from cvbench.samples import FloatArray, IntArray, UInt8Array

LEAST_COVERAGE, LEAST_DIVERSITY = 0.6, 0.4  # of the real pictures'
SURE, FAR = 0.999, 30.0  # of real pictures above fakes, and by how much on average: logits


@dataclass(frozen=True)
class Seen:
    """What one look found; ``coverage`` in classes of ``classes``, the rest relative to real pictures or in [0, 1].

    ``gap`` is real pictures' mean score above fakes', in ``logits`` or, of a Wasserstein critic, in units of its own.
    """

    coverage: int
    classes: int
    entropy: float
    diversity: float
    accuracy: float
    gap: float
    logits: bool
    likeness: float

    @property
    def trouble(self) -> str:
        """What is wrong, in a few words; empty for a healthy fit."""
        if self.coverage < LEAST_COVERAGE * self.classes or self.diversity < LEAST_DIVERSITY:
            return f"mode coverage {self.coverage} of {self.classes}, diversity {self.diversity:.2f} of real pictures'"
        if self.logits and self.accuracy > SURE and self.gap > FAR:
            return f"the discriminator wins: it is right on {self.accuracy:.1%}, its scores {self.gap:.0f} apart"
        return ""

    @property
    def score(self) -> float:
        """The higher, the better a snapshot."""
        return self.likeness * self.entropy * min(1.0, self.diversity)


def class_shares(probabilities: Float32Array) -> FloatArray:
    """(K,) the share of pictures whose likeliest class each is."""
    return np.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]) / len(probabilities)


def entropy(shares: FloatArray) -> float:
    """In nats."""
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def mean_distance(images: UInt8Array, labels: IntArray) -> float:
    """The mean distance between two pictures of one class; of any two where no class has two."""
    flat, pairs = images.reshape(len(images), -1).astype(np.float32), np.triu(labels[:, None] == labels[None], 1)
    if not pairs.any():
        return float(squareform(pdist(flat)).mean())
    distances = np.zeros(pairs.shape)
    for label in np.unique(labels):  # class by class: of hundreds of classes nearly all pairs are of two
        own = np.flatnonzero(labels == label)
        distances[np.ix_(own, own)] = squareform(pdist(flat[own]))
    return float(distances[pairs].mean())
