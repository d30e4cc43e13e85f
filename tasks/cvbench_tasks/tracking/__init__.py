"""The task ``tracking``: many objects, found in every frame of a clip and told apart from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cvbench.clips import as_clips
from cvbench.contracts import Budget, Model, ModelInfo, Scores, Splits, Task, Workplace
from cvbench.errors import DataError, UserError, near_names
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec
from cvbench_tasks.tracking.metrics import METRICS
from cvbench_tasks.tracking.models import OPTIONS, known_models


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
        if name not in OPTIONS:
            raise UserError(f"unknown model {name!r}", hint=near_names(name, OPTIONS))
        return OPTIONS[name]

    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        from cvbench_tasks.tracking.association import associator
        from cvbench_tasks.tracking.tracker import TrackingByDetection

        return TrackingByDetection(spec, options, associator(name, options), seed=seed, workplace=workplace)

    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        from cvbench_tasks.tracking.metrics import score

        return score(predictions, truth)

    def check_splits(self, splits: Splits) -> None:
        there = {}
        for split, data in (("train", splits.train), ("test", splits.test)):
            tracks = [clip.tracks for clip in as_clips(data).clips]
            there[split] = {label for own in tracks for label in np.unique(own.labels[~own.ignored]).tolist()}
            if not there[split]:
                raise DataError(f"the {split} split has no object", where=data.spec.name)
        if missing := sorted(there["test"] - there["train"]):
            named = ", ".join(repr(splits.train.spec.classes[label]) for label in missing[:5])
            raise DataError(f"the test split has a class that train lacks: {named}", where=splits.test.spec.name)
