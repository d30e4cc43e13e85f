"""The kernel distance between two sets of features: KID when the features are Inception's.

Bińkowski et al., "Demystifying MMD GANs", arXiv 1801.01401, section 4: the squared maximum mean discrepancy with
the kernel k(x, y) = (xᵀy/D + 1)³. They average over small subsets to save time; here it is summed over all pairs,
which estimates the same number with the least variance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics.pairwise import polynomial_kernel

from cvbench.fidelity.features import Estimate, checked, chunks
from cvbench.samples import FloatArray


def kernel_distance(real: npt.ArrayLike, synthetic: npt.ArrayLike) -> Estimate:
    """Unbiased MMD² of float (N, D) and (M, D), about 0 (below it, too) for equal distributions.

    The standard error is the two-sample jackknife's (Arvesen 1969): each picture left out in turn.
    Raises :class:`~cvbench.errors.DataError` for bad features, ``NotApplicable`` below three rows.
    """
    first, second = checked(real, synthetic, least=3)
    n, m = len(first), len(second)
    within_first, within_second = _sums_within(first), _sums_within(second)
    from_first, from_second = _sums_between(first, second)

    def discrepancy(a: Any, b: Any, between: Any, n: int, m: int) -> Any:
        return a / (n * (n - 1)) + b / (m * (m - 1)) - 2 * between / (n * m)

    a, b, between = within_first.sum(), within_second.sum(), from_first.sum()
    value = discrepancy(a, b, between, n, m)
    without_first = discrepancy(a - 2 * within_first, b, between - from_first, n - 1, m)
    without_second = discrepancy(a, b - 2 * within_second, between - from_second, n, m - 1)
    variance = (n - 1) * without_first.var() + (m - 1) * without_second.var()
    return Estimate(float(value), float(np.sqrt(variance)))


def _sums_within(features: FloatArray) -> FloatArray:
    """(N,) each row's kernel values with all other rows, summed."""
    itself = (np.square(features).mean(axis=1) + 1) ** 3
    return np.asarray(_sums_between(features, features)[0] - itself)


def _sums_between(first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N,) and (M,): row and column sums of the kernel matrix."""
    rows_of, columns_of = np.zeros(len(first)), np.zeros(len(second))
    for rows in chunks(len(first), len(second)):
        kernel = polynomial_kernel(first[rows], second, degree=3, coef0=1)  # gamma is 1/D
        rows_of[rows] = kernel.sum(axis=1)
        columns_of += kernel.sum(axis=0)
    return rows_of, columns_of
