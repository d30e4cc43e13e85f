"""The adversarial family: the generator ``cgan``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Le

from cvbench.contracts import Budget, Generator, Progress, Sampler, Workplace
from cvbench.samples import AnnotationKind, Dataset


@dataclass(frozen=True)
class CGANOptions:
    """``gamma``: weight of the gradient penalties R1 and R2. ``augment_below``: pictures under which the
    discriminator sees differentiably augmented ones.
    """

    width: Annotated[int, Gt(0)] = 64
    latent: Annotated[int, Gt(0)] = 64
    gamma: Annotated[float, Ge(0)] = 1.0
    learning_rate: Annotated[float, Gt(0)] = 4e-4
    ema: Annotated[float, Gt(0), Le(1)] = 0.998
    augment_below: Annotated[int, Ge(0)] = 5000


class CGAN(Generator):
    """Class-conditional GAN, made stable with the relativistic pairing loss and gradient penalties."""

    summary = "class-conditional convolutional GAN with R3GAN's loss: the fast sampler"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    default_budget = Budget(steps=4000, batch_size=64, precision="fp32")
    Options = CGANOptions

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.adversarial.cgan import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.adversarial.cgan import load

        return load(folder, device)
