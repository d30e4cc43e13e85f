"""One pass through a clip: what a tracker must be able to do, and models that are nothing but a tracker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from cvbench.clips import Clip, as_clips
from cvbench.contracts import Augmentation, Budget, Model, Progress, Workplace
from cvbench.samples import Dataset, FloatArray, UInt8Array
from cvbench.seeds import derive_seed
from cvbench_tasks.sot.sequences import Trajectory, given


class Tracker(ABC):
    """Follows one object through one clip. Frames are uint8 (H, W, C), boxes float64 (4,) x1, y1, x2, y2 in pixels."""

    @abstractmethod
    def start(self, frame: UInt8Array, box: FloatArray) -> None:
        """Learn the object in the first frame."""

    @abstractmethod
    def follow(self, frame: UInt8Array) -> FloatArray:
        """Its box in the next frame."""


class Static(Tracker):
    """Never moves: the first frame's box in every frame. What a tracker must beat to be one."""

    def start(self, frame: UInt8Array, box: FloatArray) -> None:
        self.box = box

    def follow(self, frame: UInt8Array) -> FloatArray:
        return self.box


def one_pass(tracker: Tracker, clip: Clip) -> Trajectory:
    """The tracker's boxes in every frame of the clip, which is read frame by frame and never held whole."""
    boxes, seconds = np.empty((len(clip), 4)), np.empty(len(clip))
    for number, frame in enumerate(clip.frames):
        began = perf_counter()
        if number == 0:
            boxes[0] = given(clip)
            tracker.start(frame, boxes[0].copy())
        else:
            boxes[number] = tracker.follow(frame)
        seconds[number] = perf_counter() - began
    return Trajectory(boxes, seconds)


def all_passes(fresh: Callable[[int], Tracker], data: Dataset, seed: int) -> Iterator[Trajectory]:
    """One :class:`Trajectory` per clip, each by a fresh tracker that draws from a seed of the clip's own."""
    for clip in as_clips(data).clips:
        yield one_pass(fresh(derive_seed(seed, "one pass", clip.digest)), clip)


class Untrained(Model):
    """A tracker that knows nothing but the first frame: there is nothing to train, save or load."""

    def __init__(self, fresh: Callable[[int], Tracker], *, seed: int) -> None:
        self.fresh, self.seed = fresh, seed

    def train(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        budget: Budget,
        augmentation: Augmentation,
        seed: int,
        progress: Progress,
        workplace: Workplace,
    ) -> None:
        pass

    def predict(self, data: Dataset) -> Iterator[Trajectory]:
        """One :class:`Trajectory` per clip."""
        return all_passes(self.fresh, data, self.seed)

    def save(self, folder: Path) -> None:
        pass

    def load(self, folder: Path) -> None:
        pass
