"""Fidelity and diversity apart, by nearest-neighbour balls: precision and recall, density and coverage.

Kynkäänniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", arXiv 1904.06991,
section 2; Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", arXiv 2002.09797, section 3.
A ball around each picture reaches to its k-th nearest other one of the same set; what lies on its edge is inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from cvbench.fidelity import NEIGHBOURHOOD_K
from cvbench.fidelity.features import centred, checked, squared_distances
from cvbench.samples import FloatArray

MANIFOLD_K = 3  # of precision and recall: their paper's


@dataclass(frozen=True)
class Neighbourhoods:
    """``precision``: share of synthetic pictures within a real ball. ``recall``: of real ones within a synthetic.

    ``density``: real balls that hold a synthetic picture, over k: 1 is expected of equal distributions, it may be
    more. ``coverage``: share of real balls that hold a synthetic picture. Only density is not within [0, 1].
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(real: npt.ArrayLike, synthetic: npt.ArrayLike) -> Neighbourhoods:
    """All four from float (N, D) and (M, D), in one pass over their distances.

    Raises :class:`~cvbench.errors.DataError` for bad features, ``NotApplicable`` below six rows.
    """
    truth, made = centred(*checked(real, synthetic, least=NEIGHBOURHOOD_K + 1))
    real_radii, synthetic_radii = _squared_radii(truth), _squared_radii(made)
    precise = dense = 0
    recalled = np.zeros(len(truth), dtype=np.bool_)
    nearest = np.full(len(truth), np.inf)
    for rows, squared in squared_distances(made, truth):
        precise += int((squared <= real_radii[:, MANIFOLD_K - 1]).any(axis=1).sum())
        dense += int((squared <= real_radii[:, NEIGHBOURHOOD_K - 1]).sum())
        recalled |= (squared <= synthetic_radii[rows, MANIFOLD_K - 1, None]).any(axis=0)
        np.minimum(nearest, squared.min(axis=0), out=nearest)
    return Neighbourhoods(
        precision=precise / len(made),
        recall=float(recalled.mean()),
        density=dense / (NEIGHBOURHOOD_K * len(made)),
        coverage=float((nearest <= real_radii[:, NEIGHBOURHOOD_K - 1]).mean()),
    )


def _squared_radii(features: FloatArray) -> FloatArray:
    """(N, k) squared distances to the nearest others, ascending."""
    others = NearestNeighbors(n_neighbors=NEIGHBOURHOOD_K, algorithm="brute").fit(features)
    return np.asarray(np.square(others.kneighbors()[0]), dtype=np.float64)
