"""The trackers' names, licences and options: all that can be said without importing torch, OpenCV or a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from cvbench.contracts import ModelInfo
from cvbench.plugins import make_options
from cvbench_tasks.detection import Detection

Share = Annotated[float, Ge(0), Le(1)]
Frames = Annotated[int, Ge(0)]


@dataclass(frozen=True)
class TrackerOptions:
    """``detector``: a model of the task detection by its name, with its own ``detector_options``.

    It learns from at most ``pictures`` frames, evenly spread over the training clips.
    Raises :class:`~cvbench.errors.UserError` for a detector or an option of it that is not known.
    """

    detector: str = "fasterrcnn"
    detector_options: dict[str, Any] | None = None
    pictures: Annotated[int, Gt(0)] = 1000

    def __post_init__(self) -> None:
        asked = Detection().model_options(self.detector)
        whole: Any = make_options(asked, self.detector_options or {}, where=f"detector_options of {self.detector}")
        # with the detector's defaults filled in, so that a changed default changes the content key
        object.__setattr__(self, "detector_options", asdict(whole))


@dataclass(frozen=True)
class SortOptions(TrackerOptions):
    """``min_score``: of a detection that counts. ``iou_threshold``: the least overlap of one with a predicted box.

    A track ends after more than ``max_age`` frames without a detection, and is told of once it was seen in
    ``min_hits`` frames after its first, one after another, or among the first frames of the clip.
    """

    min_score: Share = 0.5
    iou_threshold: Share = 0.3
    max_age: Frames = 1
    min_hits: Frames = 3


@dataclass(frozen=True)
class ParticleOptions(SortOptions):
    """``particles`` of each track. In units of the object's first size: ``acceleration``, the standard deviation of a
    frame's change of velocity, and ``precision``, of a detection's error.
    """

    max_age: Frames = 10
    particles: Annotated[int, Gt(0)] = 200
    acceleration: Annotated[float, Gt(0)] = 0.05
    precision: Annotated[float, Gt(0)] = 0.1


@dataclass(frozen=True)
class ByteTrackOptions(TrackerOptions):
    """``min_score``: of a detection that counts at all; the others are ByteTrack's, by their names in ``trackers``."""

    min_score: Share = 0.1
    lost_track_buffer: Frames = 30
    track_activation_threshold: Share = 0.7
    minimum_consecutive_frames: Annotated[int, Ge(1)] = 2
    minimum_iou_threshold: Share = 0.1
    high_conf_det_threshold: Share = 0.6


@dataclass(frozen=True)
class BotSortOptions(TrackerOptions):
    """``min_score``: of a detection that counts at all; the others are BoT-SORT's, by their names in ``trackers``.

    ``enable_cmc``: the camera's motion is estimated from the frames and compensated.
    """

    min_score: Share = 0.1
    lost_track_buffer: Frames = 30
    track_activation_threshold: Share = 0.7
    minimum_consecutive_frames: Annotated[int, Ge(1)] = 2
    minimum_iou_threshold_first_assoc: Share = 0.2
    minimum_iou_threshold_second_assoc: Share = 0.5
    minimum_iou_threshold_unconfirmed_assoc: Share = 0.3
    high_conf_det_threshold: Share = 0.6
    enable_cmc: bool = True


OPTIONS: dict[str, type] = {
    "sort": SortOptions,
    "particle": ParticleOptions,
    "bytetrack": ByteTrackOptions,
    "botsort": BotSortOptions,
}


def known_models() -> Sequence[ModelInfo]:
    """A detector of the task detection, and one of four ways to join its boxes to tracks."""
    return (
        ModelInfo("sort", "SORT: a detector, Kalman filters and the Hungarian assignment", "Apache-2.0"),
        ModelInfo("particle", "a detector, a particle filter per track and the Hungarian assignment", "Apache-2.0"),
        ModelInfo("bytetrack", "ByteTrack: a detector whose unsure boxes count too", "Apache-2.0"),
        ModelInfo("botsort", "BoT-SORT: as ByteTrack, with the camera's motion compensated", "Apache-2.0"),
    )
