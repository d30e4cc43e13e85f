"""The Fréchet distance between two sets of features: FID when the features are Inception's.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", arXiv 1706.08500, section 3, equation 6.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cvbench.fidelity.features import checked
from cvbench.samples import FloatArray


def frechet_distance(real: npt.ArrayLike, synthetic: npt.ArrayLike) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½) of float (N, D) and (M, D); 0 for equal Gaussians.

    Biased: it falls as N grows, so only numbers of equal N can be compared (Bińkowski et al., arXiv 1801.01401,
    section 3). Raises :class:`~cvbench.errors.DataError` for bad features, ``NotApplicable`` below two rows.
    """
    first, second = checked(real, synthetic, least=2)
    apart = np.square(first.mean(axis=0) - second.mean(axis=0)).sum()
    root_first, root_second = _covariance_root(first), _covariance_root(second)
    # With Σ = RᵀR, the trace of (Σ₁Σ₂)^½ is the sum of the singular values of R₁R₂ᵀ: no square root of a
    # nearly singular matrix, which costs half of the digits when there are fewer pictures than features.
    shared = np.linalg.svd(root_first @ root_second.T, compute_uv=False).sum()
    spread = np.square(root_first).sum() + np.square(root_second).sum()
    return max(0.0, float(apart + spread - 2 * shared))


def _covariance_root(features: FloatArray) -> FloatArray:
    """R (min(N, D), D) with RᵀR = the covariance."""
    deviations = features - features.mean(axis=0)
    return np.asarray(np.linalg.qr(deviations, mode="r") / np.sqrt(len(features) - 1))
