"""What new layouts are made of: the objects of real pictures, and the ground that is left without them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from cvbench.contracts import silent
from cvbench.errors import NotApplicable
from cvbench.samples import AnnotationKind, BoolArray, Dataset, DatasetSpec, IntArray, Pictures, UInt8Array
from cvbench.scenes import IGNORED, BoxedImages, Float32Array, InstanceImages, SegmentedImages
from cvbench_generators.scenes.backgrounds import void_label
from cvbench_generators.scenes.layout import Layouts, learnt_layouts
from cvbench_generators.scenes.learnt import LayoutOptions
from cvbench_generators.scenes.objects import objects_of
from cvbench_generators.scenes.pieces import Piece, as_instances, content_box, pieces_of, union, whole_pixels


@dataclass(frozen=True)
class Region:
    """A real object: its mask, its mean ``colour`` (C,), and its number among the real layouts' objects.

    ``fixed``: it touches its picture's border, or is a crowd, and stays where it is; a crowd has no ``entry``.
    """

    piece: Piece
    colour: UInt8Array
    entry: int
    fixed: bool


@dataclass(frozen=True)
class Regions:
    """Real pictures taken apart. Classes are those of a semantic mask: see :func:`seen_classes`.

    ``grounds`` uint8 (N, H, W): the class of each pixel with the objects taken away, or ``IGNORED``;
    ``ground_colours`` uint8 (N, P, C): the mean colour of each class of the ground, the last one of what is ignored;
    ``objects``: the regions of each picture; ``layouts``: where real objects lie; ``content`` (N, 4): the boxes of
    the pictures without padding.
    """

    train: Pictures
    options: LayoutOptions
    grounds: UInt8Array
    ground_colours: UInt8Array
    objects: tuple[tuple[Region, ...], ...]
    layouts: Layouts
    content: Float32Array

    def lenders(self, place: int) -> IntArray:
        """The pictures that lend objects to the one at this place: those others that look most like it.

        A picture lends to itself only where it is the only one: of its own objects there is nothing to exchange.
        """
        looks = self.layouts.looks
        if len(looks) == 1:
            return np.array([place], np.int64)
        others = np.delete(np.arange(len(looks)), place)
        return others[replace(self.layouts, looks=looks[others]).alike(looks[place], self.options.alike)]


def seen_classes(spec: DatasetSpec) -> int:
    """How many classes a pixel can have, ``IGNORED`` included; objects are on a background, class 0."""
    return len(spec.classes) + (1 if spec.kind is AnnotationKind.MASK else 2)


def class_of(label: int, spec: DatasetSpec) -> int:
    """An object's class as a semantic mask has it."""
    return label if spec.kind is AnnotationKind.MASK else label + 1


def regions_of(train: Dataset, options: LayoutOptions, name: str) -> Regions:
    """The pictures taken apart. Objects of boxes are the ellipses in them.

    Raises :class:`NotApplicable` for pictures without objects or annotated otherwise,
    :class:`~cvbench.errors.UserError` for an unknown thing.
    """
    if not isinstance(train, SegmentedImages | BoxedImages):
        raise NotApplicable(f"{name} needs pictures with masks, boxes or instances")
    if isinstance(train, BoxedImages) and not isinstance(train, InstanceImages):
        objects = _ellipses(train)
    else:
        objects, _ = objects_of(train, options.things, options.least_pixels, 0, silent)
    if not len(objects.labels):
        raise NotApplicable(f"there is no object in the {len(train)} training pictures")
    layouts = learnt_layouts(objects, None)
    classes, spec = seen_classes(train.spec), train.spec
    grounds = np.zeros((len(train), spec.height, spec.width), np.uint8)
    colours = np.zeros((len(train), classes, spec.channels), np.uint8)
    taken_apart = []
    for place in range(len(train)):
        pieces, image = pieces_of(objects, place), np.asarray(train.images[place])
        taken_apart.append(_regions(image, pieces, layouts, place))
        hole = union(pieces, spec.height, spec.width)
        if isinstance(train, SegmentedImages):
            grounds[place] = _filled(train.masks[place], hole, void_label(spec))
        colours[place] = _mean_colours(image, grounds[place], hole, classes)
    content = np.array([content_box(image) for image in train.images], np.float32).reshape(-1, 4)
    return Regions(train, options, grounds, colours, tuple(taken_apart), layouts, content)


def _regions(image: UInt8Array, pieces: list[Piece], layouts: Layouts, place: int) -> tuple[Region, ...]:
    found, entry = [], int(layouts.starts[place])
    for piece in pieces:
        x1, y1, x2, y2 = piece.box
        colour = image[y1:y2, x1:x2][piece.mask].mean(axis=0).round().astype(np.uint8)
        fixed = piece.crowd or bool(layouts.touching[entry].any())
        found.append(Region(piece, colour, entry, fixed))
        entry += not piece.crowd
    return tuple(found)


def _filled(mask: UInt8Array, hole: BoolArray, otherwise: int) -> UInt8Array:
    """The mask with the hole filled with the class of the nearest pixel outside that has one."""
    known = ~hole & (mask != IGNORED)
    if not known.any():
        return np.where(hole, np.uint8(otherwise), mask)
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.where(hole, mask[tuple(nearest)], mask)


def _mean_colours(image: UInt8Array, ground: UInt8Array, hole: BoolArray, classes: int) -> UInt8Array:
    """uint8 (P, C): the mean over each class's pixels outside the hole; of all pixels for a class without any."""
    colours = np.tile(image.mean(axis=(0, 1)), (classes, 1))
    numbers = np.minimum(ground, classes - 1)
    for number in np.unique(numbers[~hole]).tolist():
        colours[number] = image[(numbers == number) & ~hole].mean(axis=0)
    return colours.round().astype(np.uint8)


def _ellipses(train: BoxedImages) -> InstanceImages:
    """Each box as the ellipse in it, of whole pixels."""
    pieces: list[list[Piece]] = []
    for place in range(len(train)):
        pieces.append([])
        own = train.objects(place)
        for number in range(own.start, own.stop):
            x1, y1, x2, y2 = whole_pixels(train.boxes[number])
            mask = np.zeros((y2 - y1, x2 - x1), np.uint8)
            corners = ((x2 - x1 - 1) / 2, (y2 - y1 - 1) / 2), (x2 - x1, y2 - y1), 0.0
            cv2.ellipse(mask, corners, 1, cv2.FILLED)
            mask |= np.uint8(not mask.any())
            label, crowd = int(train.labels[number]), bool(train.crowd[number])
            pieces[-1].append(Piece(label, x1, y1, mask.astype(np.bool_), crowd).tight())
    return as_instances(replace(train.spec, kind=AnnotationKind.INSTANCES), train.images, pieces)
