"""Memorization: are synthetic pictures nearer to the training pictures than they ought to be?

A sample of a generator that learned the distribution is as near to a training picture as to a real picture that the
generator never saw; which one is nearest is then a matter of how many there are of each. That is what is tested, as
in the nearest-neighbour tests of Meehan et al., "A Non-Parametric Test to Detect Data-Copying in Generative Models",
arXiv 2004.05675, section 2, with the held-out pictures as the yardstick.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from cvbench.fidelity.features import Estimate, centred, checked
from cvbench.samples import FloatArray, IntArray


@dataclass(frozen=True)
class Memorization:
    """``share``: 0.5 is none, 1 is all. Per synthetic picture: its ``nearest`` training picture, the distances
    ``to_train`` and ``to_held_out``."""

    share: Estimate
    nearest: IntArray
    to_train: FloatArray
    to_held_out: FloatArray

    def most_suspicious(self, count: int) -> IntArray:
        """Places of the pictures that are nearest to training in proportion to held-out ones, worst first.

        Of exact copies, those come first that no held-out picture resembles.
        """
        with np.errstate(over="ignore"):  # beside an exact copy of a held-out picture it is infinite
            ratio = self.to_train / np.maximum(self.to_held_out, np.finfo(np.float64).tiny)
        return np.lexsort((-self.to_held_out, ratio))[:count].astype(np.int64)


def memorization(train: npt.ArrayLike, held_out: npt.ArrayLike, synthetic: npt.ArrayLike) -> Memorization:
    """The share of synthetic (M, D) nearer to train (N, D) than to held-out (H, D), as it would be at N = H.

    The whole train split can be searched: its size is corrected for, by the odds. A tie counts half. The standard
    error is that of no memorization; synthetic pictures that share a nearest real one count as one, so that a single
    picture which lies in the middle of everything, as noise finds, proves nothing. Where the held-out pictures come
    from elsewhere than the training ones (MNIST's test digits: other writers), the share of an honest generator is
    somewhat above 0.5: 0.54 for fresh training-like digits by their pixels.
    Raises :class:`~cvbench.errors.DataError` for bad features, ``NotApplicable`` for an empty set.
    """
    seen, unseen, made = centred(*checked(train, held_out, synthetic, least=1))
    to_train, nearest = _nearest(seen, made)
    to_held_out, nearest_unseen = _nearest(unseen, made)
    nearer = np.mean(to_train < to_held_out) + np.mean(to_train == to_held_out) / 2
    by_train, by_held_out = nearer / len(seen), (1 - nearer) / len(unseen)
    union = np.where(to_train < to_held_out, nearest, len(seen) + nearest_unseen)
    crowding = np.square(np.unique(union, return_counts=True)[1] / len(made)).sum()  # 1 / how many are independent
    expected = len(seen) / (len(seen) + len(unseen))
    error = min(0.5, np.sqrt(crowding / (expected * (1 - expected))) / 4)  # no share is off by more
    share = Estimate(float(by_train / (by_train + by_held_out)), float(error))
    return Memorization(share, nearest, to_train, to_held_out)


def _nearest(among: FloatArray, points: FloatArray) -> tuple[FloatArray, IntArray]:
    distances, places = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(among).kneighbors(points)
    return distances[:, 0], places[:, 0].astype(np.int64)
