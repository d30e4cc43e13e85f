"""Tracking by detection: a detector of the detection task, trained on the clips' frames, and an associator."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from cvbench.clips import Clip, Tracks, as_clips
from cvbench.contracts import Workplace
from cvbench.samples import Dataset, DatasetSpec, UInt8Array
from cvbench.seeds import derive_seed
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.detection.on_frames import DetectorOnFrames
from cvbench_tasks.tracking.association import Fresh
from cvbench_tasks.tracking.models import TrackerOptions

AT_A_TIME = 16  # frames that the detector looks at together; no more of a clip is ever held


class TrackingByDetection(DetectorOnFrames):
    """Each class has an associator of its own, so objects of different classes are never taken for each other.

    Raises :class:`NotApplicable` for clips of unequal size.
    """

    def __init__(
        self, spec: DatasetSpec, options: TrackerOptions, fresh: Fresh, *, seed: int, workplace: Workplace
    ) -> None:
        chosen, theirs = options.detector, options.detector_options or {}
        super().__init__(spec, chosen, theirs, pictures=options.pictures, seed=seed, workplace=workplace)
        self.fresh = fresh

    def predict(self, data: Dataset) -> Iterator[Tracks]:
        """One :class:`Tracks` per clip."""
        for clip in as_clips(data).clips:
            yield self._tracked(clip, derive_seed(self.seed, "clip", clip.digest))

    def _tracked(self, clip: Clip, seed: int) -> Tracks:
        labels = range(len(self.spec.classes))
        associators = [self.fresh(derive_seed(seed, "class", label)) for label in labels]
        numbers: dict[tuple[int, int], int] = {}  # an id of an associator → the track's in the clip
        rows: list[tuple[int, int, int]] = []
        boxes = [np.zeros((0, 4))]
        for place, (frame, found) in enumerate(self._detected(clip)):
            has_area = (found.boxes[:, 2:] > found.boxes[:, :2]).all(axis=1)  # one cut at the picture's edge may not
            for label, associator in zip(labels, associators, strict=True):
                own = (found.labels == label) & has_area
                seen, ids = associator.update(found.boxes[own].astype(np.float64), found.scores[own], frame)
                rows += [(place, numbers.setdefault((label, one), len(numbers)), label) for one in ids.tolist()]
                boxes.append(seen)
        frames, ids, classes = np.array(rows, np.int64).reshape(-1, 3).T
        return Tracks.of(frames, ids, np.concatenate(boxes), classes)

    def _detected(self, clip: Clip) -> Iterator[tuple[UInt8Array, Detections]]:
        """Every frame with what the detector found in it."""
        frames = iter(clip.frames)
        while some := list(islice(frames, AT_A_TIME)):
            yield from zip(some, self.found_in(np.stack(some)), strict=True)
