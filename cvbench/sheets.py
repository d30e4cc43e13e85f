"""Contact sheets: pictures side by side, for people to look at."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cvbench.samples import IntArray, LabelledImages, UInt8Array

COLUMNS = 10
MARGIN = 2  # pixels between pictures
NAME_SIZE, LONGEST_NAME = 12, 24  # pixels, letters
LEAST_SIDE = 56  # pixels: smaller pictures are enlarged by a whole factor, so that they can be seen


def contact_sheet(data: LabelledImages, columns: int = COLUMNS, *, above: LabelledImages | None = None) -> Image.Image:
    """One row per class, its name before it, the first ``columns`` pictures of each; gaps stay white.

    ``above``: real pictures for a first row, the first of each class in turn.
    """
    names = list(data.spec.classes)
    rows = [data.images[np.flatnonzero(data.labels == label)[:columns]] for label in range(len(names))]
    if above is not None:
        names, rows = ["real", *names], [above.images[of_each_class(above, columns)], *rows]
    return _named(as_image(_grid(rows, columns)), names)


def rows_sheet(rows: Mapping[str, UInt8Array]) -> Image.Image:
    """One row per name, of pictures uint8 (n, H, W, C); what stands in one column belongs together."""
    return _named(as_image(_grid(list(rows.values()), max(map(len, rows.values())))), list(rows))


def _named(sheet: Image.Image, names: list[str]) -> Image.Image:
    """The sheet with a name at the left of each of its rows."""
    font, high = ImageFont.load_default(NAME_SIZE), sheet.height // len(names)
    shown = [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in names]
    left = round(max(font.getlength(name) for name in shown)) + 3 * MARGIN
    whole = Image.new(sheet.mode, (left + sheet.width, sheet.height), "white")
    whole.paste(sheet, (left, 0))
    pen = ImageDraw.Draw(whole)
    for row, name in enumerate(shown):
        pen.text((MARGIN, row * high + high // 2), name, fill="black", font=font, anchor="lm")
    return whole


def of_each_class(data: LabelledImages, columns: int = COLUMNS) -> IntArray:
    """Places of the first picture of each class, then of the second of each, until the row is full."""
    places = [np.flatnonzero(data.labels == label)[:columns] for label in range(len(data.spec.classes))]
    in_turn = [own[turn] for turn in range(columns) for own in places if turn < len(own)]
    return np.array(in_turn[:columns], dtype=np.int64)


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
