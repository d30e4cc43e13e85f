"""Autoencoders whose decoder is the generator: ``vae`` and ``autoencoder``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Le, MultipleOf

from cvbench.contracts import Budget, Generator, Progress, Sampler, Workplace
from cvbench.samples import AnnotationKind, Dataset


@dataclass(frozen=True)
class VAEOptions:
    """``width``: channels at half resolution, a multiple of 16. ``latent``: dimensions of the code.

    ``beta``: weight of the divergence between posterior and prior (beta-VAE); 1 is the evidence bound.
    """

    width: Annotated[int, Gt(0), MultipleOf(16)] = 32
    latent: Annotated[int, Gt(0)] = 16
    beta: Annotated[float, Gt(0)] = 1.0
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    ema: Annotated[float, Gt(0), Le(1)] = 0.995


class VAE(Generator):
    """Class-conditional variational autoencoder."""

    summary = "class-conditional variational autoencoder: quick, smooth, blurred"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    default_budget = Budget(steps=3000, batch_size=128)
    Options = VAEOptions

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.autoencoder.vae import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.autoencoder.vae import load

        return load(folder, device)


@dataclass(frozen=True)
class AutoencoderOptions:
    """``width``: channels at half resolution, a multiple of 16. ``code``: dimensions of the code.

    ``noise``: standard deviation of what is added to the pictures, which lie in [-1, 1], before they are encoded.
    ``components``: Gaussians per class in the density of the codes; a class of n pictures has at most 1 + n // 20.
    """

    width: Annotated[int, Gt(0), MultipleOf(16)] = 32
    code: Annotated[int, Gt(0)] = 16
    noise: Annotated[float, Ge(0)] = 0.5
    components: Annotated[int, Gt(0)] = 10
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    ema: Annotated[float, Gt(0), Le(1)] = 0.995


class Autoencoder(Generator):
    """Denoising autoencoder, sampled by a Gaussian mixture per class over its codes."""

    summary = "denoising autoencoder, sampled by a Gaussian mixture per class over its codes"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    version = 2  # which counts the density's parameters
    default_budget = Budget(steps=3000, batch_size=128)
    Options = AutoencoderOptions

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.autoencoder.denoising import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.autoencoder.denoising import load

        return load(folder, device)
