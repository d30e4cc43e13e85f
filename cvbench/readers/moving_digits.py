"""The embedded data set ``moving-digits``: scikit-learn's handwritten digits, moving over cluttered backgrounds.

A *composed* set: the digits are real, the video is not. Training clips show glyphs of the digits' train split alone,
test clips glyphs of its test split alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge
from PIL import Image, ImageDraw

from cvbench.clips import Clip, Clips, Tracks
from cvbench.contracts import Reader, Splits
from cvbench.errors import DataError
from cvbench.readers.digits import Digits
from cvbench.readers.glyphs import GLYPH, INK, TURNED, padded, turned
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages, UInt8Array, labelled
from cvbench.seeds import derive_seed

FloatPicture = npt.NDArray[np.float32]
Path2D = npt.NDArray[np.float64]  # (L, 2): x, y of a centre in every frame

ENLARGED = (1.75, 3.0)
BRIGHTNESS = (130, 256)
SPEED = (0.6, 2.5)  # pixels per frame
JERK = 0.15  # standard deviation of the acceleration, in pixels per frame²
PASSING = 0.4  # share of several digits that enter at an edge, cross the picture and leave
MOST_CLUTTER = 6  # strokes in the background
MOST_DISTRACTORS = 2  # moving pieces of digits, some in front
CAMERA = 0.4  # pixels per frame that the background may drift, either way
NOISE = 8.0  # standard deviation, of 255


@dataclass(frozen=True)
class MovingDigitsOptions:
    """``train`` and ``test``: how many clips of ``length`` frames. ``size``: their height and width.

    ``objects``: the most digits in a clip; at least two, unless it is 1: then the digit is there from the first frame
    to the last, as single-object trackers are tested. ``classes``: every digit is a ``digit``, or one of ``ten``
    classes. Another ``seed``, other clips.
    """

    train: Annotated[int, Ge(1)] = 24
    test: Annotated[int, Ge(1)] = 12
    length: Annotated[int, Ge(2)] = 40
    size: tuple[Annotated[int, Ge(48)], Annotated[int, Ge(48)]] = (96, 96)
    objects: Annotated[int, Ge(1)] = 4
    classes: Literal["one", "ten"] = "one"
    seed: int = 0


@dataclass(frozen=True)
class Mover:
    """A glyph on its way: its opacity, padded so that a stroke at its edge fades out.

    ``label`` is None for a distractor, which nothing annotates.
    """

    glyph: Image.Image
    label: int | None
    centres: Path2D
    scale: float
    turn: float
    ink: float


class MovingDigits(Reader):
    """Needs no network and no folder. Tracks: a box and the visible share of every digit that is in the picture."""

    summary = "composed clips: scikit-learn's digits move, cross, enter and leave, with tracks; nothing to download"
    licence = "CC BY 4.0 (UCI)"
    Options = MovingDigitsOptions

    def open(self, root: Path | None) -> Splits:
        if root is not None:
            raise DataError("moving-digits is composed from scikit-learn's digits and takes no root", where=str(root))
        options: MovingDigitsOptions = self.options
        glyphs = Digits().open(None)
        classes = glyphs.train.spec.classes if options.classes == "ten" else ("digit",)
        spec = DatasetSpec("moving-digits", AnnotationKind.TRACKS, classes, *options.size, 1)

        def clips(split: str, own: LabelledImages, count: int) -> Clips:
            seeds = [derive_seed(options.seed, "moving digits", split, number) for number in range(count)]
            return Clips(
                spec,
                tuple(
                    _clip(f"{split}-{number:03d}", own, options, np.random.default_rng(seed))
                    for number, seed in enumerate(seeds)
                ),
            )

        train, test = labelled(glyphs.train), labelled(glyphs.test)
        return Splits(clips("train", train, options.train), clips("test", test, options.test))


def _clip(name: str, glyphs: LabelledImages, options: MovingDigitsOptions, rng: np.random.Generator) -> Clip:
    """Frames uint8 (L, H, W, 1) and their tracks; movers cover each other in one depth order, the last in front."""
    movers = [_digit(glyphs, options, rng) for _ in range(rng.integers(min(2, options.objects), options.objects + 1))]
    for _ in range(rng.integers(0, MOST_DISTRACTORS + 1)):
        movers.insert(int(rng.integers(len(movers) + 1)), _distractor(glyphs, options, rng))
    ids = np.cumsum([mover.label is not None for mover in movers])
    height, width = options.size
    scenery, drift = _scenery(options, rng), rng.uniform(-CAMERA, CAMERA, 2)
    frames = np.empty((options.length, height, width, 1), np.uint8)
    rows: list[tuple[int, int, tuple[int, int, int, int], int, float]] = []
    for number in range(options.length):
        canvas = _seen(scenery, drift, number, options)
        owners = np.zeros((height, width), np.int16)
        present = []
        for place, mover in enumerate(movers, start=1):
            opacity, left, top = _drawn(mover, number)
            whole = _paint(canvas, owners, opacity, left, top, mover.ink, place)
            if mover.label is not None and (owners == place).any():
                present.append((place, mover.label, _box(opacity, left, top), whole))
        for place, label, box, whole in present:
            seen = np.count_nonzero(owners == place) / whole
            rows.append((number, int(ids[place - 1]), box, 0 if options.classes == "one" else label, seen))
        canvas += NOISE * rng.standard_normal(canvas.shape, np.float32)
        frames[number] = canvas.clip(0, 255).astype(np.uint8)[..., None]
    columns = [np.array([row[part] for row in rows]) for part in range(5)]
    return Clip(name, frames, Tracks.of(*columns))


# ---------------------------------------------------------------------------------------- movers


def _digit(glyphs: LabelledImages, options: MovingDigitsOptions, rng: np.random.Generator) -> Mover:
    number = int(rng.integers(len(glyphs)))
    crosses = options.objects > 1 and rng.random() < PASSING
    path = _crossing(options, rng) if crosses else _bouncing(options, rng)
    return _mover(glyphs.images[number, ..., 0], int(glyphs.labels[number]), path, rng)


def _distractor(glyphs: LabelledImages, options: MovingDigitsOptions, rng: np.random.Generator) -> Mover:
    """The upper or lower half of a digit: ink of the same kind that is no digit."""
    glyph = glyphs.images[rng.integers(len(glyphs)), ..., 0].copy()
    glyph[np.s_[: GLYPH // 2] if rng.random() < 0.5 else np.s_[GLYPH // 2 :]] = 0
    return _mover(glyph, None, _crossing(options, rng), rng)


def _mover(glyph: UInt8Array, label: int | None, path: Path2D, rng: np.random.Generator) -> Mover:
    scale, turn = rng.uniform(*ENLARGED), math.radians(rng.uniform(-TURNED, TURNED))
    return Mover(padded(glyph), label, path, scale, turn, float(rng.integers(*BRIGHTNESS)))


def _bouncing(options: MovingDigitsOptions, rng: np.random.Generator) -> Path2D:
    """Starts inside and turns round before its centre leaves."""
    margin = GLYPH / 2 * ENLARGED[1]
    side = np.array([options.size[1], options.size[0]])
    place, speed = rng.uniform(margin, side - margin), _velocity(rng.uniform(0, 2 * math.pi), rng)
    path = np.empty((options.length, 2))
    for centre in path:
        centre[:] = place
        speed += rng.normal(0, JERK, 2)
        out = (place + speed < margin / 2) | (place + speed > side - margin / 2)
        speed[out] *= -1
        place = (place + speed).clip(margin / 2, side - margin / 2)
    return path


def _crossing(options: MovingDigitsOptions, rng: np.random.Generator) -> Path2D:
    """Starts beyond an edge, at some time, and passes by the picture's middle."""
    side = np.array([options.size[1], options.size[0]])
    reach = float(np.hypot(*side)) / 2 + GLYPH
    angle = rng.uniform(0, 2 * math.pi)
    goal = side / 2 + rng.uniform(-0.25, 0.25, 2) * side
    fast = max(rng.uniform(*SPEED), 2 * reach / options.length)
    begins = rng.uniform(-0.25, 0.4) * options.length
    along = (np.arange(options.length) - begins) * fast - reach
    wander = rng.normal(0, JERK, (options.length, 2)).cumsum(axis=0)
    path: Path2D = goal + along[:, None] * np.array([math.cos(angle), math.sin(angle)]) + wander
    return path


