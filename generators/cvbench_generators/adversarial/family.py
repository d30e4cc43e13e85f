"""What a paper of the adversarial family brings to the game: its two networks and what is its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from cvbench.samples import DatasetSpec
from cvbench_generators.adversarial.blocks import Latents, halvings
from cvbench_generators.conditional_sampler import Noise


@dataclass(frozen=True)
class Family:
    """What a paper brings to the game.

    ``generator``: latents (n, Z) and, if ``conditional``, classes (n,) → pictures (n, C, H, W) in [-1, 1];
    ``discriminator``: such pictures and classes → scores (n,). H and W are multiples of ``multiple(spec)``.
    ``information(D, fakes, latents)`` gives the fakes' scores, and a loss that both sides take on besides.
    """

    name: str
    generator: Callable[[DatasetSpec, Any], Latents]
    discriminator: Callable[[DatasetSpec, Any], nn.Module]
    conditional: bool
    multiple: Callable[[DatasetSpec], int] = lambda spec: 2 ** halvings(spec)
    information: Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None

    def condition(self, label: Tensor) -> tuple[Tensor, ...]:
        """What both networks are given after their input."""
        return (label,) if self.conditional else ()

    def judged(self, d: nn.Module, fake: Tensor, label: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (n,) of fakes, and the family's own loss; zero where it has none."""
        if self.information is not None:
            return self.information(d, fake, latent)
        return cast(Tensor, d(fake, *self.condition(label))), torch.zeros(())

    def draw(self, g: nn.Module, labels: Tensor, noise: Noise) -> Tensor:
        """Pictures (n, C, H, W) in [-1, 1] from fresh latents."""
        latent = cast(Latents, g).latents(len(labels), noise)
        return cast(Tensor, g(latent.to(labels.device), *self.condition(labels)))
