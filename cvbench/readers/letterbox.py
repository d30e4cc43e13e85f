"""Pictures of any size brought to one: scaled with their aspect kept, centred, padded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cvbench.samples import AnyArray, BoolArray, FloatArray, UInt8Array

PADDING = 114  # the grey that YOLO pads with


@dataclass(frozen=True)
class Letterbox:
    """Where a picture of ``height`` × ``width`` lands on a canvas of ``size`` (height, width), all in pixels."""

    height: int
    width: int
    size: tuple[int, int]

    @property
    def inner(self) -> tuple[int, int]:
        """The scaled picture's height and width."""
        scale = min(self.size[0] / self.height, self.size[1] / self.width)
        return max(1, round(self.height * scale)), max(1, round(self.width * scale))

    @property
    def corner(self) -> tuple[int, int]:
        """Its top and left edge on the canvas."""
        return (self.size[0] - self.inner[0]) // 2, (self.size[1] - self.inner[1]) // 2

    def picture(self, pixels: UInt8Array) -> UInt8Array:
        """uint8 (h, w, C) → (H, W, C): area-averaged where it shrinks, bilinear where it grows, padded with grey."""
        from PIL import Image

        if pixels.shape[:2] == self.size:
            return pixels
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        scaled = np.asarray(image.resize(self.inner[::-1], Image.Resampling.BILINEAR))
        return self._padded(scaled.reshape(*self.inner, pixels.shape[2]), PADDING)

    def mask(self, values: npt.NDArray[np.uint8], padding: int) -> UInt8Array:
        """uint8 (h, w) → (H, W), each pixel the value of its nearest."""
        if values.shape == self.size:
            return values
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(self.inner, values.shape, strict=True)
        )
        return self._padded(values[np.ix_(rows, columns)], padding)

    def boolean(self, mask: BoolArray) -> BoolArray:
        """bool (h, w) → (H, W), false in the padding."""
        return self.mask(mask.astype(np.uint8), 0).astype(np.bool_)

    def boxes(self, boxes: FloatArray) -> FloatArray:
        """float64 (k, 4) in pixels of the picture → in pixels of the canvas."""
        down, across = self.inner[0] / self.height, self.inner[1] / self.width
        top, left = self.corner
        return boxes * (across, down, across, down) + (left, top, left, top)

    def own_boxes(self, boxes: FloatArray) -> FloatArray:
        """float64 (k, 4) in pixels of the canvas → in pixels of the picture: the inverse of :meth:`boxes`."""
        down, across = self.inner[0] / self.height, self.inner[1] / self.width
        top, left = self.corner
        return (boxes - (left, top, left, top)) / (across, down, across, down)

    def _padded(self, scaled: AnyArray, padding: int) -> UInt8Array:
        canvas = np.full((*self.size, *scaled.shape[2:]), padding, np.uint8)
        top, left = self.corner
        canvas[top : top + self.inner[0], left : left + self.inner[1]] = scaled
        return canvas