def _velocity(angle: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return rng.uniform(*SPEED) * np.array([math.cos(angle), math.sin(angle)])


# --------------------------------------------------------------------------------------- drawing


def _scenery(options: MovingDigitsOptions, rng: np.random.Generator) -> Image.Image:
    """Dark patches with strokes across, large enough for the camera's drift."""
    height, width = (side + 2 * _spare(options) for side in options.size)
    patches = Image.fromarray(rng.integers(0, 96, (6, 6), np.uint8))
    picture = patches.resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.integers(1, MOST_CLUTTER + 1)):
        ends = [(float(x), float(y)) for x, y in rng.random((2, 2)) * (width, height)]
        pen.line(ends, fill=int(rng.integers(60, 180)), width=int(rng.integers(1, 3)))
    return picture


def _seen(scenery: Image.Image, drift: Path2D, number: int, options: MovingDigitsOptions) -> FloatPicture:
    """float32 (H, W): the part of the scenery that the camera shows."""
    x, y = _spare(options) + drift * (number - options.length / 2)
    size = (options.size[1], options.size[0])
    moved = scenery.transform(size, Image.Transform.AFFINE, (1, 0, x, 0, 1, y), Image.Resampling.BILINEAR)
    return np.asarray(moved, np.float32).copy()


def _spare(options: MovingDigitsOptions) -> int:
    return math.ceil(CAMERA * options.length / 2) + 1


def _drawn(mover: Mover, number: int) -> tuple[UInt8Array, int, int]:
    """The mover's opacity as a small square, and where its left and upper edges lie in the frame."""
    side = math.ceil(GLYPH * mover.scale * math.sqrt(2)) + 3
    x, y = mover.centres[number]
    left, top = math.floor(x - side / 2), math.floor(y - side / 2)
    return turned(mover.glyph, mover.scale, mover.turn, (x - left, y - top), (side, side)), left, top


def _paint(
    canvas: FloatPicture, owners: npt.NDArray[np.int16], opacity: UInt8Array, left: int, top: int, ink: float, own: int
) -> int:
    """Draw it on the canvas and enter it among the pixels' owners; how many pixels it has, in the picture or not."""
    height, width = canvas.shape
    y1, x1, y2, x2 = max(top, 0), max(left, 0), min(top + len(opacity), height), min(left + len(opacity), width)
    if y1 < y2 and x1 < x2:
        part = opacity[y1 - top : y2 - top, x1 - left : x2 - left]
        under = canvas[y1:y2, x1:x2]
        under += part / np.float32(255) * (np.float32(ink) - under)
        owners[y1:y2, x1:x2][part >= INK] = own
    return int(np.count_nonzero(opacity >= INK))


def _box(opacity: UInt8Array, left: int, top: int) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 around the digit's ink; it may leave the picture."""
    rows, columns = np.flatnonzero((opacity >= INK).any(axis=1)), np.flatnonzero((opacity >= INK).any(axis=0))
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1
