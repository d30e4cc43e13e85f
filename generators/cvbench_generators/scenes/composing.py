"""A scene before it is painted: which background, which objects, how they are turned, and where they lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from cvbench.samples import IntArray, UInt8Array
from cvbench.scenes import Float32Array
from cvbench_generators.scenes import CutPasteOptions
from cvbench_generators.scenes.distractors import draw_distractor
from cvbench_generators.scenes.pasting import Cutout, Patch, colour_table, recoloured, transformed
from cvbench_generators.scenes.pieces import bounds
from cvbench_generators.scenes.placing import Ground, mirror_image, placed_box, within
from cvbench_generators.scenes.stock import Stock

MOST_ZOOM = 2.0  # up or down: further, an object is blurred or aliased to something that no real one looks like


@dataclass(frozen=True)
class Scene:
    """``background``: its place among the backgrounds, mirrored if ``flipped``; later patches cover earlier ones."""

    background: int
    flipped: bool
    patches: tuple[Patch, ...]


def draw_scene(stock: Stock, rng: np.random.Generator) -> Scene:
    """One scene, all of it drawn from ``rng``."""
    background = int(rng.integers(len(stock.backgrounds)))
    image, flips = stock.backgrounds.images[background], stock.options.flips != "none"
    height, width = image.shape[:2]
    ground = Ground(height, width, stock.content(background), stock.boxes_on(background), stock.crowds_on(background))
    flipped, mirrored = _coin(flips, rng), _coin(flips, rng)
    if flipped:
        image, ground = image[:, ::-1], mirror_image(ground)
    patches: list[Patch] = []
    for _ in range(int(rng.integers(stock.options.distractors + 1))):
        distractor = draw_distractor(image, ground, rng)
        patches += [distractor] if distractor else []
    for entry in _entries(stock, background, rng).tolist():
        pasted = _pasted(stock, background, entry, mirrored, ground, rng)
        if pasted is not None:
            patch, box = pasted
            ground = replace(ground, boxes=np.concatenate([ground.boxes, box[None]]))
            patches.insert(int(rng.integers(len(patches) + 1)), patch)
    return Scene(background, flipped, tuple(patches))


def _entries(stock: Stock, background: int, rng: np.random.Generator) -> IntArray:
    """Which real objects' places are taken up: those of one picture that lends its layout.

    On a background that keeps its objects it is a random part of them, at least one (Ghiasi et al.,
    arXiv 2012.07177); on an empty one all of them, so that the pictures are as full as real ones.
    """
    starts, lenders = stock.layouts.starts, stock.lenders(background)
    if stock.keeps_objects:
        counts = np.diff(starts)
        filled = lenders[counts[lenders] > 0]
        lenders = filled if len(filled) else np.flatnonzero(counts)
    lender = int(lenders[rng.integers(len(lenders))])
    entries = rng.permutation(np.arange(starts[lender], starts[lender + 1]))
    return entries[: rng.integers(1, len(entries) + 1)] if stock.keeps_objects else entries


# ------------------------------------------------------------------------------------------ objects


def _pasted(
    stock: Stock, background: int, entry: int, mirrored: bool, ground: Ground, rng: np.random.Generator
) -> tuple[Patch, Float32Array] | None:
    """An object in the place of a real one, and its box; None where there is no such object or no room for it."""
    label = int(stock.layouts.labels[entry])
    candidates = stock.candidates(background, label)
    if not len(candidates):
        return None
    cutout = stock.cutout(int(candidates[rng.integers(len(candidates))]))
    x1, y1, x2, y2 = stock.layouts.boxes[entry].tolist()
    layers = _varied(cutout, sqrt((x2 - x1) * (y2 - y1)), stock.options, rng)
    mask = layers[..., -1] >= 128
    left, top, right, low = bounds(mask)
    if not right:
        return None
    box = placed_box(stock.layouts, entry, mirrored, (right - left, low - top), ground, rng)
    if box is None:
        return None
    pixels = recoloured(layers[..., :-1], colour_table(rng, stock.options.colour, cutout.mean))
    x, y = (int(box[0]) - left, int(box[1]) - top)
    return within(ground.content, Patch(label, x, y, pixels, mask, int(np.count_nonzero(mask)))), box


def _varied(cutout: Cutout, side: float, options: CutPasteOptions, rng: np.random.Generator) -> UInt8Array:
    """Layers (h, w, C + 1) of the cutout at about this size (the root of its box's area), turned and mirrored."""
    wanted = side / sqrt(cutout.sides[0] * cutout.sides[1]) * rng.uniform(*options.scale)
    degrees = options.rotation * rng.uniform(-1, 1) + 180 * _coin(options.flips == "both", rng)
    factor = max(1 / MOST_ZOOM, min(MOST_ZOOM, wanted))
    return transformed(cutout, factor, degrees, _coin(options.flips != "none", rng))


def _coin(tossed: bool, rng: np.random.Generator) -> bool:
    return tossed and bool(rng.random() < 0.5)
