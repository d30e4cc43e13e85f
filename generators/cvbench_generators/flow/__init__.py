"""Flow matching: the generator ``flow``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Gt, Le, MultipleOf

from cvbench.contracts import Budget, Generator, Progress, Sampler, Workplace
from cvbench.samples import AnnotationKind, Dataset


@dataclass(frozen=True)
class FlowOptions:
    """``width``: channels at full resolution, a multiple of 16. ``sampling_steps``: Euler steps."""

    width: Annotated[int, Gt(0), MultipleOf(16)] = 48
    sampling_steps: Annotated[int, Gt(0)] = 8
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    ema: Annotated[float, Gt(0), Le(1)] = 0.995


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
