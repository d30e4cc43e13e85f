"""Colours that tell classes, instances or tracks apart."""

from __future__ import annotations

import colorsys

GOLDEN = 0.618034  # of the colour circle: neighbours in a list lie far apart on it
HUES = 8  # after so many they come near each other again


def colour(number: int) -> tuple[int, int, int]:
    """RGB of a class, an instance or a track: bright, and unlike its neighbours'."""
    bright = 1 if number // HUES % 2 == 0 else 0.7
    red, green, blue = colorsys.hsv_to_rgb(number * GOLDEN % 1, 0.8 if number % 2 else 0.55, bright)
    return round(255 * red), round(255 * green), round(255 * blue)
