"""What both translators share: the PatchGAN discriminator and the initial weights.

Isola et al., arXiv 1611.07004, section 3.2.2: a convolutional D judges every patch of the picture on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from torch import Tensor, nn

Norm = Callable[[int], nn.Module]


class PatchCritic(nn.Module):
    """D: (n, C, H, W) → a score per patch (n, 1, H', W'). A patch is 16 px a side, for pictures above 48 px 34 px.

    ``sides``: H and W, at least 8. Of so narrow a picture 34 px patches would leave no score: it keeps those of 16 px.
    """

    def __init__(self, channels: int, width: int, sides: tuple[int, int], norm: Norm) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        strides = (2, 1) if max(sides) > 48 and min(sides) > 8 else (1,)
        for stride in strides:
            layers += [nn.Conv2d(width, 2 * width, 4, stride=stride, padding=1), norm(2 * width), nn.LeakyReLU(0.2)]
            width *= 2
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, padding=1))

    def forward(self, pictures: Tensor) -> Tensor:
        return cast(Tensor, self.layers(pictures))


def start_weights(networks: nn.Module) -> None:
    """Convolutions drawn from N(0, 0.02²), biases at zero (both papers, their training details)."""
    for module in networks.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
