"""The adversarial family: one game, and a file per paper for what the paper brings to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cvbench.contracts import Budget, Generator, Progress, Sampler, Workplace
from cvbench.errors import NotApplicable
from cvbench.fidelity import PROBE_VERSION
from cvbench.samples import AnnotationKind, Dataset
from cvbench_generators.adversarial.options import (
    AdversarialOptions,
    CGANOptions,
    DCGANOptions,
    InfoGANOptions,
    MLPGANOptions,
    R3GANOptions,
    WGANGPOptions,
)

if TYPE_CHECKING:
    from cvbench_generators.adversarial.family import Family
    from cvbench_generators.conditional_sampler import ConditionalSampler


class _Adversarial(Generator):
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    version = 2 + PROBE_VERSION  # the watch asks the probe what it sees, and so do pseudo-labels
    default_budget: ClassVar[Budget] = Budget(steps=4000, batch_size=64, precision="fp32")
    Options: ClassVar[type[AdversarialOptions]]

    def _family(self) -> Family:
        raise NotImplementedError

    def _budget(self, asked: Budget | None) -> Budget:
        """The budget asked for, else the usual one; :class:`NotApplicable` where a batch has nothing to normalise."""
        budget = asked or self.default_budget
        if budget.batch_size < 2 and self.options.normalises_generator:
            raise NotApplicable("batch normalisation needs a batch_size of two or more, or set batch_norm: none")
        return budget

    def _fit(
        self, train: Dataset, *, budget: Budget, seed: int, progress: Progress, workplace: Workplace
    ) -> ConditionalSampler:
        from cvbench_generators.adversarial.fitting import fit

        return fit(self._family(), train, self.options, budget, seed, progress, workplace)

    def _load(self, folder: Path, *, device: str) -> ConditionalSampler:
        from cvbench_generators.adversarial.fitting import load

        return load(self._family(), self.Options, folder, device)


class _Conditional(_Adversarial):
    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        budget = self._budget(budget)
        return self._fit(train, budget=budget, seed=seed, progress=progress, workplace=workplace)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        return self._load(folder, device=device)


class _Unconditional(_Adversarial):
    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        from cvbench_generators.labelling import fit_labelled

        return fit_labelled(
            self._fit,
            self._load,
            train,
            labels=self.options.labels,
            confidence=self.options.confidence,
            budget=self._budget(budget),
            seed=seed,
            progress=progress,
            workplace=workplace,
        )

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        from cvbench_generators.labelled_sampler import load_labelled

        return load_labelled(self._load, folder, device)


class MLPGAN(_Unconditional):
    """Fully connected GAN, unconditional."""

    summary = "the fully connected GAN of 2014: the baseline that shows why"
    Options = MLPGANOptions

    def _family(self) -> Family:
        from cvbench_generators.adversarial.mlp_gan import FAMILY

        return FAMILY


class DCGAN(_Unconditional):
    """Deep convolutional GAN, unconditional."""

    summary = "convolutional GAN with batch normalisation on both sides"
    Options = DCGANOptions

    def _family(self) -> Family:
        from cvbench_generators.adversarial.dcgan import FAMILY

        return FAMILY


class InfoGAN(_Unconditional):
    """GAN with categorical and continuous codes, unconditional."""

    version = _Adversarial.version + 1  # score and codes of a fake come of one look at it
    summary = "GAN whose latent codes can be read off its pictures"
    Options = InfoGANOptions

    def _family(self) -> Family:
        from cvbench_generators.adversarial.infogan import FAMILY

        return FAMILY


class WGANGP(_Unconditional):
    """Wasserstein GAN with gradient penalty, unconditional."""

    summary = "Wasserstein GAN with gradient penalty, five critic steps per step"
    Options = WGANGPOptions

    def _family(self) -> Family:
        from cvbench_generators.adversarial.wgan_gp import FAMILY

        return FAMILY


class CGAN(_Conditional):
    """Class-conditional GAN, made stable with the relativistic pairing loss and gradient penalties."""

    summary = "class-conditional convolutional GAN with R3GAN's loss: the fast sampler"
    Options = CGANOptions

    def _family(self) -> Family:
        from cvbench_generators.adversarial.cgan import FAMILY

        return FAMILY


class R3GAN(_Conditional):
    """Class-conditional GAN of residual blocks with the relativistic pairing loss."""

    summary = "class-conditional residual GAN, relativistic loss with R1 and R2: the modern reference"
    Options = R3GANOptions

    def _family(self) -> Family:
        from cvbench_generators.adversarial.r3gan import FAMILY

        return FAMILY
