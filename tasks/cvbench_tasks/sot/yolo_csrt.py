"""``yolo_csrt``: the classic pair. A YOLO, trained on the clips' frames, starts CSRT again where it is lost.

CSRT follows; every few frames, or when CSRT itself reports a loss, YOLO looks. If nothing that it is sure of overlaps
CSRT's box, CSRT starts again at the detection that is nearest to where the object was last seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from cvbench.contracts import Workplace
from cvbench.samples import Dataset, DatasetSpec, FloatArray, UInt8Array
from cvbench_tasks.detection.on_frames import DetectorOnFrames
from cvbench_tasks.sot.boxes import centres_and_sizes, kept_inside, overlaps
from cvbench_tasks.sot.models import YoloCsrtOptions
from cvbench_tasks.sot.one_pass import Tracker, all_passes
from cvbench_tasks.sot.opencv_trackers import OpenCvTracker, check_there
from cvbench_tasks.sot.sequences import Trajectory

Detect = Callable[[UInt8Array], FloatArray]  # uint8 (H, W, C) → (k, 4) boxes that it is sure of


class YoloCsrt(DetectorOnFrames):
    """A detector of the detection task; frames must all be of one size.

    Raises :class:`NotApplicable` for clips of unequal size, :class:`NotInstalled` without ultralytics or OpenCV's
    contrib build.
    """

    def __init__(self, spec: DatasetSpec, options: YoloCsrtOptions, *, seed: int, workplace: Workplace) -> None:
        check_there("csrt")
        super().__init__(spec, options.detector, {}, pictures=options.pictures, seed=seed, workplace=workplace)
        self.options = options

    def predict(self, data: Dataset) -> Iterator[Trajectory]:
        """One :class:`Trajectory` per clip."""
        return all_passes(lambda seed: RestartedCsrt(self._detected, self.options, seed), data, self.seed)

    def _detected(self, frame: UInt8Array) -> FloatArray:
        (found,) = self.found_in(frame[None])
        return np.asarray(found.boxes[found.scores >= self.options.sure], np.float64)


class RestartedCsrt(Tracker):
    """CSRT, started again at a detection where none overlaps what it follows."""

    def __init__(self, detect: Detect, options: YoloCsrtOptions, seed: int) -> None:
        self.detect, self.options, self.seed = detect, options, seed

    def start(self, frame: UInt8Array, box: FloatArray) -> None:
        self.csrt = OpenCvTracker("csrt", self.seed)
        self.csrt.start(frame, box)
        self.number = 0

    def follow(self, frame: UInt8Array) -> FloatArray:
        self.number += 1
        box = self.csrt.follow(frame)
        if self.csrt.lost or self.number % self.options.look_every == 0:
            found = self.detect(frame)
            if len(found) and (self.csrt.lost or overlaps(found, box).max() < self.options.apart):
                apart = np.linalg.norm(centres_and_sizes(found)[0] - centres_and_sizes(box)[0], axis=1)
                box = kept_inside(found[apart.argmin()], frame.shape)
                self.csrt = OpenCvTracker("csrt", self.seed)
                self.csrt.start(frame, box)
        return box
