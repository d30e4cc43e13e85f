"""What is learnt of how real objects move: how many at a time, how fast for their size, for how long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cvbench.clips import Clips, Tracks
from cvbench.samples import FloatArray, IntArray
from cvbench.scenes import Float32Array

STRIDE = 5  # frames over which a speed is measured: annotators' boxes tremble
QUANTILES = np.linspace(0.05, 0.95, 19)
LONGEST = 64  # frames
SLOWEST = 0.01  # of its own length per frame, when no track is long enough to tell


@dataclass(frozen=True)
class Habits:
    """Quantiles: of ``at_once``, how many objects a frame has; of ``speeds``, in an object's own length per frame."""

    at_once: tuple[int, ...]
    speeds: tuple[float, ...]
    length: int


def habits_of(train: Clips) -> Habits:
    """The clips' habits; ignored rows do not count."""
    counts = [_counts(clip.tracks) for clip in train.clips]
    every = np.concatenate([own for own in counts if len(own)])
    at_once = np.quantile(every, QUANTILES, method="nearest").astype(int)
    speeds = np.concatenate([np.zeros(0), *(speeds_of(clip.tracks) for clip in train.clips)])
    found = np.quantile(speeds, QUANTILES) if len(speeds) else np.array([SLOWEST])
    length = int(np.median([len(clip) for clip in train.clips]))
    return Habits(tuple(at_once.tolist()), tuple(found.tolist()), max(2, min(length, LONGEST)))


def speeds_of(tracks: Tracks) -> FloatArray:
    """(k,): how far each object comes per frame, in its own length (its box's longer side)."""
    found: list[FloatArray] = []
    for one in np.unique(tracks.ids[~tracks.ignored]):
        own = (tracks.ids == one) & ~tracks.ignored
        frames, boxes = tracks.frames[own], tracks.boxes[own].astype(np.float64)
        stride = min(STRIDE, len(frames) - 1)
        if stride < 1:
            continue
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        way = np.hypot(*(centres[stride:] - centres[:-stride]).T)
        found.append(way / (frames[stride:] - frames[:-stride]) / _longer(boxes[stride:]))
    return np.concatenate([np.zeros(0), *found])


def lengths_by_class(train: Sequence[Tracks], classes: int) -> list[FloatArray]:
    """Class → the longer sides of its boxes in pixels."""
    boxes = np.concatenate([tracks.boxes[~tracks.ignored] for tracks in train])
    labels = np.concatenate([tracks.labels[~tracks.ignored] for tracks in train])
    return [_longer(boxes[labels == label]) for label in range(classes)]


def _longer(boxes: Float32Array | FloatArray) -> FloatArray:
    return np.asarray(np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]), np.float64)


def _counts(tracks: Tracks) -> IntArray:
    """Of every frame with an object, how many it has."""
    return np.unique(tracks.frames[~tracks.ignored], return_counts=True)[1]
