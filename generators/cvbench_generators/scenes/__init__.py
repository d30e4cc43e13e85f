"""Annotated scenes put together from pieces: the generator ``cut_paste``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MinLen

from cvbench.contracts import Budget, Generator, Progress, Sampler, Workplace
from cvbench.errors import UserError
from cvbench.samples import AnnotationKind, Dataset
from cvbench_generators.drawn_by import check_drawn_by

Blend = Literal["none", "gaussian", "box", "poisson"]
Share = Annotated[float, Ge(0), Le(1)]

CUT = "cut"
REAL, INPAINTED = "real", "inpainted"


@dataclass(frozen=True)
class CutPasteOptions:
    """``things``: of a semantic mask, the classes that objects are cut of; without it those of compact regions.

    ``backgrounds``: ``real`` (real pictures, their own objects stay annotated), ``inpainted`` (their objects painted
    over) or a folder of textures. ``blend``: the ways that an object's edge is made; with ``same_scene`` each scene
    comes once in each of them, else every scene in one of them.

    ``scale``: factors on top of the size that the layout asks for; ``rotation``: degrees either way; ``colour``: the
    share by which brightness and contrast change, and four times what the hue does. ``overlap``: the greatest share
    of the smaller of two boxes that they may have in common when placed; without it, what the real ones have.
    ``distractors``: the most patches per picture that belong to no class. ``alike``: the share of the training
    pictures, those that look most like the background, that lend it their objects and layout.

    An object of which less than ``least_visible`` of its pixels or fewer than ``least_pixels`` can be seen is not
    annotated. ``objects``: ``cut``, or the name of a labelled generator that is fitted on the objects, each in a
    picture of ``object_side`` pixels, for ``object_steps`` (or its own number of) steps, and then draws them.
    """

    things: tuple[str, ...] | None = None
    backgrounds: str = REAL
    blend: Annotated[tuple[Blend, ...], MinLen(1)] = ("none", "gaussian", "poisson")
    same_scene: bool = True
    scale: tuple[Annotated[float, Gt(0)], Annotated[float, Gt(0)]] = (0.8, 1.25)
    rotation: Annotated[float, Ge(0), Le(180)] = 15.0
    flips: Literal["none", "horizontal", "both"] = "horizontal"
    colour: Share = 0.1
    overlap: Share | None = None
    distractors: Annotated[int, Ge(0)] = 2
    alike: Annotated[float, Gt(0), Le(1)] = 0.25
    least_visible: Share = 0.25
    least_pixels: Annotated[int, Gt(0)] = 10
    objects: str = CUT
    object_side: Annotated[int, Ge(8)] = 28
    object_steps: Annotated[int, Gt(0)] | None = None

    def __post_init__(self) -> None:
        if self.scale[0] > self.scale[1]:
            raise UserError(f"scale runs from low to high, not from {self.scale[0]:g} to {self.scale[1]:g}")
        check_drawn_by("objects", self.objects, CUT)
        if self.object_steps is not None and self.objects == CUT:
            raise UserError("object_steps is for objects that a generator draws; objects: cut learns nothing")

    @property
    def texture_folder(self) -> Path | None:
        """Where ``backgrounds`` are textures; None where they are the training pictures."""
        return None if self.backgrounds in (REAL, INPAINTED) else Path(self.backgrounds)


class CutPaste(Generator):
    """Real objects pasted onto real scenes, as the training pictures lay them out."""

    summary = "cut, paste and learn: objects cut from the training pictures, pasted anew, annotated to the pixel"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.MASK, AnnotationKind.BOXES, AnnotationKind.INSTANCES})
    latent = False
    version = 4
    Options = CutPasteOptions

    def reads(self) -> tuple[Path, ...]:
        folder = self.options.texture_folder
        return (folder,) if folder is not None else ()

    def fits(self) -> tuple[str, ...]:
        return () if self.options.objects == CUT else (self.options.objects,)

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.scenes.cut_paste import fit

        return fit(train, self.options, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.scenes.cut_paste import load

        return load(folder)
