"""Glyphs of the digits as the composed sets draw them: enlarged and turned, anywhere in a picture."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from cvbench.samples import UInt8Array

GLYPH = 8  # pixels a side
TURNED = 15.0  # degrees, either way
INK = 128  # a pixel belongs to the digit from this opacity on, of 255


def padded(glyph: UInt8Array) -> Image.Image:
    """Opacity uint8 (GLYPH, GLYPH) with a margin, so that a stroke at its edge fades out."""
    return Image.fromarray(np.pad(glyph, GLYPH // 2))


def turned(
    glyph: Image.Image, scale: float, turn: float, centre: tuple[float, float], size: tuple[int, int]
) -> UInt8Array:
    """The opacity uint8 (H, W) of a padded glyph, ``scale`` times as large and turned by ``turn`` radians.

    ``centre`` is where its middle comes to lie, x and y; ``size`` is H and W.
    """
    x, y = centre
    cos, sin = math.cos(turn) / scale, math.sin(turn) / scale
    back = (cos, sin, GLYPH - cos * x - sin * y, -sin, cos, GLYPH + sin * x - cos * y)
    return np.asarray(glyph.transform((size[1], size[0]), Image.Transform.AFFINE, back, Image.Resampling.BICUBIC))
