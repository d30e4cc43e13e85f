"""Annotated scenes that a network paints: the generators ``mask2image``, ``joint`` and ``sim2real``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, MultipleOf

from cvbench.contracts import Budget, Generator, Progress, Sampler, Workplace
from cvbench.samples import AnnotationKind, Dataset
from cvbench_generators.drawn_by import check_drawn_by

Share = Annotated[float, Ge(0), Le(1)]


@dataclass(frozen=True)
class LayoutOptions:
    """How new layouts are made of real ones.

    ``things``: of a semantic mask, the classes whose regions are moved; without it those of compact regions.
    ``exchanged``: the share of a picture's objects that are dropped; as many of another's are added, and all are moved.
    ``flips``: whether layouts are mirrored. ``alike``: the share of the training pictures, those that look most like
    the one that is changed, that lend it objects. An object of which less than ``least_visible`` of its pixels or
    fewer than ``least_pixels`` can be seen is left out.
    """

    things: tuple[str, ...] | None = None
    exchanged: Share = 0.5
    flips: Literal["none", "horizontal"] = "horizontal"
    alike: Annotated[float, Gt(0), Le(1)] = 0.25
    least_visible: Share = 0.25
    least_pixels: Annotated[int, Gt(0)] = 10


@dataclass(frozen=True)
class Mask2ImageOptions(LayoutOptions):
    """``width``: of G's first level. ``l1_weight``: how much nearness to the real picture counts beside the game."""

    width: Annotated[int, Gt(0)] = 32
    l1_weight: Annotated[float, Ge(0)] = 100.0
    learning_rate: Annotated[float, Gt(0)] = 1e-3


class Mask2Image(Generator):
    """Learns to paint a picture from its layout; its samples are painted from real layouts, changed."""

    summary = "pix2pix from layouts: real regions moved, dropped and added, then painted by a U-Net; exact masks"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.MASK, AnnotationKind.INSTANCES})
    latent = False
    version = 2
    default_budget = Budget(steps=1500, batch_size=16)
    Options = Mask2ImageOptions

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.scenes.learnt.mask2image import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.scenes.learnt.mask2image import load

        return load(folder, device)


@dataclass(frozen=True)
class Sim2RealOptions(LayoutOptions):
    """``width`` and ``blocks`` of both translators; ``identity_weight`` is a share of ``cycle_weight``."""

    width: Annotated[int, Gt(0), MultipleOf(4)] = 16
    blocks: Annotated[int, Gt(0)] = 3
    cycle_weight: Annotated[float, Ge(0)] = 10.0
    identity_weight: Annotated[float, Ge(0)] = 0.5
    learning_rate: Annotated[float, Gt(0)] = 5e-4

    @property
    def set_identity_weight(self) -> float:
        """As CycleGAN's losses ask for it."""
        return self.identity_weight


class Sim2Real(Generator):
    """Learns to make plain renderings look real, unpaired; its samples are new layouts, rendered and translated."""

    summary = "CycleGAN from plain renderings of new layouts to the training pictures, unpaired; annotation kept"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.MASK, AnnotationKind.BOXES, AnnotationKind.INSTANCES})
    latent = False
    version = 3
    default_budget = Budget(steps=1500, batch_size=8)
    Options = Sim2RealOptions

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.scenes.learnt.sim2real import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.scenes.learnt.sim2real import load

        return load(folder, device)


@dataclass(frozen=True)
class JointOptions:
    """``drawn_by``: the labelled generator that draws picture and mask together; ``width``: its option of that name.

    ``side``: pictures with a longer side are learnt and drawn at this one, then enlarged. Above 40 px the flow's
    network folds 4×4 pixels into channels first, with the mask's more than its usual width can hold.
    """

    drawn_by: str = "flow"
    width: Annotated[int, Gt(0)] | None = None
    side: Annotated[int, Ge(16)] = 40

    def __post_init__(self) -> None:
        check_drawn_by("drawn_by", self.drawn_by)


class Joint(Generator):
    """Learns pictures with the classes of their pixels as more channels; both come out together."""

    summary = "picture and mask drawn together, as channels of one picture, by rectified flow or another generator"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.MASK})
    version = 2
    default_budget = Budget(steps=3000, batch_size=32)
    Options = JointOptions

    def fits(self) -> tuple[str, ...]:
        return (self.options.drawn_by,)

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.scenes.learnt.joint import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.scenes.learnt.joint import load

        return load(folder, device)
