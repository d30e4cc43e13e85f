"""One object into one picture: a cutout turned, sized and coloured anew, and its edge blended in."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from cvbench.samples import BoolArray, FloatArray, UInt8Array
from cvbench.scenes import InstanceImages
from cvbench_generators.scenes import Blend

SURROUNDINGS = 7  # pixels of its real surroundings that a cutout brings along, for soft edges
SOFTNESS = 1.0  # standard deviation of the Gaussian edge in pixels
BOX = (3, 3)  # pixels: the box filter's window
RIM = np.ones((13, 13), np.uint8)  # Poisson blending takes 6 pixels more than the object: OpenCV's drops the outer 3
LEAST_CLONED = 4  # pixels: what is narrower is pasted without Poisson blending
FRAME = 2  # pixels around what is Poisson blended


@dataclass(frozen=True)
class Cutout:
    """An object with some of its surroundings: ``layers`` uint8 (h, w, C + 1), the last one its mask, 0 or 255.

    ``mean`` (C,): of its own pixels.
    """

    layers: UInt8Array
    mean: FloatArray

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of the object alone."""
        return self.layers.shape[0] - 2 * SURROUNDINGS, self.layers.shape[1] - 2 * SURROUNDINGS


@dataclass(frozen=True)
class Patch:
    """What is put into a picture with its upper left pixel at ``x``, ``y``, any part of it outside.

    ``pixels`` uint8 (h, w, C), ``mask`` bool (h, w); ``whole``: how many pixels the object has, those cut off at the
    edge of the picture's content included; ``label`` is None for a distractor.
    """

    label: int | None
    x: int
    y: int
    pixels: UInt8Array
    mask: BoolArray
    whole: int

    def inside(self, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """The part of a picture of this size that it lies on, and its own part there."""
        high, wide = self.mask.shape
        top, left = max(0, self.y), max(0, self.x)
        low, right = max(top, min(height, self.y + high)), max(left, min(width, self.x + wide))
        whole = slice(top, low), slice(left, right)
        return whole, (slice(top - self.y, low - self.y), slice(left - self.x, right - self.x))


def cutout_of(objects: InstanceImages, number: int) -> Cutout:
    """The object with this number (0..M - 1).

    No other of the objects comes along, which would be in the picture and in no annotation: the ground nearest to it
    stands in its place.
    """
    picture = int(np.searchsorted(objects.starts, number, side="right")) - 1
    image, mask, around = objects.images[picture], objects.cut_mask(number), SURROUNDINGS
    (x, y), (high, wide) = objects.boxes[number, :2].astype(int).tolist(), mask.shape
    top, left = max(0, y - around), max(0, x - around)
    window = image[top : y + high + around, left : x + wide + around]
    rows = np.clip(np.arange(y - around, y + high + around) - top, 0, window.shape[0] - 1)[:, None]
    columns = np.clip(np.arange(x - around, x + wide + around) - left, 0, window.shape[1] - 1)
    alpha = np.pad(mask.astype(np.uint8) * np.uint8(255), around)
    pixels, ground = window[rows, columns], ~_occupied(objects, picture, top, left, *window.shape[:2])[rows, columns]
    ground &= alpha == 0
    if ground.any() and not (ground | (alpha > 0)).all():
        nearest = distance_transform_edt(~ground, return_distances=False, return_indices=True)
        pixels = np.where((alpha > 0)[..., None], pixels, pixels[tuple(nearest)])
    return Cutout(np.dstack([pixels, alpha]), pixels[alpha > 0].mean(axis=0))


def _occupied(objects: InstanceImages, picture: int, top: int, left: int, high: int, wide: int) -> BoolArray:
    """bool (h, w): where an object is in this part of the picture."""
    found = np.zeros((high, wide), np.bool_)
    own = objects.objects(picture)
    x1, y1, x2, y2 = objects.boxes[own].astype(int).T
    for place in np.flatnonzero((x1 < left + wide) & (x2 > left) & (y1 < top + high) & (y2 > top)).tolist():
        a, b, c, d = max(x1[place], left), max(y1[place], top), min(x2[place], left + wide), min(y2[place], top + high)
        mask = objects.cut_mask(own.start + place)[b - y1[place] : d - y1[place], a - x1[place] : c - x1[place]]
        found[b - top : d - top, a - left : c - left] |= mask
    return found


def transformed(cutout: Cutout, factor: float, degrees: float, flipped: bool) -> UInt8Array:
    """Layers (h', w', C + 1) of the cutout sized by the factor, turned about its centre and mirrored."""
    high, wide = cutout.layers.shape[:2]
    turn = cv2.getRotationMatrix2D(((wide - 1) / 2, (high - 1) / 2), degrees, factor)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    new_wide, new_high = ceil(wide * cosine + high * sine), ceil(wide * sine + high * cosine)
    turn[:, 2] += (new_wide - wide) / 2, (new_high - high) / 2
    if flipped:
        turn[0] = -turn[0]
        turn[0, 2] += new_wide - 1
    sized = cv2.warpAffine(cutout.layers, turn, (new_wide, new_high), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sized, np.uint8)


def colour_table(rng: np.random.Generator, strength: float, mean: FloatArray) -> UInt8Array:
    """(256, C): a curve per channel. Contrast about the mean (C,) and brightness change by up to ``strength``.

    The channels' own gains, which change the hue, differ by a quarter of it.
    """
    contrast, brightness = 1 + strength * rng.uniform(-1, 1, 2)
    gains = 1 + strength / 4 * rng.uniform(-1, 1, len(mean)) * (len(mean) > 1)
    curve = (np.arange(256)[:, None] - mean) * contrast + mean
    table: UInt8Array = np.clip(np.rint(curve * brightness * gains), 0, 255).astype(np.uint8)
    return table


def recoloured(pixels: UInt8Array, table: UInt8Array) -> UInt8Array:
    """The pixels (h, w, C) looked up in the table (256, C)."""
    looked_up = cv2.LUT(np.ascontiguousarray(pixels), table.reshape(1, 256, -1))
    return np.asarray(looked_up, np.uint8).reshape(pixels.shape)


# ----------------------------------------------------------------------------------------- blending


def paste(image: UInt8Array, patch: Patch, blend: Blend) -> None:
    """Put the patch into the picture (H, W, C), in place. The annotation is the same whatever the blending."""
    whole, part = patch.inside(*image.shape[:2])
    under, over, mask = image[whole], patch.pixels[part], patch.mask[part]
    if blend in ("gaussian", "box"):
        _mix(under, over, _soft(patch.mask, blend)[part])
    elif blend == "poisson" and _can_be_cloned(mask):
        _clone(under, over, _grown(patch.mask)[part])
    else:
        cv2.copyTo(np.ascontiguousarray(over), mask.view(np.uint8), under)


def _soft(mask: BoolArray, blend: Blend) -> UInt8Array:
    """uint8 (h, w): how much of the patch is seen at each pixel, of 255."""
    hard = mask.view(np.uint8) * np.uint8(255)
    if blend == "gaussian":
        return np.asarray(cv2.GaussianBlur(hard, (0, 0), SOFTNESS, borderType=cv2.BORDER_REPLICATE), np.uint8)
    return np.asarray(cv2.blur(hard, BOX, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _mix(under: UInt8Array, over: UInt8Array, seen: UInt8Array) -> None:
    weight = seen[..., None].astype(np.int32)
    under[:] = (over * weight + under * (255 - weight) + 127) // 255


def _can_be_cloned(mask: BoolArray) -> bool:
    """Whether what is seen is large enough: OpenCV fails on boxes of two pixels."""
    return min(cv2.boundingRect(mask.view(np.uint8))[2:]) >= LEAST_CLONED


def _grown(mask: BoolArray) -> UInt8Array:
    """uint8 (h, w), 0 or 255: the mask and its surroundings.

    What Poisson blending keeps are differences. Those that make an object are across its edge: alone, it would
    dissolve into the background.
    """
    return np.asarray(cv2.dilate(mask.view(np.uint8) * np.uint8(255), RIM), np.uint8)


def _clone(under: UInt8Array, over: UInt8Array, mask: UInt8Array) -> None:
    """Poisson blending (Perez, Gangnet and Blake, SIGGRAPH 2003; OpenCV's).

    OpenCV refuses a mask at the border of either picture and puts the middle of the mask's box at the point given:
    both get a frame, and the point is that very middle.
    """
    framed = np.pad(mask, FRAME)
    x, y, wide, high = cv2.boundingRect(framed)
    middle = (x + wide // 2, y + high // 2)
    cloned = cv2.seamlessClone(_framed(over), _framed(under), framed, middle, cv2.NORMAL_CLONE)
    seen = mask > 0
    under[seen] = cloned[FRAME:-FRAME, FRAME:-FRAME, : under.shape[2]][seen]


def _framed(pixels: UInt8Array) -> UInt8Array:
    """uint8 (h + 2 FRAME, w + 2 FRAME, 3), the edge repeated."""
    framed = np.pad(pixels, ((FRAME, FRAME), (FRAME, FRAME), (0, 0)), mode="edge")
    return np.repeat(framed, 3, axis=2) if pixels.shape[2] == 1 else framed
