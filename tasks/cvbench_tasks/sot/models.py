"""The trackers' names, licences and options: all that can be said without importing torch or OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from cvbench.contracts import ModelInfo, NoOptions
from cvbench_tasks.detection.models import in_ultralytics, yolo_models
from cvbench_tasks.model_names import unknown_model

Likeness = Literal["histogram", "template"]


@dataclass(frozen=True)
class KalmanOptions:
    """``likelihood``: of colours, or of the first frame's pixels. Lengths are in units of the object's first size.

    ``motion``: standard deviation of a frame's change of velocity. ``reach``: how far around the predicted place is
    looked. ``least``: a likeness below which the object is not seen.
    """

    likelihood: Likeness = "template"
    motion: Annotated[float, Gt(0)] = 0.1
    reach: Annotated[float, Gt(0)] = 0.75
    least: Annotated[float, Ge(0), Lt(1)] = 0.3


@dataclass(frozen=True)
class ParticleOptions:
    """``likelihood``: of colours, or of the first frame's pixels. ``particles``: how many.

    ``motion``: standard deviation of a frame's change of velocity, in units of the object's first size; ``memory``: the
    share of its velocity that a particle keeps. ``sharpness``: how much more the likelier particles weigh.
    """

    likelihood: Likeness = "template"
    particles: Annotated[int, Gt(0)] = 300
    motion: Annotated[float, Gt(0)] = 0.1
    memory: Annotated[float, Ge(0), Le(1)] = 0.5
    sharpness: Annotated[float, Gt(0)] = 30.0


@dataclass(frozen=True)
class LearntOptions:
    """How every learnt tracker trains. ``gap``: the most frames between the two of a pair."""

    learning_rate: Annotated[float, Gt(0)] = 1e-3
    weight_decay: Annotated[float, Ge(0)] = 1e-4
    warmup: Annotated[int, Ge(0)] = 20
    clip_norm: Annotated[float, Gt(0)] = 10.0
    gap: Annotated[int, Ge(0)] = 50


@dataclass(frozen=True)
class SiamFcOptions(LearntOptions):
    """``width``: channels of the first convolution. ``window``: the share of the cosine window in the response.

    ``scale_penalty``: times the odds of another scale than the last; ``scale_rate``: how fast the size follows.
    The last three are the paper's.
    """

    width: Annotated[int, Gt(0)] = 16
    window: Annotated[float, Ge(0), Lt(1)] = 0.176
    scale_penalty: Annotated[float, Gt(0), Le(1)] = 0.9745
    scale_rate: Annotated[float, Gt(0), Le(1)] = 0.59


@dataclass(frozen=True)
class MdNetOptions(LearntOptions):
    """``width``: channels of the first convolution. ``candidates``: boxes drawn and scored per frame.

    ``first_steps`` and ``later_steps``: how often the online layers are updated on the first frame, and every
    ``update_every`` frames.
    """

    width: Annotated[int, Gt(0)] = 16
    candidates: Annotated[int, Gt(1)] = 192
    first_steps: Annotated[int, Ge(0)] = 30
    later_steps: Annotated[int, Ge(0)] = 10
    update_every: Annotated[int, Gt(0)] = 10


@dataclass(frozen=True)
class AtomOptions(LearntOptions):
    """``width``: channels of the first convolution. ``first_steps`` and ``later_steps``: of conjugate gradients.

    ``climb_steps``: of gradient ascent on the predicted overlap. ``update_every``: frames between updates of the
    online classifier, which holds the last ``memory`` samples.
    """

    width: Annotated[int, Gt(0)] = 16
    first_steps: Annotated[int, Ge(0)] = 30
    later_steps: Annotated[int, Ge(0)] = 5
    update_every: Annotated[int, Gt(0)] = 5
    climb_steps: Annotated[int, Ge(0)] = 5
    memory: Annotated[int, Gt(0)] = 50


@dataclass(frozen=True)
class YoloCsrtOptions:
    """``detector``: a YOLO of the detection task, trained on at most ``pictures`` frames of the clips.

    ``look_every``: frames between looks for the object; ``sure``: the least score of a detection that counts.
    ``apart``: below this overlap with every detection CSRT is lost, and starts again at the nearest one.
    """

    detector: str = "yolov8n"
    pictures: Annotated[int, Gt(0)] = 500
    look_every: Annotated[int, Gt(0)] = 5
    sure: Annotated[float, Gt(0), Lt(1)] = 0.3
    apart: Annotated[float, Ge(0), Lt(1)] = 0.1

    def __post_init__(self) -> None:
        if not in_ultralytics(self.detector, masks=False):
            raise unknown_model(self.detector, (info.name for info in yolo_models(masks=False)))


LEARNT = ("siamfc", "mdnet", "atom", "yolo_csrt")
OPTIONS: dict[str, type] = {
    "static": NoOptions,
    "siamfc": SiamFcOptions,
    "mdnet": MdNetOptions,
    "atom": AtomOptions,
    "kalman": KalmanOptions,
    "particle": ParticleOptions,
    "csrt": NoOptions,
    "kcf": NoOptions,
    "mil": NoOptions,
    "yolo_csrt": YoloCsrtOptions,
}


def known_models() -> Sequence[ModelInfo]:
    """The floor, the learnt trackers, those that know the first frame alone, and the pair of the two sorts."""
    return (
        ModelInfo("static", "the first frame's box, never moved: what a tracker must beat", "Apache-2.0"),
        ModelInfo("siamfc", "SiamFC: a Siamese network finds the first frame's crop again", "Apache-2.0"),
        ModelInfo("mdnet", "MDNet: shared layers, a branch per training video, updated online", "Apache-2.0", 2),
        ModelInfo("atom", "ATOM: an online classifier finds it, a predictor of overlap fits the box", "Apache-2.0", 3),
        ModelInfo("kalman", "a Kalman filter measured at the likeliest place; trains nothing", "Apache-2.0"),
        ModelInfo("particle", "a particle filter over a likelihood; trains nothing", "Apache-2.0"),
        ModelInfo("csrt", "OpenCV's CSRT (contrib build); trains nothing", "Apache-2.0"),
        ModelInfo("kcf", "OpenCV's KCF (contrib build); trains nothing", "Apache-2.0"),
        ModelInfo("mil", "OpenCV's MIL; trains nothing", "Apache-2.0"),
        ModelInfo("yolo_csrt", "a trained YOLO starts CSRT again where it is lost (contrib build)", "AGPL-3.0"),
    )
