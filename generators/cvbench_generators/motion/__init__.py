"""Clips put together from objects that move over moving backgrounds: the generator ``motion``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

from cvbench.contracts import Budget, Generator, Progress, Sampler, Workplace
from cvbench.errors import UserError
from cvbench.samples import AnnotationKind, Dataset
from cvbench_generators.drawn_by import check_drawn_by

Course = Literal["constant", "acceleration", "turn", "bounce", "sine"]

CUT, SHAPES = "cut", "shapes"


@dataclass(frozen=True)
class MotionOptions:
    """``objects``: ``cut`` from the training clips, procedural ``shapes``, or the name of a labelled generator that is
    fitted on the cut objects, each in a picture of ``object_side`` pixels, for ``object_steps`` (or its own number of)
    steps, and then draws them. ``backgrounds``: ``real`` frames with their objects painted over, or ``textures``.

    ``objects_per_clip``: the least and the most at a time, in the mean over a clip; without it, as many as the training
    clips show. With one, it is there from the first frame and turns round at the picture's edge. ``length``: frames;
    without it, as long as the training clips are, at most 64. ``courses``: the ways that objects move, each at a speed
    that the training tracks have, times one of ``speed``; ``crossing`` is the share of objects that are fast enough to
    cross the picture within the clip.

    ``camera``: how much it pans, zooms and shakes; 0 stands still. ``occluders``: the most in a clip. ``distractors``:
    the most objects at a time that move beside a single one and are not annotated. ``change``: by how much an object's
    size and brightness change at most. ``blur``: the part of a frame's time that the shutter is open. ``noise``: its
    standard deviation, of 255.
    """

    objects: str = CUT
    backgrounds: Literal["real", "textures"] = "real"
    objects_per_clip: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]] | None = None
    length: Annotated[int, Ge(2)] | None = None
    courses: Annotated[tuple[Course, ...], MinLen(1)] = ("constant", "acceleration", "turn", "bounce", "sine")
    speed: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]] = (0.5, 2.0)
    crossing: Annotated[float, Ge(0), Le(1)] = 0.4
    camera: Annotated[float, Ge(0)] = 1.0
    occluders: Annotated[int, Ge(0)] = 2
    distractors: Annotated[int, Ge(0)] = 2
    change: Annotated[float, Ge(0), Le(0.9)] = 0.2
    blur: Annotated[float, Ge(0), Le(1)] = 0.3
    noise: Annotated[float, Ge(0)] = 3.0
    object_side: Annotated[int, Ge(8)] = 28
    object_steps: Annotated[int, Gt(0)] | None = None

    def __post_init__(self) -> None:
        for name, pair in (("objects_per_clip", self.objects_per_clip), ("speed", self.speed)):
            if pair is not None and pair[0] > pair[1]:
                raise UserError(f"{name} runs from low to high, not from {pair[0]:g} to {pair[1]:g}")
        check_drawn_by("objects", self.objects, CUT, SHAPES)
        if self.object_steps is not None and self.objects in (CUT, SHAPES):
            raise UserError(f"object_steps is for objects that a generator draws; objects: {self.objects} learns none")


class Motion(Generator):
    """Motion matters more than pixels when trackers are trained (Fabbri et al., MOTSynth, arXiv 2108.09518)."""

    summary = "objects cut from the training clips move over their backgrounds, with exact tracks and visibility"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.TRACKS})
    version = 4
    latent = False
    Options = MotionOptions

    def fits(self) -> tuple[str, ...]:
        return () if self.options.objects in (CUT, SHAPES) else (self.options.objects,)

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.motion.sampler import fit

        return fit(train, self.options, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.motion.sampler import load

        return load(folder)
