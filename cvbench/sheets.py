"""Contact sheets: pictures side by side, for people to look at."""

from __future__ import annotations

import numpy as np
from PIL import Image

from cvbench.samples import LabelledImages, UInt8Array

COLUMNS = 10
MARGIN = 2  # pixels between pictures
LEAST_SIDE = 56  # pixels: smaller pictures are enlarged by a whole factor, so that they can be seen


def contact_sheet(data: LabelledImages, columns: int = COLUMNS, *, above: LabelledImages | None = None) -> Image.Image:
    """One row per class in the classes' order, the first ``columns`` pictures of each; gaps stay white.

    ``above``: pictures for a first row, such as real ones, the first of each class in turn.
    """
    rows = [data.images[np.flatnonzero(data.labels == label)[:columns]] for label in range(len(data.spec.classes))]
    return as_image(_grid([_of_each_class(above, columns), *rows] if above is not None else rows, columns))


def _of_each_class(data: LabelledImages, columns: int) -> UInt8Array:
    """The first picture of each class, then the second of each, until the row is full."""
    places = [np.flatnonzero(data.labels == label)[:columns] for label in range(len(data.spec.classes))]
    in_turn = [own[turn] for turn in range(columns) for own in places if turn < len(own)]
    return data.images[np.array(in_turn[:columns], dtype=np.int64)]


def _grid(rows: list[UInt8Array], columns: int) -> UInt8Array:
    side_high, side_wide, channels = rows[0].shape[1:]
    scale = max(1, -(-LEAST_SIDE // max(side_high, side_wide)))
    high, wide = side_high * scale + MARGIN, side_wide * scale + MARGIN
    sheet = np.full((len(rows) * high, columns * wide, channels), 255, np.uint8)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            enlarged = picture.repeat(scale, axis=0).repeat(scale, axis=1)
            top, left = row * high, column * wide
            sheet[top : top + enlarged.shape[0], left : left + enlarged.shape[1]] = enlarged
    return sheet


def as_image(pixels: UInt8Array) -> Image.Image:
    """uint8 (H, W, C) as Pillow's picture."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels))
