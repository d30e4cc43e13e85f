"""How much a part of a frame looks like the object did in the first frame: what filters over places measure with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import cv2
import numpy as np

from cvbench.samples import FloatArray, UInt8Array
from cvbench_tasks.sot.boxes import around, centres_and_sizes

LikelihoodName = Literal["histogram", "template"]
POINTS = 16  # per side of a box, at which its pixels are read
LEVELS = {1: 16, 3: 8}  # of brightness, per channel, by the number of channels
SURROUNDINGS = 2.0  # times the box's sides: what the object's colours are held against


class Likelihood(ABC):
    """Boxes are float64 (n, 4); likenesses float64 (n,) in 0..1, 1 for a perfect likeness."""

    @abstractmethod
    def learn(self, frame: UInt8Array, box: FloatArray) -> None:
        """Keep what the object in this box (4,) looks like."""

    @abstractmethod
    def __call__(self, frame: UInt8Array, boxes: FloatArray) -> FloatArray:
        """How like it each of the boxes is."""


class Histogram(Likelihood):
    """The Bhattacharyya coefficient of colour histograms (Pérez et al., ECCV 2002, eq. 5).

    Bins that fill the surroundings too count less (Comaniciu et al., IEEE TPAMI 25(5), 2003, section 6.1): a box of
    background is no likeness.
    """

    def learn(self, frame: UInt8Array, box: FloatArray) -> None:
        centre, size = centres_and_sizes(box)
        wide, own = self._counts(frame, np.stack([around(centre, SURROUNDINGS * size), box]))
        outside = np.clip(wide - own / SURROUNDINGS**2, 0, None)  # the box is that share of the wide one's points
        least = outside[outside > 0].min() if outside.any() else 1.0
        self.weights = np.minimum(least / np.where(outside > 0, outside, least), 1)
        self.model = self._weighted(own[None])[0]

    def __call__(self, frame: UInt8Array, boxes: FloatArray) -> FloatArray:
        return np.asarray(np.sqrt(self._weighted(self._counts(frame, boxes)) * self.model).sum(axis=1))

    def _counts(self, frame: UInt8Array, boxes: FloatArray) -> FloatArray:
        """(n, bins) shares of each box's points."""
        levels = LEVELS[frame.shape[2]]
        binned = patches(frame, boxes).astype(np.int64) * levels // 256
        numbers = binned @ levels ** np.arange(frame.shape[2])
        bins = levels ** frame.shape[2]
        numbers = numbers.reshape(len(boxes), -1) + bins * np.arange(len(boxes))[:, None]
        counts = np.bincount(numbers.ravel(), minlength=bins * len(boxes)).reshape(len(boxes), bins)
        return np.asarray(counts / POINTS**2)

    def _weighted(self, counts: FloatArray) -> FloatArray:
        weighted = counts * self.weights
        return np.asarray(weighted / np.maximum(weighted.sum(axis=1, keepdims=True), 1e-12))


class Template(Likelihood):
    """The normalised cross-correlation with the first frame's pixels; a negative one is 0."""

    def learn(self, frame: UInt8Array, box: FloatArray) -> None:
        self.model = self._standardised(frame, box[None])[0]

    def __call__(self, frame: UInt8Array, boxes: FloatArray) -> FloatArray:
        return np.asarray(np.clip(self._standardised(frame, boxes) @ self.model, 0, 1))

    def _standardised(self, frame: UInt8Array, boxes: FloatArray) -> FloatArray:
        """(n, values) of mean 0 and length 1."""
        values = patches(frame, boxes).reshape(len(boxes), -1).astype(np.float64)
        values -= values.mean(axis=1, keepdims=True)
        return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12))


LIKELIHOODS: dict[LikelihoodName, type[Likelihood]] = {"histogram": Histogram, "template": Template}


def patches(frame: UInt8Array, boxes: FloatArray) -> UInt8Array:
    """uint8 (n, 16, 16, C): each box's pixels at evenly spread points; beyond the frame its edge goes on."""
    shares = ((np.arange(POINTS) + 0.5) / POINTS).astype(np.float32)
    corners = boxes.astype(np.float32)
    sizes = corners[:, 2:] - corners[:, :2]
    columns = corners[:, :1] + shares * sizes[:, :1] - 0.5  # OpenCV counts from the first pixel's centre
    rows = corners[:, 1:2] + shares * sizes[:, 1:] - 0.5
    shape = (len(boxes), POINTS, POINTS)
    across = np.broadcast_to(columns[:, None, :], shape).reshape(len(boxes), -1)
    down = np.broadcast_to(rows[:, :, None], shape).reshape(len(boxes), -1)
    read = cv2.remap(
        np.ascontiguousarray(frame),
        np.ascontiguousarray(across),
        np.ascontiguousarray(down),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(read, np.uint8).reshape(*shape, frame.shape[2])
