"""The small U-Net (Ronneberger et al., arXiv 1505.04597) that predicts from a noisy picture, a noise level and a class.

Residual blocks with group normalisation, conditioned by scale and shift, as in Dhariwal & Nichol (arXiv 2105.05233,
section 3); pixels are folded into channels first, so that the convolutions work at 14 px where pictures have 28.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from cvbench.samples import DatasetSpec
from cvbench_generators.conditional_sampler import padded_shape

GROUP = 16  # channels per normalisation group: below 16, torch's CPU kernel is ten times as slow


def patch_size(spec: DatasetSpec) -> int:
    """Pixels per side that are folded into channels first: sides of 17 to 40 px halve, of more are a quarter."""
    side = max(spec.height, spec.width)
    return 1 if side <= 16 else 2 if side <= 40 else 4


def side_multiple(spec: DatasetSpec) -> int:
    """What the sides of the network's pictures are multiples of: the patch, then one halving."""
    return 2 * patch_size(spec)


def picture_shape(spec: DatasetSpec) -> tuple[int, int, int]:
    """(C, H', W') of a picture in the network, padding included."""
    return padded_shape(spec, side_multiple(spec))


class Block(nn.Module):
    """A residual block whose second normalisation is scaled and shifted by noise level and class (FiLM)."""

    def __init__(self, inside: int, outside: int, condition: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(inside // GROUP, inside), nn.SiLU(), nn.Conv2d(inside, outside, 3, padding=1)
        )
        self.norm = nn.GroupNorm(outside // GROUP, outside, affine=False)
        self.film = nn.Linear(condition, 2 * outside)
        self.second = zeroed(nn.Conv2d(outside, outside, 3, padding=1))
        self.skip = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.film(condition)[..., None, None].chunk(2, dim=1)
        inner = nn.functional.silu(self.norm(self.first(x)) * (1 + scale) + shift)
        return cast(Tensor, self.skip(x) + self.second(inner))


class UNet(nn.Module):
    """(n, C, H', W') at noise level (n,) of order one and label (n,) < ``labels`` → the same shape."""

    def __init__(self, spec: DatasetSpec, width: int, *, labels: int) -> None:
        super().__init__()
        patch, condition = patch_size(spec), 4 * width
        folded = spec.channels * patch**2
        self.time = nn.Sequential(nn.Linear(64, condition), nn.SiLU(), nn.Linear(condition, condition), nn.SiLU())
        self.label = nn.Embedding(labels, condition)
        self.fold, self.unfold = nn.PixelUnshuffle(patch), nn.PixelShuffle(patch)
        self.stem = nn.Conv2d(folded, width, 3, padding=1)
        self.enter = Block(width, width, condition)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(Block(2 * width, 2 * width, condition) for _ in range(3))
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.leave = Block(2 * width, width, condition)
        self.out = nn.Sequential(
            nn.GroupNorm(width // GROUP, width), nn.SiLU(), zeroed(nn.Conv2d(width, folded, 3, padding=1))
        )

    def forward(self, x: Tensor, level: Tensor, label: Tensor) -> Tensor:
        condition = self.time(sinusoids(level)) + self.label(label)
        fine = self.enter(self.stem(self.fold(x)), condition)
        coarse = self.down(fine)
        for block in self.middle:
            coarse = block(coarse, condition)
        joined = torch.cat([self.up(coarse), fine], dim=1)
        return cast(Tensor, self.unfold(self.out(self.leave(joined, condition))))


def sinusoids(level: Tensor) -> Tensor:
    """(n,) noise levels of order one → (n, 64) sines and cosines of geometric frequencies."""
    frequencies = torch.exp(torch.linspace(0, math.log(1000), 32, device=level.device))
    angles = level[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer starting at zero, so that its block starts as the identity."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(cast(Tensor, layer.bias))
    return layer
