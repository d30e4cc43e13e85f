"""What trackers that look for their objects share: a detector of this task, trained on the frames of clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.clips import as_clips, frames_with_boxes
from cvbench.contracts import Augmentation, Budget, Learnt, Model, Progress, Workplace
from cvbench.errors import NotApplicable
from cvbench.plugins import make_options
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec, UInt8Array
from cvbench.scenes import BoxedImages
from cvbench_tasks.detection import Detection
from cvbench_tasks.detection.detections import Detections


def learnt_on_frames(detector: str, options: Mapping[str, Any], about: Any) -> Learnt:
    """What a tracker around this detector learns; ``about``: those of its own options that the training depends on."""
    task = Detection()
    versions = {info.name: info.version for info in task.models()}
    made: Any = make_options(task.model_options(detector), options, where=detector)
    return Learnt(detector, about, versions.get(detector, 1), task.learnt(detector, made).reads)


def check_one_size(spec: DatasetSpec) -> None:
    """Raise :class:`NotApplicable` for clips of unequal size."""
    if not spec.height:
        raise NotApplicable("a detector needs clips of one size: set the reader's option size")


class DetectorOnFrames(Model):
    """Trains, saves and loads ``detector``, a model of the task detection; what is predicted with it is left open.

    ``spec`` is the clips', their frames' with boxes afterwards. The detector learns from at most ``pictures`` frames.
    Raises :class:`NotApplicable` for clips of unequal size.
    """

    def __init__(
        self,
        spec: DatasetSpec,
        detector: str,
        options: Mapping[str, Any],
        *,
        pictures: int,
        seed: int,
        workplace: Workplace,
    ) -> None:
        check_one_size(spec)
        self.spec, self.pictures, self.seed = replace(spec, kind=AnnotationKind.BOXES), pictures, seed
        task = Detection()
        made: Any = make_options(task.model_options(detector), options, where=detector)
        self.detector = task.model(detector, self.spec, options=made, seed=seed, workplace=workplace)

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
        pictures = partial(frames_with_boxes, most=self.pictures)
        self.detector.train(
            pictures(as_clips(train)),
            pictures(as_clips(val)) if val is not None else None,
            budget=budget,
            augmentation=augmentation,
            seed=seed,
            progress=progress,
            workplace=workplace,
        )

    def found_in(self, frames: UInt8Array) -> Iterator[Detections]:
        """What the detector finds in each of uint8 (n, H, W, C) frames."""
        nothing = [np.zeros(0)] * len(frames)
        found: Iterator[Detections] = self.detector.predict(BoxedImages.of(self.spec, frames, nothing, nothing))
        return found

    def save(self, folder: Path) -> None:
        self.detector.save(folder)

    def load(self, folder: Path) -> None:
        self.detector.load(folder)
