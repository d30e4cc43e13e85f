"""Ordinary differential equations from noise to pictures: the generators ``flow`` and ``diffusion``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MultipleOf

from cvbench.contracts import Budget, Generator, Progress, Sampler, Workplace
from cvbench.errors import UserError
from cvbench.samples import AnnotationKind, Dataset


@dataclass(frozen=True)
class FlowOptions:
    """``width``: channels of the finest map, a multiple of 16. ``sampling_steps``: steps of the ``solver``;
    heun asks the network twice in each.

    ``guidance``: above 1, samples are pushed towards what the class adds, for prettier and less varied pictures;
    it needs a ``label_dropout`` above 0, such as 0.1: the share of training pictures whose class is hidden.
    """

    width: Annotated[int, Gt(0), MultipleOf(16)] = 48
    sampling_steps: Annotated[int, Gt(0)] = 8
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    ema: Annotated[float, Gt(0), Le(1)] = 0.995
    solver: Literal["euler", "heun"] = "euler"
    label_dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    guidance: Annotated[float, Ge(1)] = 1.0

    def __post_init__(self) -> None:
        if self.guidance > 1 and self.label_dropout == 0:
            raise UserError(
                "option 'guidance': above 1 it needs a network that also learnt without labels",
                hint="set label_dropout: 0.1",
            )


class Flow(Generator):
    """Class-conditional rectified flow."""

    summary = "class-conditional rectified flow: plain regression, cannot collapse"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    version = 2
    default_budget = Budget(steps=3000, batch_size=128)
    Options = FlowOptions

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.flow.rectified_flow import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.flow.rectified_flow import load

        return load(folder, device)


@dataclass(frozen=True)
class DiffusionOptions:
    """``width``: channels of the finest map, a multiple of 16. ``sampling_steps``: Heun steps, each of which asks
    the network twice, the last one once.
    """

    width: Annotated[int, Gt(0), MultipleOf(16)] = 48
    sampling_steps: Annotated[int, Gt(1)] = 10
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    ema: Annotated[float, Gt(0), Le(1)] = 0.995


class Diffusion(Generator):
    """Class-conditional diffusion with EDM's preconditioning and sampler."""

    summary = "class-conditional diffusion (EDM), on the flow's network"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    default_budget = Budget(steps=3000, batch_size=128)
    Options = DiffusionOptions

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.flow.edm import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.flow.edm import load

        return load(folder, device)
