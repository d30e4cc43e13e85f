"""SORT: predict every track's box, assign detections to them by overlap, correct (Bewley et al., arXiv 1602.00763)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from cvbench.samples import FloatArray, IntArray, UInt8Array
from cvbench.scenes import Float32Array
from cvbench_tasks.tracking.association import Associator
from cvbench_tasks.tracking.models import SortOptions
from cvbench_tasks.tracking.overlap import overlaps


class BoxFilter(ABC):
    """Estimates where one object is. Boxes are (4,) x1, y1, x2, y2 in pixels."""

    @abstractmethod
    def predict(self) -> FloatArray:
        """The box in the next frame, before that is looked at."""

    @abstractmethod
    def correct(self, box: FloatArray) -> FloatArray:
        """The box in this frame, after it was detected there."""


@dataclass
class Track:
    """``hits``: frames in a row with a detection, the first not counted. ``missed``: frames since the last one."""

    id: int
    filter: BoxFilter
    box: FloatArray
    hits: int = 0
    missed: int = 0


class Sort(Associator):
    """The paper's life of a track around any filter; ``start`` makes one at an object's first box."""

    def __init__(self, options: SortOptions, start: Callable[[FloatArray], BoxFilter]) -> None:
        self.options, self.start = options, start
        self.tracks: list[Track] = []
        self.frames = self.born = 0

    def update(self, boxes: FloatArray, scores: Float32Array, frame: UInt8Array) -> tuple[FloatArray, IntArray]:
        options = self.options
        boxes = boxes[scores >= options.min_score]
        for track in self.tracks:
            track.box = track.filter.predict()
            track.missed += 1
        pairs = assigned(np.array([track.box for track in self.tracks]).reshape(-1, 4), boxes, options.iou_threshold)
        for number, track in enumerate(self.tracks):
            if number in pairs:
                track.box = track.filter.correct(boxes[pairs[number]])
                track.hits, track.missed = track.hits + 1, 0
            else:
                track.hits = 0
        self.tracks = [track for track in self.tracks if track.missed <= options.max_age]
        for place in sorted(set(range(len(boxes))) - set(pairs.values())):
            self.tracks.append(Track(self.born, self.start(boxes[place]), boxes[place]))
            self.born += 1
        self.frames += 1
        early = self.frames <= options.min_hits
        told = [track for track in self.tracks if track.missed == 0 and (early or track.hits >= options.min_hits)]
        return np.array([track.box for track in told]).reshape(-1, 4), np.array([track.id for track in told], np.int64)


def assigned(predicted: FloatArray, boxes: FloatArray, threshold: float) -> dict[int, int]:
    """Which of ``boxes`` (k, 4) each of ``predicted`` (n, 4) is: the largest sum of overlaps (Kuhn, 1955).

    Pairs below the threshold, and those that do not touch, are none.
    """
    overlap = overlaps(predicted, boxes)
    numbers, places = linear_sum_assignment(overlap, maximize=True)
    near = (overlap[numbers, places] >= threshold) & (overlap[numbers, places] > 0)
    return dict(zip(numbers[near].tolist(), places[near].tolist(), strict=True))
