"""The pictures that look memorized, each beside the training picture that it is nearest to."""

from __future__ import annotations

import numpy as np
from PIL import Image

from cvbench.samples import UInt8Array

COLUMNS = 5  # pairs per row
GAP, EDGE = 2, 10  # pixels within a pair, and between pairs
LEAST_SIDE = 56  # smaller pictures are enlarged by a whole factor, so that they can be seen


def pair_sheet(synthetic: UInt8Array, train: UInt8Array, columns: int = COLUMNS) -> Image.Image:
    """uint8 (N, H, W, C) twice → pairs in rows on white, the synthetic picture at the left."""
    count, height, width, channels = synthetic.shape
    scale = max(1, -(-LEAST_SIDE // max(height, width)))
    high, wide = height * scale, width * scale
    rows, stride = -(-count // columns), 2 * wide + GAP + EDGE
    sheet = np.full((rows * (high + EDGE) - EDGE, min(columns, count) * stride - EDGE, channels), 255, np.uint8)
    for number, pair in enumerate(zip(synthetic, train, strict=True)):
        top, left = number // columns * (high + EDGE), number % columns * stride
        for place, picture in enumerate(pair):
            start = left + place * (wide + GAP)
            sheet[top : top + high, start : start + wide] = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    return Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
