"""Corruptions of pictures: what a translator learns to undo and a restoration benchmark puts to the test.

Pure functions of pictures, strength and seed. What is random is drawn per picture from the seed and the picture's
place, so the k-th picture is corrupted alike whatever stands behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cvbench.errors import NotApplicable, UserError, near_names
from cvbench.samples import UInt8Array
from cvbench.seeds import derive_seed

CorruptionName = Literal["hole", "noise", "grey", "low_resolution", "edges", "inverted"]
BoolArray = npt.NDArray[np.bool_]

BLANK = 128  # of a hole: mid-grey shows on black pictures as on white ones


@dataclass(frozen=True)
class Strengths:
    """The least, usual and greatest strength of a corruption, and what the number means."""

    low: float
    usual: float
    high: float
    meaning: str
    whole: bool = False


STRENGTHS: dict[str, Strengths | None] = {
    "hole": Strengths(0.05, 0.5, 0.95, "the rectangle's longest sides, as a share of the picture's"),
    "noise": Strengths(0.005, 0.15, 1.0, "the standard deviation, as a share of 255"),
    "grey": None,
    "low_resolution": Strengths(2, 2, 4, "how many times fewer pixels per side", whole=True),
    "edges": Strengths(10, 200, 2000, "Canny's upper threshold; the lower one is half of it"),
    "inverted": None,
}


@dataclass(frozen=True)
class Corruption:
    """A corruption by name; without a ``strength`` it has the usual one of ``STRENGTHS``.

    Raises :class:`UserError` for an unknown name and for a strength out of range or where there is none to set.
    """

    name: CorruptionName
    strength: float | None = None

    def __post_init__(self) -> None:
        if self.name not in STRENGTHS:
            raise UserError(f"unknown corruption {self.name!r}", hint=near_names(self.name, STRENGTHS))
        bounds, given = STRENGTHS[self.name], self.strength
        if given is None:
            return
        if bounds is None:
            raise UserError(f"the corruption {self.name!r} has no strength to set")
        if not bounds.low <= given <= bounds.high or (bounds.whole and given != int(given)):
            kind = "a whole number" if bounds.whole else "a number"
            wanted = f"{kind} from {bounds.low:g} to {bounds.high:g}"
            raise UserError(f"strength {given:g} of {self.name!r} must be {wanted}: {bounds.meaning}")

    @property
    def set_strength(self) -> float:
        """The strength asked for, else the usual one; 1 where there is none to set."""
        bounds = STRENGTHS[self.name]
        return 1.0 if bounds is None else bounds.usual if self.strength is None else self.strength

    def check_channels(self, channels: int) -> None:
        """Raise :class:`NotApplicable` when pictures of so many channels cannot have it (``grey`` without colour)."""
        if self.name == "grey" and channels != 3:
            raise NotApplicable("the corruption 'grey' needs pictures in colour")

    def __str__(self) -> str:
        return self.name if STRENGTHS[self.name] is None else f"{self.name} {self.set_strength:g}"


def corrupt(images: UInt8Array, corruption: Corruption, seed: int) -> UInt8Array:
    """uint8 (N, H, W, C) → uint8 of the same shape, corrupted; the pictures given are not changed.

    Raises :class:`NotApplicable` as :meth:`Corruption.check_channels` does.
    """
    corruption.check_channels(images.shape[-1])
    return _BY_NAME[corruption.name](np.asarray(images), corruption.set_strength, seed)


def hole(images: UInt8Array, share: float, seed: int) -> UInt8Array:
    """A rectangle per picture blanked with mid-grey."""
    masks = hole_masks(images.shape, share, seed)
    return np.where(masks[..., None], np.uint8(BLANK), images)


def hole_masks(shape: tuple[int, ...], share: float, seed: int) -> BoolArray:
    """bool (N, H, W) for pictures of ``shape`` (N, H, W, C): true inside the rectangles that :func:`hole` blanks.

    A rectangle's sides are half of ``share`` to all of it, as a part of the picture's, and it lies inside.
    """
    count, height, width = shape[:3]
    masks = np.zeros((count, height, width), dtype=np.bool_)
    for place, mask in enumerate(masks):
        rng = _of_picture(seed, "hole", place)
        high, wide = (max(1, round(side * share * rng.uniform(0.5, 1))) for side in (height, width))
        top, left = rng.integers(0, height - high + 1), rng.integers(0, width - wide + 1)
        mask[top : top + high, left : left + wide] = True
    return masks


def noise(images: UInt8Array, sigma: float, seed: int) -> UInt8Array:
    """Gaussian noise of standard deviation ``sigma`` × 255 on every value, clipped to 0..255."""
    noisy = np.empty_like(images)
    for place, image in enumerate(images):
        drawn = _of_picture(seed, "noise", place).standard_normal(image.shape, dtype=np.float32)
        noisy[place] = np.clip(np.rint(image + 255 * sigma * drawn), 0, 255).astype(np.uint8)
    return noisy


def grey(images: UInt8Array, strength: float, seed: int) -> UInt8Array:
    """Colour → luma (ITU-R BT.601, OpenCV's), the same in all three channels."""
    import cv2

    if not len(images):
        return images.copy()
    count, height, width, _ = images.shape
    luma = cv2.cvtColor(np.ascontiguousarray(images).reshape(count * height, width, 3), cv2.COLOR_RGB2GRAY)
    return np.repeat(luma.reshape(count, height, width, 1), 3, axis=3).astype(np.uint8)


def low_resolution(images: UInt8Array, factor: float, seed: int) -> UInt8Array:
    """Down by ``factor`` per side (mean over areas), then back to the same shape by the nearest pixel."""
    import cv2

    height, width = images.shape[1:3]
    low = np.empty_like(images)
    for place, image in enumerate(images):
        small = cv2.resize(image, small_size(height, width, factor), interpolation=cv2.INTER_AREA)
        blocks = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        low[place] = blocks.reshape(image.shape)
    return low


def small_size(height: int, width: int, factor: float) -> tuple[int, int]:
    """(width, height) of the small picture inside a low-resolution one, in OpenCV's order."""
    return max(1, round(width / factor)), max(1, round(height / factor))


def edges(images: UInt8Array, threshold: float, seed: int) -> UInt8Array:
    """Canny's edges (IEEE TPAMI 8(6), 1986; OpenCV's), 255 on 0, the same in all channels."""
    import cv2

    found = np.empty_like(images)
    for place, image in enumerate(images):
        lines = cv2.Canny(np.ascontiguousarray(image), threshold / 2, threshold, L2gradient=True)
        found[place] = lines[..., None]
    return found


def inverted(images: UInt8Array, strength: float, seed: int) -> UInt8Array:
    """The negative: 255 − value."""
    return 255 - images


def _of_picture(seed: int, name: str, place: int) -> np.random.Generator:
    return np.random.default_rng(derive_seed(seed, name, place))


_BY_NAME: dict[str, Callable[[UInt8Array, float, int], UInt8Array]] = {
    "hole": hole,
    "noise": noise,
    "grey": grey,
    "low_resolution": low_resolution,
    "edges": edges,
    "inverted": inverted,
}
