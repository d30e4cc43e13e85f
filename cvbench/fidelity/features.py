"""Feature arrays: what every metric of this package is given, and the chunks in which they are walked through."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics.pairwise import euclidean_distances

from cvbench.errors import DataError, NotApplicable
from cvbench.samples import FloatArray

CHUNK_ENTRIES = 2**24  # of a distance or kernel matrix held at once: 128 MiB of float64


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error."""

    value: float
    error: float


def checked(*sets: npt.ArrayLike, least: int) -> tuple[FloatArray, ...]:
    """The sets as float64 (N, D).

    Raises :class:`DataError` unless all are two-dimensional, finite and of one width, and
    :class:`NotApplicable` when a set has fewer than ``least`` rows.
    """
    arrays = tuple(np.asarray(features, dtype=np.float64) for features in sets)
    for array in arrays:
        if array.ndim != 2 or array.shape[1] != arrays[0].shape[1]:
            raise DataError(f"feature arrays must be (N, D) of one D, not {' and '.join(str(a.shape) for a in arrays)}")
        if len(array) < least:
            raise NotApplicable(f"{len(array)} pictures are too few to compare: at least {least} are needed")
        if not np.isfinite(array).all():
            raise DataError("some features are NaN or infinite", hint="take another feature extractor")
    return arrays


def centred(*sets: FloatArray) -> tuple[FloatArray, ...]:
    """The sets about the first one's mean: distances stay what they are and lose fewer digits."""
    middle = sets[0].mean(axis=0)
    return tuple(features - middle for features in sets)


def chunks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of ``rows`` such that slice × ``columns`` numbers fit in memory."""
    size = max(1, CHUNK_ENTRIES // max(1, columns))
    return (slice(start, min(start + size, rows)) for start in range(0, rows, size))


def squared_distances(points: FloatArray, others: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Rows of ``points``, and their squared Euclidean distances (n, len(others)), chunk by chunk."""
    norms = np.square(others).sum(axis=1)[None, :]
    for rows in chunks(len(points), len(others)):
        yield rows, euclidean_distances(points[rows], others, Y_norm_squared=norms, squared=True)
