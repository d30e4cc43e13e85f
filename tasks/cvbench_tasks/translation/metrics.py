"""The one ruler of restoration: restored and real pictures in, PSNR and SSIM out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from cvbench.contracts import Scores
from cvbench.errors import DataError, PluginError
from cvbench.samples import Dataset, FloatArray, LabelledImages, UInt8Array
from cvbench_tasks.translation import PSNR_CAP

SIGMA, RADIUS = 1.5, 5  # of SSIM's Gaussian window: 11 pixels
STABILIZERS = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
CHUNK = 500  # pictures at a time


def score(predictions: Iterable[Any], truth: Dataset) -> Scores:
    """Mean PSNR and SSIM of restored pictures, uint8 arrays (n, H, W, C) that together cover the test in order.

    Raises :class:`PluginError` for predictions of a wrong type, shape or count.
    """
    if not isinstance(truth, LabelledImages):
        raise DataError("translation needs pictures of equal size", where=truth.spec.name)
    shape, parts = truth.images.shape[1:], list(predictions)
    for part in parts:
        if not isinstance(part, np.ndarray) or part.dtype != np.uint8 or part.shape[1:] != shape:
            got = f"{getattr(part, 'dtype', type(part).__name__)} {getattr(part, 'shape', '')}"
            raise PluginError(f"predictions must be uint8 (n, {', '.join(map(str, shape))}) pictures, not {got}")
    count = sum(map(len, parts))
    if count != len(truth):
        raise PluginError(f"{count} predictions for {len(truth)} test pictures")
    restored = np.concatenate(parts)
    per_item = {"psnr": psnr(restored, truth.images), "ssim": ssim(restored, truth.images)}
    return Scores({name: float(values.mean()) for name, values in per_item.items()}, per_item)


def psnr(restored: UInt8Array, real: UInt8Array) -> FloatArray:
    """(N,) peak signal-to-noise ratio in dB of two uint8 (N, H, W, C): 10·log₁₀(255² / mean squared error).

    Capped at ``PSNR_CAP``, which equal pictures get.
    """
    errors = [np.square(a.astype(np.float64) - b).mean((1, 2, 3)) for a, b in _chunks(restored, real)]
    with np.errstate(divide="ignore"):
        decibels = 10 * np.log10(255**2 / np.concatenate(errors))
    return np.asarray(np.minimum(decibels, PSNR_CAP))


def ssim(restored: UInt8Array, real: UInt8Array) -> FloatArray:
    """(N,) structural similarity in [-1, 1] of two uint8 (N, H, W, C) (Wang et al., IEEE TIP 13(4), 2004, eq. 13).

    The mean over channels and pixels, the windows at the border mirrored there, as in torchmetrics.
    """
    return np.concatenate([_ssim(a.astype(np.float64), b.astype(np.float64)) for a, b in _chunks(restored, real)])


def _ssim(x: FloatArray, y: FloatArray) -> FloatArray:
    def blurred(values: FloatArray) -> FloatArray:
        return np.asarray(gaussian_filter(values, SIGMA, radius=RADIUS, axes=(1, 2), mode="mirror"))

    mean_x, mean_y = blurred(x), blurred(y)
    variance_x, variance_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    covariance = blurred(x * y) - mean_x * mean_y
    c1, c2 = STABILIZERS
    likeness = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    likeness /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return np.asarray(likeness.mean((1, 2, 3)))


def _chunks(restored: UInt8Array, real: UInt8Array) -> Iterable[tuple[UInt8Array, UInt8Array]]:
    return ((restored[k : k + CHUNK], real[k : k + CHUNK]) for k in range(0, len(real), CHUNK))
