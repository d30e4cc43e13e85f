"""Textures and shapes that no picture was needed for."""

from __future__ import annotations

import cv2
import numpy as np

from cvbench.samples import UInt8Array

OCTAVES = (3, 6, 12, 24)  # cells a side
MOST_POINTS = 8  # of a polygon or star


def texture(height: int, width: int, channels: int, rng: np.random.Generator, *, bright: bool = False) -> UInt8Array:
    """uint8 (H, W, C): smooth noise of several scales around a random colour; a ``bright`` one is above mid-grey."""
    picture = np.zeros((height, width, channels), np.float32)
    for cells in OCTAVES:
        noise = rng.normal(0, 1, (cells, cells, channels)).astype(np.float32)
        grown = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC).reshape(picture.shape)
        picture += grown / np.sqrt(cells / OCTAVES[0])
    low, high = (130, 230) if bright else (30, 150)
    colour = rng.uniform(low, high, channels)
    return (colour + rng.uniform(8, 30) * picture).round().clip(0, 255).astype(np.uint8)


def shape_masks(count: int, side: int, rng: np.random.Generator) -> UInt8Array:
    """uint8 (n, side, side), 0 or 255: ellipses, polygons and stars."""
    masks = np.zeros((count, side, side), np.uint8)
    for mask in masks:
        points = int(rng.integers(3, MOST_POINTS + 1))
        angles = np.sort(rng.uniform(0, 2 * np.pi / points, points) + np.arange(points) * 2 * np.pi / points)
        radii = rng.uniform(0.6, 1, points) * (side / 2 - 2)
        stretch = np.array([1, rng.uniform(0.5, 1)])
        if rng.random() < 1 / 3:
            axes = np.round(stretch * (side / 2 - 2)).astype(int).tolist()
            cv2.ellipse(mask, (side // 2, side // 2), axes, 0, 0, 360, 255, cv2.FILLED)
            continue
        if rng.random() < 0.5:  # a star: points and dents between them
            angles = np.repeat(angles, 2) + np.tile([0, np.pi / points], points)
            radii = np.repeat(radii, 2) * np.tile([1, 0.5], points)
        corners = side / 2 + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1) * stretch
        cv2.fillPoly(mask, [corners.round().astype(np.int32)], 255)
    return masks
