"""The objects of real pictures, each with a mask, whatever annotates the pictures.

Instances have their masks. In a semantic mask an object is a connected region of a class of things. In a box it is
what GrabCut finds (Rother, Kolmogorov and Blake, SIGGRAPH 2004; OpenCV's).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from cvbench.contracts import Progress
from cvbench.errors import DataError, NotApplicable, near_names
from cvbench.samples import AnnotationKind, BoolArray, Dataset, IntArray, UInt8Array
from cvbench.scenes import (
    BACKGROUND,
    BoxedImages,
    InstanceImages,
    SegmentedImages,
    tight_box,
)
from cvbench_generators.scenes.pieces import Piece, areas, as_instances, at_border, whole_pixels

THING_SHARE = 0.25  # of the picture: a class whose pixels lie in regions larger on average is not one of things
THING_AT_BORDER = 0.55  # of a class's pixels in regions at the border: CamVid's cars have 0.51, its fences 0.60
MOST_GRABBED = 400  # boxes per class that GrabCut is run on: it takes some 10 ms each
GRABBED_SIDE = 64  # pixels: larger boxes are made smaller for GrabCut
GRAB_ROUNDS = 3
GRAB_MARGIN = 0.25  # of the box's sides: how much of its surroundings GrabCut sees
BOX_AGREEMENT = 0.7  # IoU of the box with the one around what GrabCut found: below, it has found something else


def objects_of(
    train: Dataset, things: Sequence[str] | None, least_pixels: int, seed: int, progress: Progress
) -> tuple[InstanceImages, tuple[str, ...]]:
    """All objects of the pictures with their masks, under the pictures' own classes, and notes for the report.

    Raises :class:`NotApplicable` for pictures annotated otherwise, :class:`DataError` for an unknown thing.
    """
    if things is not None and not isinstance(train, SegmentedImages):
        raise NotApplicable("the option things is for semantic masks; these pictures have objects")
    if isinstance(train, InstanceImages):
        return train, ()
    if isinstance(train, SegmentedImages):
        return _regions(train, things, least_pixels)
    if isinstance(train, BoxedImages):
        return _grabbed(train, seed, progress)
    raise NotApplicable("cut_paste needs pictures with masks, boxes or instances")


def whole_objects(objects: InstanceImages, least_pixels: int) -> IntArray:
    """Numbers of the objects that can be pasted: no crowds, none that its picture's border cuts.

    A class that has none but at the border gives those.
    """
    usable = ~objects.crowd & (areas(objects) >= least_pixels)
    inside = usable & ~at_border(objects).any(axis=1)
    only_at_border = ~np.isin(objects.labels, objects.labels[inside])
    return np.flatnonzero(inside | (usable & only_at_border)).astype(np.int64)


# ---------------------------------------------------------------------------------- semantic masks


def _regions(
    train: SegmentedImages, things: Sequence[str] | None, least_pixels: int
) -> tuple[InstanceImages, tuple[str, ...]]:
    spec = train.spec
    for name in things or ():
        if name not in spec.classes:
            raise DataError(f"things: unknown class {name!r}", where=spec.name, hint=near_names(name, spec.classes))
    chosen = [spec.classes.index(name) for name in things] if things is not None else _compact_classes(train)
    if not chosen:
        raise NotApplicable("no class has compact regions to cut; name the classes to cut with things")
    found = [_connected(mask, chosen, least_pixels) for mask in train.masks]
    objects = as_instances(replace(spec, kind=AnnotationKind.INSTANCES), train.images, found)
    return objects, (f"things: {', '.join(spec.classes[label] for label in chosen)}",)


def _compact_classes(train: SegmentedImages) -> list[int]:
    """The classes that come in regions which are small and mostly whole: the average is over pixels, not regions."""
    classes, (height, width) = train.spec.classes, train.masks.shape[1:]
    pixels, share, at_edge = (np.zeros(len(classes)) for _ in range(3))
    for mask in train.masks:
        for label in np.intersect1d(mask, range(len(classes))).tolist():
            _, _, stats, _ = cv2.connectedComponentsWithStats((mask == label).astype(np.uint8))
            x, y, wide, high, area = stats[1:].T
            edge = (x == 0) | (y == 0) | (x + wide == width) | (y + high == height)
            pixels[label] += area.sum()
            share[label] += (area.astype(float) ** 2).sum() / mask.size
            at_edge[label] += area[edge].sum()
    compact = (pixels > 0) & (share <= THING_SHARE * pixels) & (at_edge <= THING_AT_BORDER * pixels)
    return [label for label in np.flatnonzero(compact).tolist() if classes[label] != BACKGROUND]


def _connected(mask: UInt8Array, labels: Sequence[int], least_pixels: int) -> list[Piece]:
    """The connected regions of these classes in a semantic mask (H, W)."""
    pieces = []
    for label in np.intersect1d(mask, labels).tolist():
        count, regions, stats, _ = cv2.connectedComponentsWithStats((mask == label).astype(np.uint8))
        for region in range(1, count):
            x, y, wide, high, area = stats[region].tolist()
            if area >= least_pixels:
                pieces.append(Piece(label, x, y, regions[y : y + high, x : x + wide] == region))
    return pieces


# -------------------------------------------------------------------------------------------- boxes


def _grabbed(train: BoxedImages, seed: int, progress: Progress) -> tuple[InstanceImages, tuple[str, ...]]:
    chosen = _some_of_each_class(train, seed)
    picture_of = np.searchsorted(train.starts, chosen, side="right") - 1
    pieces: list[list[Piece]] = [[] for _ in range(len(train))]
    guessed = 0
    for done, (number, picture) in enumerate(zip(chosen.tolist(), picture_of.tolist(), strict=True)):
        progress(done, len(chosen), "cutting objects out of their boxes")
        x1, y1, x2, y2 = whole_pixels(train.boxes[number])
        mask = _grab(np.asarray(train.images[picture]), (x1, y1, x2, y2))
        if mask is None:
            mask, guessed = ellipse_in(y2 - y1, x2 - x1), guessed + 1
        pieces[picture].append(Piece(int(train.labels[number]), x1, y1, mask).tight())
    spec = replace(train.spec, kind=AnnotationKind.INSTANCES)
    return as_instances(spec, train.images, pieces), (_cut_by(len(chosen), guessed),)


def _cut_by(boxes: int, guessed: int) -> str:
    """How many boxes GrabCut found an object in."""
    if not guessed:
        return f"{boxes} boxes: GrabCut found the object in all"
    found = "any; cut as ellipses" if guessed == boxes else f"{guessed}; these are cut as ellipses"
    return f"{boxes} boxes: GrabCut found no object in {found}"


def _some_of_each_class(train: BoxedImages, seed: int) -> IntArray:
    """In order, the numbers of at most ``MOST_GRABBED`` objects of each class that are no crowds."""
    rng = np.random.default_rng(seed)
    chosen = [np.zeros(0, np.int64)]
    for label in range(len(train.spec.classes)):
        own = np.flatnonzero((train.labels == label) & ~train.crowd)
        chosen.append(rng.permutation(own)[:MOST_GRABBED])
    return np.sort(np.concatenate(chosen))


def _grab(image: UInt8Array, box: tuple[int, int, int, int]) -> BoolArray | None:
    """bool mask within the box of the object that fills it, or None where GrabCut finds no such thing."""
    x1, y1, x2, y2 = box
    height, width = image.shape[:2]
    pad_x, pad_y = (max(2, round(GRAB_MARGIN * side)) for side in (x2 - x1, y2 - y1))
    left, top, right, bottom = max(0, x1 - pad_x), max(0, y1 - pad_y), min(width, x2 + pad_x), min(height, y2 + pad_y)
    around = image[top:bottom, left:right]
    shrink = min(1.0, GRABBED_SIDE / max(around.shape[:2]))
    small = cv2.resize(around, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    colour = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR) if small.ndim == 2 else small
    inside = [round(shrink * side) for side in (x1 - left, y1 - top, x2 - x1, y2 - y1)]
    if min(inside[2:]) < 3 or inside[2] * inside[3] >= colour.shape[0] * colour.shape[1]:
        return None
    labels = np.zeros(colour.shape[:2], np.uint8)
    cv2.setRNGSeed(0)  # GrabCut starts from k-means, which draws
    try:
        cv2.grabCut(colour, labels, inside, np.zeros((1, 65)), np.zeros((1, 65)), GRAB_ROUNDS, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # a box without two colours
        return None
    sure = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.uint8)
    whole = cv2.resize(sure, around.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    mask = _largest_region(whole[y1 - top : y2 - top, x1 - left : x2 - left])
    if mask is None:
        return None
    found = tight_box(mask)
    agreement = (found[2] - found[0]) * (found[3] - found[1]) / mask.size  # it lies inside: this is the IoU
    return mask if agreement >= BOX_AGREEMENT else None


def _largest_region(mask: UInt8Array) -> BoolArray | None:
    """bool: the largest connected region of what is not 0, its holes filled; None without any."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled.astype(np.bool_)


def ellipse_in(height: int, width: int) -> BoolArray:
    """bool (h, w), as its mirror images: the pixels whose middles are in the ellipse that touches all four sides."""
    rows = (np.arange(height)[:, None] + 0.5) / height * 2 - 1
    columns = (np.arange(width)[None] + 0.5) / width * 2 - 1
    return np.asarray(rows**2 + columns**2 <= 1) if min(height, width) > 1 else np.ones((height, width), np.bool_)
