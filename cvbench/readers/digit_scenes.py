"""The embedded data set ``digit-scenes``: scikit-learn's handwritten digits, composed on cluttered canvases.

A *composed* set: the digits are real, the scenes are not. Training scenes hold glyphs of the digits' train split
alone, test scenes glyphs of its test split alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge

from cvbench.contracts import Reader, Splits
from cvbench.errors import DataError
from cvbench.readers.digits import Digits
from cvbench.readers.glyphs import GLYPH, INK, TURNED, padded, turned
from cvbench.samples import AnnotationKind, BoolArray, Dataset, DatasetSpec, LabelledImages, UInt8Array, labelled
from cvbench.scenes import Instance, InstanceImages
from cvbench.seeds import derive_seed

FloatPicture = npt.NDArray[np.float32]

MOST_DIGITS = 5
ENLARGED = (1.5, 3.0)
LEAST_VISIBLE = 0.8  # share of a digit that later ones must leave to be seen
PLACES_TRIED = 8
MOST_CLUTTER = 4  # strokes, and torn pieces of digits
NOISE = 8.0  # standard deviation, of 255


@dataclass(frozen=True)
class DigitScenesOptions:
    """``train`` and ``test``: how many scenes. ``size``: their height and width. Another ``seed``, other scenes."""

    train: Annotated[int, Ge(1)] = 400
    test: Annotated[int, Ge(1)] = 200
    size: tuple[Annotated[int, Ge(40)], Annotated[int, Ge(40)]] = (64, 64)
    seed: int = 0


class DigitScenes(Reader):
    """Needs no network and no folder. Instances: a mask for every digit, of what later ones leave to be seen."""

    summary = "composed scenes: 1 to 5 of scikit-learn's digits on a cluttered canvas, with masks; nothing to download"
    licence = "CC BY 4.0 (UCI)"
    Options = DigitScenesOptions

    def open(self, root: Path | None) -> Splits:
        if root is not None:
            raise DataError("digit-scenes is composed from scikit-learn's digits and takes no root", where=str(root))
        options: DigitScenesOptions = self.options
        glyphs = Digits().open(None)
        spec = DatasetSpec("digit-scenes", AnnotationKind.INSTANCES, glyphs.train.spec.classes, *options.size, 3)

        def scenes(split: str, own: Dataset, count: int) -> InstanceImages:
            rng = np.random.default_rng(derive_seed(options.seed, "digit scenes", split))
            drawn = [draw_scene(labelled(own), options.size, rng) for _ in range(count)]
            return InstanceImages.of_instances(spec, np.stack([one[0] for one in drawn]), [one[1] for one in drawn])

        return Splits(scenes("train", glyphs.train, options.train), scenes("test", glyphs.test, options.test))


def draw_scene(
    glyphs: LabelledImages, size: tuple[int, int], rng: np.random.Generator
) -> tuple[UInt8Array, list[Instance]]:
    """uint8 (H, W, 3) and its digits, from back to front: clutter first, then digits that may cover each other."""
    canvas = _background(size, rng)
    for _ in range(rng.integers(0, MOST_CLUTTER + 1)):
        _paint(canvas, _placed(_torn(glyphs.images[rng.integers(len(glyphs)), ..., 0], rng), size, rng), rng)
    shown: list[tuple[int, BoolArray, int]] = []  # label, visible part, pixels of the whole
    for _ in range(rng.integers(1, MOST_DIGITS + 1)):
        number = rng.integers(len(glyphs))
        for _ in range(PLACES_TRIED):
            opacity = _placed(glyphs.images[number, ..., 0], size, rng)
            free = opacity < INK
            if all(np.count_nonzero(mask & free) >= LEAST_VISIBLE * whole for _, mask, whole in shown):
                _paint(canvas, opacity, rng)
                shown = [(label, mask & free, whole) for label, mask, whole in shown]
                shown.append((int(glyphs.labels[number]), ~free, int(np.count_nonzero(~free))))
                break
    canvas += rng.normal(0, NOISE, canvas.shape)
    return canvas.clip(0, 255).astype(np.uint8), [Instance(label, mask) for label, mask, _ in shown]


def _background(size: tuple[int, int], rng: np.random.Generator) -> FloatPicture:
    """float32 (H, W, 3): dark and patchy, with strokes across."""
    from PIL import Image, ImageDraw

    patches = Image.fromarray(rng.integers(0, 96, (4, 4, 3), np.uint8))
    picture = patches.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for _ in range(rng.integers(0, MOST_CLUTTER + 1)):
        ends = [(float(x), float(y)) for x, y in rng.random((2, 2)) * (size[1], size[0])]
        pen.line(ends, fill=_ink(rng), width=int(rng.integers(1, 3)))
    return np.asarray(picture, np.float32).copy()


def _torn(glyph: UInt8Array, rng: np.random.Generator) -> UInt8Array:
    """A quarter of the digit's square: ink of the same kind that is no digit."""
    top, left = rng.integers(0, GLYPH // 2 + 1, 2)
    piece = np.zeros_like(glyph)
    own = np.s_[top : top + GLYPH // 2, left : left + GLYPH // 2]
    piece[own] = glyph[own]
    return piece


def _placed(glyph: UInt8Array, size: tuple[int, int], rng: np.random.Generator) -> UInt8Array:
    """uint8 (H, W): the digit's opacity on the canvas, enlarged, turned and wholly inside."""
    scale, turn = rng.uniform(*ENLARGED), math.radians(rng.uniform(-TURNED, TURNED))
    reach = GLYPH / 2 * scale * (abs(math.cos(turn)) + abs(math.sin(turn)))
    y, x = (rng.uniform(reach, side - reach) for side in size)
    return turned(padded(glyph), scale, turn, (x, y), size)


def _paint(canvas: FloatPicture, opacity: UInt8Array, rng: np.random.Generator) -> None:
    share = opacity[..., None] / np.float32(255)
    canvas += share * (np.array(_ink(rng), np.float32) - canvas)


def _ink(rng: np.random.Generator) -> tuple[int, ...]:
    return tuple(rng.integers(130, 256, 3).tolist())
