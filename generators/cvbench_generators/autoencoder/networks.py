"""The convolutional encoder and decoder that both autoencoders share: two halvings, residual blocks at the bottom.

Pixels are folded into channels for the first halving; blocks are those of He et al. (arXiv 1603.05027, figure 4e)
with group normalisation.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from cvbench.samples import DatasetSpec
from cvbench_generators.conditional_sampler import padded_side

MULTIPLE = 4  # both networks halve the sides twice
GROUP = 16  # channels per normalisation group: below 16, torch's CPU kernel is ten times as slow


def normalised(channels: int) -> nn.Sequential:
    """Group normalisation, then SiLU."""
    return nn.Sequential(nn.GroupNorm(channels // GROUP, channels), nn.SiLU())


class Block(nn.Module):
    """A residual block of two convolutions with normalisation before each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            *(normalised(channels), nn.Conv2d(channels, channels, 3, padding=1)),
            *(normalised(channels), nn.Conv2d(channels, channels, 3, padding=1)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.inner(x))


class Encoder(nn.Module):
    """Picture (n, C, H', W') → (n, ``outputs``); H' and W' are multiples of 4."""

    def __init__(self, spec: DatasetSpec, width: int, outputs: int) -> None:
        super().__init__()
        high, wide = bottom_sides(spec)
        self.convolutions = nn.Sequential(
            *(nn.PixelUnshuffle(2), nn.Conv2d(4 * spec.channels, width, 3, padding=1)),
            *(normalised(width), nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)),
            *(Block(2 * width), normalised(2 * width), nn.Flatten()),
        )
        self.out = nn.Linear(2 * width * high * wide, outputs)

    def forward(self, picture: Tensor) -> Tensor:
        return cast(Tensor, self.out(self.convolutions(picture)))


class Decoder(nn.Module):
    """(n, ``inputs``) → logits of the pictures (n, C, H', W')."""

    def __init__(self, spec: DatasetSpec, width: int, inputs: int) -> None:
        super().__init__()
        high, wide = bottom_sides(spec)
        self.layers = nn.Sequential(
            *(nn.Linear(inputs, 2 * width * high * wide), nn.Unflatten(1, (2 * width, high, wide))),
            *(Block(2 * width), normalised(2 * width)),
            *(nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), Block(width), normalised(width)),
            *(nn.Conv2d(width, 4 * spec.channels, 3, padding=1), nn.PixelShuffle(2)),
        )

    def forward(self, code: Tensor) -> Tensor:
        return cast(Tensor, self.layers(code))


def bottom_sides(spec: DatasetSpec) -> tuple[int, int]:
    """Height and width after both halvings."""
    return padded_side(spec.height, MULTIPLE) // 4, padded_side(spec.width, MULTIPLE) // 4
