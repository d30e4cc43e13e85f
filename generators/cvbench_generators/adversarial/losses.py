"""The adversarial losses: for each, what the discriminator and what the generator minimises, as functions of scores.

Scores are logits (of a critic: any real number), (n,) of real pictures and (n,) of fakes; a loss is a mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import relu, softplus


@dataclass(frozen=True)
class Loss:
    """Both sides' losses, (real scores, fake scores) → a number. ``paired``: the generator's needs real scores, too."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    paired: bool = False


def cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """−log D(x) − log(1 − D(G(z))), D the logistic of the score (Goodfellow et al., arXiv 1406.2661, equation 1)."""
    return softplus(-real).mean() + softplus(fake).mean()


def minimax(real: Tensor, fake: Tensor) -> Tensor:
    """log(1 − D(G(z))): the value function itself; flat where the discriminator is sure (same paper, section 3)."""
    return -softplus(fake).mean()


def non_saturating(real: Tensor, fake: Tensor) -> Tensor:
    """−log D(G(z)): same fixed point, steep where the discriminator is sure (same paper, section 3)."""
    return softplus(-fake).mean()


def hinge_margin(real: Tensor, fake: Tensor) -> Tensor:
    """Scores beyond ±1 count no more (Miyato et al., arXiv 1802.05957, equation 16)."""
    return relu(1 - real).mean() + relu(1 + fake).mean()


def score_gap(real: Tensor, fake: Tensor) -> Tensor:
    """The critic's estimate of minus the Wasserstein-1 distance (Arjovsky et al., arXiv 1701.07875, equation 2)."""
    return fake.mean() - real.mean()


def lower_score(real: Tensor, fake: Tensor) -> Tensor:
    """The generator's side of the Wasserstein and of the hinge loss."""
    return -fake.mean()


def real_above_fake(real: Tensor, fake: Tensor) -> Tensor:
    """Each real picture shall score above its fake partner (Huang et al., arXiv 2501.05441, equation 2)."""
    return softplus(fake - real).mean()


def fake_above_real(real: Tensor, fake: Tensor) -> Tensor:
    """The generator's side of :func:`real_above_fake`."""
    return softplus(real - fake).mean()


LOSSES: Mapping[str, Loss] = {
    "minimax": Loss(cross_entropy, minimax),
    "non_saturating": Loss(cross_entropy, non_saturating),
    "hinge": Loss(hinge_margin, lower_score),
    "wasserstein": Loss(score_gap, lower_score),
    "relativistic": Loss(real_above_fake, fake_above_real, paired=True),
}
