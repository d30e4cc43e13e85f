"""The task ``sot``: one object, given in the first frame, followed to the end of the clip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from cvbench.clips import as_clips
from cvbench.contracts import Budget, Learnt, Model, ModelInfo, Scores, Splits, Task, Workplace
from cvbench.errors import DataError
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec, FloatArray
from cvbench_tasks.detection.on_frames import check_one_size, learnt_on_frames
from cvbench_tasks.model_names import options_of
from cvbench_tasks.sot.metrics import METRICS
from cvbench_tasks.sot.models import LEARNT, OPTIONS, known_models
from cvbench_tasks.sot.sequences import truth_of
from cvbench_tasks.tracking.models import TrackerOptions


class SingleObjectTracking(Task):
    """Trains a tracker, if it learns, and scores its boxes in one pass as OTB and GOT-10k do."""

    summary = "single-object tracking: the object is given in the first frame; one pass, no restart"
    licence = "Apache-2.0"
    version = 2
    kind = AnnotationKind.TRACKS
    metrics = METRICS
    default_budget = Budget(steps=500, batch_size=16)

    def models(self) -> Sequence[ModelInfo]:
        return known_models()

    def model_options(self, name: str) -> type:
        return options_of(name, OPTIONS)

    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        from cvbench_tasks.sot.one_pass import Static, Untrained

        if name == "static":
            return Untrained(lambda _: Static(), seed=seed)
        if name in ("siamfc", "mdnet", "atom"):
            return _learnt(name, spec, options, seed, workplace.device)
        if name == "kalman":
            from cvbench_tasks.sot.kalman import KalmanTracker

            return Untrained(lambda _: KalmanTracker(options), seed=seed)
        if name == "particle":
            from cvbench_tasks.sot.particle import ParticleTracker

            return Untrained(partial(ParticleTracker, options), seed=seed)
        if name == "yolo_csrt":
            from cvbench_tasks.sot.yolo_csrt import YoloCsrt

            return YoloCsrt(spec, options, seed=seed, workplace=workplace)
        from cvbench_tasks.sot.opencv_trackers import OpenCvTracker, check_there

        check_there(name)
        return Untrained(partial(OpenCvTracker, name), seed=seed)

    def learnt(self, name: str, options: Any) -> Learnt | None:
        if name == "yolo_csrt":  # what follows the detections learns nothing
            trained = TrackerOptions(options.detector, None, options.pictures)
            return learnt_on_frames(options.detector, {}, trained)
        return Learnt(name, options) if name in LEARNT else None

    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        from cvbench_tasks.sot.metrics import score

        return score(predictions, truth)

    def answers(self, predictions: Iterable[Any], data: Dataset) -> Dataset:
        return as_clips(data).with_tracks(found.tracks() for found in predictions)

    def trajectories(self, predictions: Iterable[Any], data: Dataset) -> Iterator[tuple[FloatArray, FloatArray]]:
        return ((found.boxes, found.seconds) for found in predictions)

    def check_splits(self, splits: Splits) -> None:
        for data in (splits.test, splits.val):
            for clip in as_clips(data).clips if data is not None else ():
                truth_of(clip)
        train = as_clips(splits.train)
        if not any(len(clip.tracks) for clip in train.clips):
            raise DataError("the train split has no object", where=train.spec.name)

    def check_model(self, name: str, options: Any, spec: DatasetSpec) -> None:
        if name == "yolo_csrt":
            check_one_size(spec)


def _learnt(name: str, spec: DatasetSpec, options: Any, seed: int, device: str) -> Model:
    import torch

    from cvbench_tasks.sot.learnt import LearntTracker, Network

    torch.manual_seed(seed)
    network: Network
    if name == "siamfc":
        from cvbench_tasks.sot.siamfc import SiamFc

        network = SiamFc(spec.channels, options)
    elif name == "mdnet":
        from cvbench_tasks.sot.mdnet import MdNet

        network = MdNet(spec.channels, options)
    else:
        from cvbench_tasks.sot.atom import Atom

        network = Atom(spec.channels, options)
    return LearntTracker(network, options, seed=seed, device=device)
