"""CycleGAN's translator (Zhu et al., arXiv 1703.10593, appendix 7.2; after Johnson et al., arXiv 1603.08155)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions with instance normalisation, added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            *(reflected(width, width, 3), nn.InstanceNorm2d(width), nn.ReLU()),
            *(reflected(width, width, 3), nn.InstanceNorm2d(width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, x + self.inner(x))


def reflected(inside: int, outside: int, kernel: int) -> nn.Conv2d:
    """A convolution that keeps the size, with mirrored borders against artefacts there (appendix 7.2)."""
    return nn.Conv2d(inside, outside, kernel, padding=kernel // 2, padding_mode="reflect")


class ResNet(nn.Sequential):
    """G or F: (n, C, H, W) → (n, C, H, W) in [-1, 1]: c7s1-w, d2w, d4w, residual blocks, u2w, uw, c7s1-C."""

    def __init__(self, channels: int, width: int, blocks: int) -> None:
        layers: list[nn.Module] = [reflected(channels, width, 7), nn.InstanceNorm2d(width), nn.ReLU()]
        for w in (width, 2 * width):
            layers += [nn.Conv2d(w, 2 * w, 3, stride=2, padding=1), nn.InstanceNorm2d(2 * w), nn.ReLU()]
        layers += [ResidualBlock(4 * width) for _ in range(blocks)]
        for w in (2 * width, width):
            up = nn.ConvTranspose2d(2 * w, w, 3, stride=2, padding=1, output_padding=1)
            layers += [up, nn.InstanceNorm2d(w), nn.ReLU()]
        super().__init__(*layers, reflected(width, channels, 7), nn.Tanh())
