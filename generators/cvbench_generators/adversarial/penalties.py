"""What is added to the losses: penalties on the discriminator's slope, and on the size of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Judged:
    """A discriminator's step: real pictures and fakes (n, C, H, W) and their scores (n,).

    The pictures require gradients where the penalty is one of ``AT_PICTURES``.
    """

    judge: Callable[[Tensor], Tensor]
    real: Tensor
    fake: Tensor
    real_score: Tensor
    fake_score: Tensor


def squared_slope(score: Tensor, picture: Tensor) -> Tensor:
    """The mean over pictures of the squared norm of the score's gradient."""
    return _slope(score, picture).square().sum((1, 2, 3)).mean()


def r1(judged: Judged) -> Tensor:
    """Half the squared slope at real pictures (Mescheder et al., arXiv 1801.04406, equation 9)."""
    return squared_slope(judged.real_score, judged.real) / 2


def r2(judged: Judged) -> Tensor:
    """Half the squared slope at fakes (same paper, equation 10)."""
    return squared_slope(judged.fake_score, judged.fake) / 2


def r1_and_r2(judged: Judged) -> Tensor:
    """Both (Huang et al., arXiv 2501.05441, section 2.2)."""
    return r1(judged) + r2(judged)


def gradient_penalty(judged: Judged) -> Tensor:
    """How far the slope's norm is from one between real and fake (Gulrajani et al., arXiv 1704.00028, equation 3)."""
    along = torch.rand(len(judged.real), 1, 1, 1, device=judged.real.device)
    between = (along * judged.real + (1 - along) * judged.fake).detach().requires_grad_()
    squares = _slope(judged.judge(between), between).square().sum((1, 2, 3))
    return (squares.sqrt() - 1).square().mean()


def _slope(score: Tensor, picture: Tensor) -> Tensor:
    (slope,) = torch.autograd.grad(score.sum(), picture, create_graph=True)
    return slope


PENALTIES: Mapping[str, Callable[[Judged], Tensor]] = {
    "r1": r1,
    "r2": r2,
    "r1_r2": r1_and_r2,
    "gradient_penalty": gradient_penalty,
}
AT_PICTURES = frozenset({"r1", "r2", "r1_r2"})  # ask for the slope at the pictures themselves, not between them


def weight_decay(network: nn.Module, l1: float, l2: float) -> Tensor:
    """l1·Σ|w| + l2/2·Σw² over all of a network's parameters; zero without walking through them."""
    total = torch.zeros(())
    if not (l1 or l2):
        return total
    parameters = list(network.parameters())
    if l1:
        total = total + l1 * torch.stack([p.abs().sum() for p in parameters]).sum()
    if l2:
        total = total + l2 / 2 * torch.stack([p.square().sum() for p in parameters]).sum()
    return total
