"""What clips are made of: cut-outs of objects and the backgrounds that they move over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cvbench.clips import Clip, Clips, frames_with_boxes
from cvbench.contracts import Progress, Workplace, silent
from cvbench.errors import NotApplicable
from cvbench.samples import AnnotationKind, DatasetSpec, FloatArray, IntArray, UInt8Array
from cvbench.seeds import derive_seed
from cvbench_generators.motion import CUT, SHAPES, MotionOptions
from cvbench_generators.motion.cutting import LEAST_PIXELS, SIDE, Cutout, cutouts
from cvbench_generators.motion.learnt import lengths_by_class
from cvbench_generators.motion.procedural import shape_masks, texture
from cvbench_generators.scenes import CutPasteOptions
from cvbench_generators.scenes.backgrounds import inpainted
from cvbench_generators.scenes.drawn_objects import drawn_objects
from cvbench_generators.scenes.objects import objects_of
from cvbench_generators.scenes.pieces import Piece, as_instances

MOST_FRAMES = 96  # of all clips together: what objects are cut from
MOST_BACKGROUNDS = 32  # and one of each clip
MOST_CLIPS = 48  # of them, evenly spread
WHOLE = 0.9  # visibility from which on an object is cut
SHAPES_DRAWN = 200


@dataclass(frozen=True)
class Stock:
    """``pixels`` uint8 (n, S, S, C), ``masks`` uint8 (n, S, S), 0 or 255, ``labels`` int64 (n,), ``lengths`` (n,): the
    longer side in pixels that each has in a frame. ``backgrounds``: uint8 (H, W, C) each, of the clips' sizes.
    """

    pixels: UInt8Array
    masks: UInt8Array
    labels: IntArray
    lengths: FloatArray
    backgrounds: tuple[UInt8Array, ...]


def stock_of(
    train: Clips, options: MotionOptions, seed: int, progress: Progress, workplace: Workplace
) -> tuple[Stock, tuple[str, ...], int]:
    """The stock, notes for the report, and how many parameters were learnt.

    Raises :class:`NotApplicable` when no object of the clips can be cut.
    """
    spread = np.linspace(0, len(train) - 1, min(len(train), MOST_CLIPS)).astype(int)
    chosen = [train.clips[place] for place in np.unique(spread)]
    lengths = lengths_by_class([clip.tracks for clip in train.clips], len(train.spec.classes))
    rng = np.random.default_rng(derive_seed(seed, "textures"))
    cut, backgrounds = _from_frames(train.spec, chosen, options, seed, progress)
    if options.backgrounds == "textures":
        shapes = [chosen[place % len(chosen)].shape for place in range(MOST_BACKGROUNDS)]
        backgrounds = [texture(height, width, channels, rng) for height, width, channels in shapes]
    if options.objects == SHAPES:
        return _shapes(train.spec, lengths, tuple(backgrounds), rng), ("objects: procedural shapes",), 0
    if not cut:
        raise NotApplicable("no object that is wholly seen can be cut from these clips")
    stock = Stock(
        np.stack([one.pixels for one in cut]),
        np.stack([one.mask for one in cut]),
        np.array([one.label for one in cut], np.int64),
        np.array([one.length for one in cut]),
        tuple(backgrounds),
    )
    ways = Counter(one.way for one in cut)
    said = f"objects: {len(cut)} cut by " + ", ".join(f"{way} ({count})" for way, count in sorted(ways.items()))
    if options.objects == CUT:
        return stock, (said,), 0
    drawn, notes, parameters = _drawn(stock, train.spec, options, lengths, seed, progress, workplace)
    return drawn, (said, *notes), parameters


def _from_frames(
    spec: DatasetSpec, chosen: Sequence[Clip], options: MotionOptions, seed: int, progress: Progress
) -> tuple[list[Cutout], list[UInt8Array]]:
    """The objects and, unless they are textures, the backgrounds that frames of these clips give."""
    cut: list[Cutout] = []
    backgrounds: list[UInt8Array] = []
    if options.objects == SHAPES and options.backgrounds == "textures":
        return cut, backgrounds
    for number, clip in enumerate(chosen):
        progress(number, len(chosen), "cutting objects out of frames")
        boxed = frames_with_boxes(_only_whole(spec, clip), most=max(1, MOST_FRAMES // len(chosen)))
        objects, _ = objects_of(boxed, None, LEAST_PIXELS, derive_seed(seed, "boxes", number), silent)
        cut += cutouts(objects)
        if options.backgrounds == "real":
            most = max(1, MOST_BACKGROUNDS // len(chosen))
            some = np.unique(np.linspace(0, len(boxed) - 1, min(most, len(boxed))).astype(int))
            backgrounds += list(inpainted(boxed.select(some), objects.select(some), silent).images)
    return cut, backgrounds


def _only_whole(spec: DatasetSpec, clip: Clip) -> Clips:
    """The clip alone. What is partly hidden is marked as ignored: it is not cut, and yet painted over."""
    height, width, _ = clip.shape
    hidden = clip.tracks.ignored | (clip.tracks.visibility < WHOLE)
    one = replace(clip, tracks=replace(clip.tracks, ignored=hidden))
    return Clips(replace(spec, height=height, width=width), (one,))


def _drawn(
    stock: Stock,
    spec: DatasetSpec,
    options: MotionOptions,
    lengths: Sequence[FloatArray],
    seed: int,
    progress: Progress,
    workplace: Workplace,
) -> tuple[Stock, tuple[str, ...], int]:
    """The stock with objects that a generator draws, which learnt them from those that were cut."""
    spec = replace(spec, kind=AnnotationKind.INSTANCES, height=SIDE, width=SIDE)
    pieces = [
        [Piece(label, 0, 0, mask > 0).tight()] for label, mask in zip(stock.labels.tolist(), stock.masks, strict=True)
    ]
    asked = CutPasteOptions(
        objects=options.objects,
        object_side=options.object_side,
        object_steps=options.object_steps,
        least_pixels=LEAST_PIXELS,
    )
    cut = as_instances(spec, stock.pixels, pieces)
    drawn, notes, parameters = drawn_objects(cut, asked, derive_seed(seed, "objects"), progress, workplace)
    rng = np.random.default_rng(derive_seed(seed, "lengths"))
    masks = np.zeros(drawn.images.shape[:3], np.uint8)
    for number, mask in enumerate(masks):
        x1, y1, x2, y2 = drawn.boxes[number].astype(int).tolist()
        mask[y1:y2, x1:x2][drawn.cut_mask(number)] = 255
    own = np.array([rng.choice(lengths[label]) for label in drawn.labels.tolist()])
    return Stock(drawn.images, masks, drawn.labels, own, stock.backgrounds), notes, parameters


def _shapes(
    spec: DatasetSpec, lengths: Sequence[FloatArray], backgrounds: tuple[UInt8Array, ...], rng: np.random.Generator
) -> Stock:
    """Textured ellipses, polygons and stars, of the classes and lengths that the clips have."""
    there = [label for label, own in enumerate(lengths) if len(own)]
    labels = rng.choice(there, SHAPES_DRAWN).astype(np.int64)
    masks = shape_masks(SHAPES_DRAWN, SIDE // 2, rng)
    pixels = np.stack([texture(SIDE // 2, SIDE // 2, spec.channels, rng, bright=True) for _ in masks])
    return Stock(pixels, masks, labels, np.array([rng.choice(lengths[label]) for label in labels]), backgrounds)
