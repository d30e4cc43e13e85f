"""The pictures that look memorized, each beside the training picture that it is nearest to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cvbench.samples import UInt8Array

COLUMNS = 5  # pairs per row
GAP, EDGE = 2, 10  # pixels within a pair, and between pairs
LINE = 18  # pixels: the heading above all, and the distance under a pair
FONT = 12  # pixels
LEAST_SIDE = 56  # smaller pictures are enlarged by a whole factor, so that they can be seen
HEADING = "left: synthetic · right: its nearest training picture · below: their distance, as the extractor sees it"


def pair_sheet(
    synthetic: UInt8Array, train: UInt8Array, distances: Sequence[float], columns: int = COLUMNS
) -> Image.Image:
    """uint8 (N, H, W, C) twice → pairs in rows on white, the synthetic picture at the left, their distance below."""
    count, height, width, channels = synthetic.shape
    scale = max(1, -(-LEAST_SIDE // max(height, width)))
    high, wide = height * scale, width * scale
    rows, down, across = -(-count // columns), high + LINE, 2 * wide + GAP + EDGE
    pairs_wide, font = min(columns, count) * across - EDGE, ImageFont.load_default(FONT)
    whole = max(pairs_wide, round(font.getlength(HEADING)) + 2 * GAP)
    sheet = np.full((LINE + rows * down, whole, channels), 255, np.uint8)
    corners = [(LINE + number // columns * down, number % columns * across) for number in range(count)]
    for (top, left), pair in zip(corners, zip(synthetic, train, strict=True), strict=True):
        for place, picture in enumerate(pair):
            start = left + place * (wide + GAP)
            sheet[top : top + high, start : start + wide] = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    image = Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
    pen = ImageDraw.Draw(image)
    pen.text((GAP, LINE // 2), HEADING, fill="black", font=font, anchor="lm")
    for (top, left), distance in zip(corners, distances, strict=True):
        pen.text((left + wide, top + high + LINE // 2), f"{distance:.3g}", fill="black", font=font, anchor="mm")
    return image
