"""The task ``tracking``: many objects, found in every frame of a clip and told apart from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cvbench.clips import as_clips
from cvbench.contracts import Budget, Learnt, Model, ModelInfo, Scores, Splits, Task, Workplace
from cvbench.errors import DataError
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec
from cvbench_tasks.detection.on_frames import check_one_size, learnt_on_frames
from cvbench_tasks.model_names import options_of
from cvbench_tasks.splits import check_classes
from cvbench_tasks.tracking.metrics import METRICS
from cvbench_tasks.tracking.models import OPTIONS, TrackerOptions, known_models


class Tracking(Task):
    """Trains a detector on the clips' frames, joins its boxes to tracks, and scores these as MOTChallenge does."""

    summary = "multi-object tracking: a detector is trained, an associator joins its boxes to tracks"
    licence = "Apache-2.0"
    kind = AnnotationKind.TRACKS
    metrics = METRICS
    default_budget = Budget(steps=1000, batch_size=16)

    def models(self) -> Sequence[ModelInfo]:
        return known_models()

    def model_options(self, name: str) -> type:
        return options_of(name, OPTIONS)

    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        from cvbench_tasks.tracking.association import associator
        from cvbench_tasks.tracking.tracker import TrackingByDetection

        return TrackingByDetection(spec, options, associator(name, options), seed=seed, workplace=workplace)

    def learnt(self, name: str, options: Any) -> Learnt:
        detector: TrackerOptions = options
        trained = TrackerOptions(detector.detector, detector.detector_options, detector.pictures)
        return learnt_on_frames(detector.detector, detector.detector_options or {}, trained)

    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        from cvbench_tasks.tracking.metrics import score

        return score(predictions, truth)

    def answers(self, predictions: Iterable[Any], data: Dataset) -> Dataset:
        return as_clips(data).with_tracks(predictions)

    def check_splits(self, splits: Splits) -> None:
        there = {}
        for split, data in (("train", splits.train), ("test", splits.test)):
            tracks = [clip.tracks for clip in as_clips(data).clips]
            there[split] = {label for own in tracks for label in np.unique(own.labels[~own.ignored]).tolist()}
            if not there[split]:
                raise DataError(f"the {split} split has no object", where=data.spec.name)
        check_classes(there["train"], there["test"], splits.train.spec)

    def check_model(self, name: str, options: Any, spec: DatasetSpec) -> None:
        check_one_size(spec)
