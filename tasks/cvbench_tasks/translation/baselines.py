"""What a network has to beat: restorations that learn nothing from the training pictures.

Each is told what there is to know of the corruption: a hole's place, the noise's strength, the factor.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from cvbench.corruptions import BoolArray, Corruption, small_size
from cvbench.samples import UInt8Array

H_PER_SIGMA = 0.85  # measured best at the usual noise on held-back training pictures of MNIST and Fashion-MNIST
RADIUS = 3  # pixels around a hole that inpainting looks at, as in OpenCV's own example

# (corrupted pictures uint8 (N, H, W, C), their corruption, hole masks bool (N, H, W) or None) → restored pictures
Restore = Callable[[UInt8Array, Corruption, BoolArray | None], UInt8Array]


def identity(images: UInt8Array, corruption: Corruption, holes: BoolArray | None) -> UInt8Array:
    """The corrupted pictures themselves."""
    return images


def bicubic(images: UInt8Array, corruption: Corruption, holes: BoolArray | None) -> UInt8Array:
    """Cubic convolution of the small picture that a low-resolution one holds (Keys, 1981; OpenCV's, a = -0.75)."""
    height, width = images.shape[1:3]
    size = small_size(height, width, corruption.set_strength)

    def restored(image: UInt8Array) -> UInt8Array:
        small = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST_EXACT)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)

    return _each(images, restored)


def inpaint_telea(images: UInt8Array, corruption: Corruption, holes: BoolArray | None) -> UInt8Array:
    """Fast marching from the hole's border inwards (Telea, Journal of Graphics Tools 9(1), 2004)."""
    return _inpainted(images, holes, cv2.INPAINT_TELEA)


def inpaint_ns(images: UInt8Array, corruption: Corruption, holes: BoolArray | None) -> UInt8Array:
    """Isophotes continued into the hole as a fluid flows (Bertalmio et al., CVPR 2001)."""
    return _inpainted(images, holes, cv2.INPAINT_NS)


def nl_means(images: UInt8Array, corruption: Corruption, holes: BoolArray | None) -> UInt8Array:
    """Non-local means (Buades et al., IPOL 2011) as OpenCV has it: 7-pixel patches, 21-pixel window, h by the noise."""
    h = H_PER_SIGMA * 255 * corruption.set_strength
    return _each(images, lambda image: np.asarray(cv2.fastNlMeansDenoising(image, None, h, 7, 21), dtype=np.uint8))


def _inpainted(images: UInt8Array, holes: BoolArray | None, method: int) -> UInt8Array:
    assert holes is not None
    masks = iter(holes.astype(np.uint8))
    return _each(images, lambda image: np.asarray(cv2.inpaint(image, next(masks), RADIUS, method), dtype=np.uint8))


def _each(images: UInt8Array, restored: Callable[[UInt8Array], UInt8Array]) -> UInt8Array:
    found = np.empty_like(images)
    for place, image in enumerate(images):
        found[place] = restored(np.ascontiguousarray(image)).reshape(image.shape)
    return found
