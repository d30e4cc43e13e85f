"""How boxes become tracks: what an associator must be able to do, and which one a model's name stands for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from cvbench.samples import FloatArray, IntArray, UInt8Array
from cvbench.scenes import Float32Array


class Associator(ABC):
    """Follows the objects of one class through one clip."""

    @abstractmethod
    def update(self, boxes: FloatArray, scores: Float32Array, frame: UInt8Array) -> tuple[FloatArray, IntArray]:
        """The next frame's detections in, the objects that are there out.

        ``boxes`` (k, 4) x1, y1, x2, y2 in pixels, ``scores`` (k,) 0..1, ``frame`` (H, W, C). Gives boxes (m, 4) and
        their ids (m,), from 0, each at most once.
        """


Fresh = Callable[[int], Associator]  # an associator for one clip, that draws its chances from this seed


def associator(name: str, options: Any) -> Fresh:
    """The associator of a model. Raises :class:`~cvbench.errors.NotInstalled` without the library that it is from."""
    if name == "sort":
        from cvbench_tasks.tracking.kalman import KalmanBox
        from cvbench_tasks.tracking.sort import Sort

        return lambda _: Sort(options, KalmanBox)
    if name == "particle":
        from cvbench_tasks.tracking.particle import ParticleBox
        from cvbench_tasks.tracking.sort import Sort

        return lambda seed: Sort(options, partial(ParticleBox, options, np.random.default_rng(seed)))
    from cvbench_tasks.tracking.roboflow import RoboflowTracker, library

    trackers = library()
    return lambda _: RoboflowTracker(trackers, name, options)
