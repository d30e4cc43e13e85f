"""Which of the samples at hand are given again: so many of each class, round after round."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cvbench.errors import NotApplicable
from cvbench.samples import IntArray


def places_in_rounds(
    labels: IntArray, counts: IntArray, names: Sequence[str], rng: np.random.Generator, what: str
) -> IntArray:
    """(sum of counts,) places of so many samples per class in shuffled order, none again before all of its class were.

    ``labels`` (N,) are the samples' own, ``counts`` and ``names`` the classes', ``what`` one sample is called.
    Raises :class:`NotApplicable` for a class that is asked for and has no sample.
    """
    chosen = [np.zeros(0, dtype=np.int64)]
    for label in np.flatnonzero(counts).tolist():
        members = np.flatnonzero(labels == label)
        if not len(members):
            raise NotApplicable(f"there is no {what} of class {names[label]!r}")
        rounds = -(-int(counts[label]) // len(members))
        chosen.append(np.concatenate([rng.permutation(members) for _ in range(rounds)])[: counts[label]])
    return rng.permutation(np.concatenate(chosen))
