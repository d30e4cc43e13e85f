"""The options of the adversarial family: one base with all that the literature names, each paper's defaults on top.

Where a default is not the paper's, its class says so. No paper's, for all: the average of G's weights at 0.998, batches
of 64, Gaussian latents and, no option, a learning rate with 50 steps of warm-up and a half cosine to a tenth, and a G
that learns from the last fakes that D learnt from (:mod:`.game`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MultipleOf

from cvbench.errors import UserError

LossName = Literal["minimax", "non_saturating", "hinge", "wasserstein", "relativistic"]
PenaltyName = Literal["none", "r1", "r2", "r1_r2", "gradient_penalty"]
Normalised = Literal["none", "generator", "both"]
Rate = Annotated[float, Gt(0)]
Beta = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True)
class AdversarialOptions:
    """What the literature names for stability; each family's defaults are its paper's but where its class says so.

    ``width``: channels of the finest map (of ``mlp_gan``: maxout units). ``gamma``: weight of the ``penalty``.
    ``l1`` and ``l2``: weight decay of both sides. ``momentum``: Adam's first beta, SGD's Nesterov momentum, RMSprop's
    momentum; ``second_momentum``: Adam's second beta, RMSprop's smoothing. ``discriminator_learning_rate``: as G's if
    none is given. ``batch_norm``: in which network; ``spectral_norm``: in the discriminator. ``ema``: of G's weights,
    0 for none. ``augment_below``: pictures under which the discriminator sees differentiably augmented ones.
    """

    width: Annotated[int, Gt(0)] = 64
    latent: Annotated[int, Gt(0)] = 64
    loss: LossName = "non_saturating"
    penalty: PenaltyName = "none"
    gamma: Annotated[float, Ge(0)] = 1.0
    l1: Annotated[float, Ge(0)] = 0.0
    l2: Annotated[float, Ge(0)] = 0.0
    optimizer: Literal["adam", "rmsprop", "sgd"] = "adam"
    learning_rate: Rate = 2e-4
    discriminator_learning_rate: Rate | None = None
    momentum: Beta = 0.5
    second_momentum: Beta = 0.999
    discriminator_steps: Annotated[int, Gt(0)] = 1
    batch_norm: Normalised = "none"
    spectral_norm: bool = False
    ema: Annotated[float, Ge(0), Le(1)] = 0.998
    augment_below: Annotated[int, Ge(0)] = 0

    @property
    def normalises_generator(self) -> bool:
        """Whether G has batch normalisation."""
        return self.batch_norm != "none"

    @property
    def normalises_discriminator(self) -> bool:
        """Whether D has batch normalisation."""
        return self.batch_norm == "both"


@dataclass(frozen=True)
class UnconditionalOptions(AdversarialOptions):
    """``labels``: one sampler per class, or one for all and the labels of a classifier of the real training pictures;
    ``confidence``: how sure that classifier must be of a sample.
    """

    labels: Literal["per_class", "pseudo_labels"] = "per_class"
    confidence: Annotated[float, Ge(0), Lt(1)] = 0.0

    def __post_init__(self) -> None:
        if self.confidence and self.labels == "per_class":
            raise UserError("confidence is for labels: pseudo_labels; per_class has no classifier to ask")


@dataclass(frozen=True)
class MLPGANOptions(UnconditionalOptions):
    """Section 5 of the paper, but Adam where it has SGD with momentum, and batch normalisation in G: both are later.

    Without the latter 4 of 10 digits were covered after 3,000 steps on 10,000 pictures of MNIST; with it 7 after 1,500.
    """

    width: Annotated[int, Gt(0)] = 240
    batch_norm: Normalised = "generator"


@dataclass(frozen=True)
class DCGANOptions(UnconditionalOptions):
    """Section 4 of the paper, but 64 latents where it has 100."""

    batch_norm: Normalised = "both"


@dataclass(frozen=True)
class InfoGANOptions(UnconditionalOptions):
    """Appendix C.1 of the paper: 62 noise variables beside the code. But G's rate is D's 2e-4; the paper's is 1e-3."""

    latent: Annotated[int, Gt(0)] = 62
    batch_norm: Normalised = "both"


@dataclass(frozen=True)
class WGANGPOptions(UnconditionalOptions):
    """Algorithm 1 of the paper: λ = 10 is ``gamma``.

    The rate is three times the paper's: 200 steps on 10,000 pictures of MNIST then give digits of all classes, of one
    class at 1e-4.
    """

    loss: LossName = "wasserstein"
    penalty: PenaltyName = "gradient_penalty"
    gamma: Annotated[float, Ge(0)] = 10.0
    batch_norm: Normalised = "generator"
    learning_rate: Rate = 3e-4
    momentum: Beta = 0.0
    second_momentum: Beta = 0.9
    discriminator_steps: Annotated[int, Gt(0)] = 5


@dataclass(frozen=True)
class CGANOptions(AdversarialOptions):
    """R3GAN's loss with networks that are fast on a CPU: rate, betas and ``gamma`` are no paper's."""

    loss: LossName = "relativistic"
    penalty: PenaltyName = "r1_r2"
    batch_norm: Normalised = "generator"
    learning_rate: Rate = 4e-4
    momentum: Beta = 0.0
    second_momentum: Beta = 0.9
    augment_below: Annotated[int, Ge(0)] = 5000


@dataclass(frozen=True)
class R3GANOptions(CGANOptions):
    """Not the paper's: a rate of 4e-4 and a ``gamma`` of 1 throughout. It anneals both, ``gamma`` by data set.

    ``width`` is a multiple of 8: the 3×3 convolutions work in groups of 16 channels of the doubled width.
    """

    width: Annotated[int, Gt(0), MultipleOf(8)] = 64
    batch_norm: Normalised = "none"
    second_momentum: Beta = 0.99

    def __post_init__(self) -> None:
        if self.spectral_norm:
            raise UserError(
                "option 'spectral_norm' is not for r3gan: its blocks begin at zero, which has no norm to divide by",
                hint="its penalties r1 and r2 do that work; or use cgan",
            )
