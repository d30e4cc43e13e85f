"""Frames drawn from movers over a background, and the exact tracks of what can be seen in them.

A frame is a function of its shot and its number alone: clips of any length are drawn one frame at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from cvbench.clips import Tracks
from cvbench.samples import FloatArray, UInt8Array
from cvbench.seeds import derive_seed
from cvbench_generators.motion.courses import Camera

INK = 128  # a pixel belongs to an object from this opacity on, of 255
LEAST_BLUR = 1.5  # pixels


@dataclass(frozen=True)
class Mover:
    """A cut-out on its way, in the frames' own pixels; ``label`` is None for what nothing annotates.

    ``pixels`` uint8 (S, S, C), ``mask`` uint8 (S, S), 0 or 255. In each of L frames: ``centres`` (L, 2),
    ``lengths`` (L,) of its longer side, ``turns`` (L,) in radians, ``gains`` (L,) on its brightness.
    """

    pixels: UInt8Array
    mask: UInt8Array
    label: int | None
    centres: FloatArray
    lengths: FloatArray
    turns: FloatArray
    gains: FloatArray


@dataclass(frozen=True)
class Shot:
    """All that a clip is drawn from: the movers from back to front, over a background uint8 (H, W, C)."""

    background: UInt8Array
    camera: Camera
    movers: tuple[Mover, ...]
    blur: float
    noise: float
    seed: int

    def __len__(self) -> int:
        return len(self.camera.zooms)

    def __iter__(self) -> Iterator[UInt8Array]:
        return (self[frame] for frame in range(len(self)))

    def __getitem__(self, frame: int) -> UInt8Array:
        """uint8 (H, W, C): the frame with this number."""
        frame = range(len(self))[frame]
        height, width, channels = self.background.shape
        view = cv2.warpAffine(
            self.background,
            self.camera.matrix(frame),
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        canvas: UInt8Array = np.asarray(view, np.uint8).reshape(height, width, channels)
        for mover in self.movers:
            _paint(canvas, mover, frame, self.blur)
        rng = np.random.default_rng(derive_seed(self.seed, "noise", frame))
        grain = np.roll(_grain(canvas.shape, self.noise, self.seed), rng.integers(0, (height, width)), axis=(0, 1))
        return np.asarray(cv2.add(canvas, grain, dtype=cv2.CV_8U), np.uint8).reshape(canvas.shape)


@lru_cache(maxsize=2)
def _grain(shape: tuple[int, ...], noise: float, seed: int) -> npt.NDArray[np.int16]:
    """int16 of this shape: noise, drawn once for a clip and moved about from frame to frame."""
    rng = np.random.default_rng(derive_seed(seed, "grain"))
    return np.round(noise * rng.standard_normal(shape, np.float32)).astype(np.int16)


def tracks_of(shot: Shot) -> Tracks:
    """The annotated movers that are in the picture, frame by frame; ids count from 1, visibility is of all pixels.

    One that others cover whole has a row with visibility 0.
    """
    height, width = shot.background.shape[:2]
    ids = np.cumsum([mover.label is not None for mover in shot.movers])
    rows: list[tuple[int, int, tuple[int, int, int, int], int, float]] = []
    for frame in range(len(shot)):
        owners = np.zeros((height, width), np.int16)
        present = []
        for place, mover in enumerate(shot.movers):
            opacity, left, top = _opacity(mover, frame, 0)
            ink = opacity >= INK
            whole, part = _inside(left, top, len(ink), height, width)
            owners[whole][ink[part]] = place + 1
            if mover.label is not None and ink[part].any():
                present.append((place, mover.label, _box(ink, left, top), int(np.count_nonzero(ink))))
        for place, label, box, pixels in present:
            seen = np.count_nonzero(owners == place + 1) / pixels
            rows.append((frame, int(ids[place]), box, label, seen))
    return Tracks.of(*(np.array([row[part] for row in rows]) for part in range(5)))


def _paint(canvas: UInt8Array, mover: Mover, frame: int, blur: float) -> None:
    """Draw the mover on the canvas (H, W, C), blurred along the way that it comes from."""
    before = mover.centres[max(frame - 1, 0)]
    way = (mover.centres[frame] - before) * blur
    smear = float(np.hypot(*way))
    opacity, left, top = _opacity(mover, frame, math.ceil(smear))
    whole, part = _inside(left, top, len(opacity), *canvas.shape[:2])
    if not canvas[whole].size:
        return
    pixels = _warped(mover.pixels, mover, frame, left, top, len(opacity), cv2.BORDER_REPLICATE)
    if smear >= LEAST_BLUR:
        kernel = _line(way)
        opacity = np.asarray(cv2.filter2D(opacity, -1, kernel, borderType=cv2.BORDER_CONSTANT), np.uint8)
        pixels = np.asarray(cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)
    share = opacity[part][..., None] / np.float32(255)
    over = pixels.reshape(*opacity.shape, -1)[part] * np.float32(mover.gains[frame])
    under = canvas[whole]
    under[:] = np.round(under + share * (over.clip(0, 255) - under)).astype(np.uint8)


def _opacity(mover: Mover, frame: int, margin: int) -> tuple[UInt8Array, int, int]:
    """The mover's opacity as a square, and where its left and upper edges lie in the frame."""
    side = math.ceil(mover.lengths[frame] * math.sqrt(2)) + 3 + 2 * margin
    x, y = mover.centres[frame]
    left, top = math.floor(x - side / 2), math.floor(y - side / 2)
    return _warped(mover.mask, mover, frame, left, top, side, cv2.BORDER_CONSTANT), left, top


def _warped(picture: UInt8Array, mover: Mover, frame: int, left: int, top: int, side: int, border: int) -> UInt8Array:
    own_x, own_y, own_wide, own_high = cv2.boundingRect(mover.mask)
    scale = mover.lengths[frame] / max(own_wide, own_high)
    cos, sin = scale * math.cos(mover.turns[frame]), scale * math.sin(mover.turns[frame])
    x, y = mover.centres[frame] - (left, top)
    # pixels are warped by their middles, half a pixel from their corners
    from_x, from_y = own_x + own_wide / 2 - 0.5, own_y + own_high / 2 - 0.5
    to_x, to_y = x - 0.5, y - 0.5
    matrix = np.array([[cos, -sin, to_x - cos * from_x + sin * from_y], [sin, cos, to_y - sin * from_x - cos * from_y]])
    return np.asarray(cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=border))


def _inside(left: int, top: int, side: int, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where the square lies in the frame, and which part of it that is."""
    y1, x1, y2, x2 = max(top, 0), max(left, 0), min(top + side, height), min(left + side, width)
    y2, x2 = max(y1, y2), max(x1, x2)
    return (slice(y1, y2), slice(x1, x2)), (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))


def _box(ink: npt.NDArray[np.bool_], left: int, top: int) -> tuple[int, int, int, int]:
    x, y, wide, high = cv2.boundingRect(ink.view(np.uint8))
    return left + x, top + y, left + x + wide, top + y + high


def _line(way: FloatArray) -> npt.NDArray[np.float32]:
    """A kernel that averages along this way (2,), in pixels."""
    reach = math.ceil(float(np.abs(way).max()) / 2)
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    half = np.round(way / 2).astype(int)
    start, end = (reach - half).tolist(), (reach + half).tolist()
    cv2.line(kernel, start, end, 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)
