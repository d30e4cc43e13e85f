"""An object as a small mask and where it lies: what is cut, pasted and annotated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cvbench.samples import BoolArray, DatasetSpec, IntArray, UInt8Array
from cvbench.scenes import BoxedImages, Float32Array, InstanceImages


@dataclass(frozen=True)
class Piece:
    """``mask`` bool (h, w), its upper left pixel at ``x``, ``y`` of the picture."""

    label: int
    x: int
    y: int
    mask: BoolArray
    crowd: bool = False

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2 of the whole array."""
        return self.x, self.y, self.x + self.mask.shape[1], self.y + self.mask.shape[0]

    def tight(self) -> Piece:
        """The same without empty rows and columns around it; its mask has a true pixel."""
        x1, y1, x2, y2 = bounds(self.mask)
        return Piece(self.label, self.x + x1, self.y + y1, self.mask[y1:y2, x1:x2], self.crowd)


def pieces_of(objects: InstanceImages, place: int) -> list[Piece]:
    """The objects of the picture at this place."""
    own = objects.objects(place)
    corners = objects.boxes[own, :2].astype(int).tolist()
    return [
        Piece(int(objects.labels[number]), x, y, objects.cut_mask(number), bool(objects.crowd[number]))
        for number, (x, y) in zip(range(own.start, own.stop), corners, strict=True)
    ]


def as_instances(spec: DatasetSpec, images: UInt8Array, pieces: Sequence[Sequence[Piece]]) -> InstanceImages:
    """The pictures with the tight pieces of each."""
    every = [piece for own in pieces for piece in own]
    return InstanceImages(
        spec,
        images,
        starts=starts_of(pieces),
        boxes=np.array([piece.box for piece in every], np.float32).reshape(-1, 4),
        labels=np.array([piece.label for piece in every], np.int64),
        crowd=np.array([piece.crowd for piece in every], np.bool_),
        bits=np.concatenate([np.zeros(0, np.uint8), *(piece.mask.astype(np.uint8).ravel() for piece in every)]),
    )


def union(pieces: Sequence[Piece], height: int, width: int) -> BoolArray:
    """bool (H, W): where any of them is."""
    covered = np.zeros((height, width), np.bool_)
    for piece in pieces:
        x1, y1, x2, y2 = piece.box
        covered[y1:y2, x1:x2] |= piece.mask
    return covered


def starts_of(parts: Sequence[Sequence[object]]) -> IntArray:
    """(N + 1,) where each picture's own begin when all stand in one row."""
    return np.cumsum([0, *map(len, parts)], dtype=np.int64)


def areas(objects: InstanceImages) -> IntArray:
    """(M,) how many pixels each object's mask has."""
    return np.array([np.count_nonzero(objects.cut_mask(number)) for number in range(len(objects.labels))], np.int64)


def at_border(objects: BoxedImages) -> BoolArray:
    """(M, 4) whether an object's box touches the left, upper, right and lower border of its picture's content."""
    content = np.array([content_box(image) for image in objects.images], np.float32).reshape(-1, 4)
    own = np.repeat(content, np.diff(objects.starts), axis=0)
    return np.concatenate([objects.boxes[:, :2] <= own[:, :2], objects.boxes[:, 2:] >= own[:, 2:]], axis=1)


def content_box(image: UInt8Array) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of a picture (H, W, C) without the bars of one colour that brought it to its size.

    Bars are equally wide, and either above and below or left and right: anything else is a plain background.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = bounds((image != image[0, 0]).any(axis=2))
    lying = (x1, x2) == (0, width) and abs(y1 - (height - y2)) <= 1
    standing = (y1, y2) == (0, height) and abs(x1 - (width - x2)) <= 1
    return (x1, y1, x2, y2) if lying or standing else (0, 0, width, height)


def whole_pixels(box: Float32Array) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of all pixels that a box has a part of."""
    x1, y1 = np.floor(box[:2]).astype(int).tolist()
    x2, y2 = np.ceil(box[2:]).astype(int).tolist()
    return x1, y1, x2, y2


def bounds(mask: BoolArray) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 around the true pixels of a mask (h, w); all 0 without any."""
    x, y, wide, high = cv2.boundingRect(mask.view(np.uint8))
    return x, y, x + wide, y + high
