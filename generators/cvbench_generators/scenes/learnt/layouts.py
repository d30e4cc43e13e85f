"""A scene before it is painted: which class is seen at each pixel, and of which object.

New ones are real layouts with objects dropped, added from another picture and moved. What is annotated is the layout
itself, so it is exact as far as the painted picture follows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cvbench.samples import AnnotationKind, DatasetSpec, Pictures, UInt8Array
from cvbench.scenes import IGNORED, BoxedImages, SegmentedImages
from cvbench_generators.scenes.annotating import Visibility
from cvbench_generators.scenes.learnt.regions import Region, Regions, class_of
from cvbench_generators.scenes.pieces import Piece, as_instances
from cvbench_generators.scenes.placing import Ground, mirror_image, placed_box


@dataclass(frozen=True)
class Layout:
    """``classes`` uint8 (H, W): what is seen at each pixel, or ``IGNORED``; ``owners`` int32 (H, W): of which object,
    counted from 1 at the front; ``colours`` uint8 (H, W, C): the mean colour that the pixel's real region has;
    ``pieces``: what is seen of the objects.
    """

    classes: UInt8Array
    owners: npt.NDArray[np.int32]
    colours: UInt8Array
    pieces: tuple[Piece, ...]


def real_layout(regions: Regions, place: int, mirrored: bool = False) -> Layout:
    """The layout of the real picture at this place, or of its mirror image."""
    objects: Sequence[Region] = regions.objects[place]
    if mirrored:
        width = regions.train.spec.width
        objects = [replace(region, piece=_mirrored(region.piece, width)) for region in objects]
    return _painted(regions, place, objects, mirrored, Visibility(0, 1))


def draw_layout(regions: Regions, rng: np.random.Generator) -> Layout:
    """A new layout, all of it drawn from ``rng``."""
    options, spec = regions.options, regions.train.spec
    place = int(rng.integers(len(regions.train)))
    lenders = regions.lenders(place)
    lender = int(lenders[rng.integers(len(lenders))])
    mirrored, lent_mirrored = (options.flips != "none" and bool(rng.random() < 0.5) for _ in range(2))
    none = np.zeros((0, 4), np.float32)
    ground = Ground(spec.height, spec.width, regions.content[place], none, none)
    ground = mirror_image(ground) if mirrored else ground
    kept = [(region, mirrored) for region in regions.objects[place] if _stays(region, options.exchanged, rng)]
    dropped = len(regions.objects[place]) - len(kept)
    lent = [region for region in regions.objects[lender] if not region.piece.crowd]
    kept += [(lent[number], lent_mirrored) for number in rng.permutation(len(lent))[:dropped].tolist()]
    placed: list[Region] = []
    for region, turned in kept:
        moved = _moved(regions, region, turned, ground, rng)
        if moved is not None:
            placed.append(moved)
            ground = replace(ground, boxes=np.append(ground.boxes, np.array([moved.piece.box], np.float32), axis=0))
    return _painted(regions, place, placed, mirrored, Visibility(options.least_visible, options.least_pixels))


def _stays(region: Region, exchanged: float, rng: np.random.Generator) -> bool:
    return region.piece.crowd or bool(rng.random() >= exchanged)


def _moved(regions: Regions, region: Region, turned: bool, ground: Ground, rng: np.random.Generator) -> Region | None:
    """The region near its real place, mirrored if ``turned``; None where there is no room for it.

    One that its picture's border cuts stays there: anywhere else its cut edge would show.
    """
    piece = _mirrored(region.piece, ground.width) if turned else region.piece
    if not region.fixed:
        high, wide = piece.mask.shape
        left, upper, right, lower = ground.content.tolist()
        if wide > right - left or high > lower - upper:  # cut from a picture of another shape
            return None
        box = placed_box(regions.layouts, region.entry, turned, (wide, high), ground, rng)
        if box is None:
            return None
        piece = replace(piece, x=int(box[0]), y=int(box[1]))
    return replace(region, piece=piece)


def _mirrored(piece: Piece, width: int) -> Piece:
    return replace(piece, x=width - piece.box[2], mask=piece.mask[:, ::-1])


def _painted(regions: Regions, place: int, placed: Sequence[Region], mirrored: bool, least: Visibility) -> Layout:
    """The ground with the regions on it, later ones over earlier ones, without those that are mostly hidden."""
    classes = regions.grounds[place][:, ::-1] if mirrored else regions.grounds[place]
    colours = regions.ground_colours[place][np.minimum(classes, regions.ground_colours.shape[1] - 1)]
    classes, owners, pieces = classes.copy(), np.zeros(classes.shape, np.int32), []
    for region in reversed(placed):  # from the front: what is left out covers nothing
        x1, y1, x2, y2 = region.piece.box
        free = owners[y1:y2, x1:x2] == 0
        seen = region.piece.mask & free
        if not seen.any() or not (region.piece.crowd or least.enough(seen, int(np.count_nonzero(region.piece.mask)))):
            continue
        pieces.append(replace(region.piece, mask=seen).tight())
        owners[y1:y2, x1:x2][seen] = len(pieces)
        label = IGNORED if region.piece.crowd else class_of(region.piece.label, regions.train.spec)
        classes[y1:y2, x1:x2][seen] = label
        colours[y1:y2, x1:x2][seen] = region.colour
    return Layout(classes, owners, colours, tuple(reversed(pieces)))


def annotated(spec: DatasetSpec, images: UInt8Array, layouts: Sequence[Layout]) -> Pictures:
    """The painted pictures (N, H, W, C) with their layouts as annotation, of the spec's kind."""
    if spec.kind is AnnotationKind.MASK:
        return SegmentedImages(spec, images, np.stack([layout.classes for layout in layouts]))
    if spec.kind is AnnotationKind.INSTANCES:
        return as_instances(spec, images, [layout.pieces for layout in layouts])
    rows = [layout.pieces for layout in layouts]
    boxes = [np.array([piece.box for piece in own], np.float32) for own in rows]
    labels = [np.array([piece.label for piece in own], np.int64) for own in rows]
    return BoxedImages.of(spec, images, boxes, labels, [np.array([piece.crowd for piece in own]) for own in rows])
