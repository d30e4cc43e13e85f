"""DCGAN (Radford, Metz & Chintala, "Unsupervised Representation Learning with DCGANs", arXiv 1511.06434).

Section 3's rules: strided convolutions both ways and no pooling, batch normalisation on both sides but for G's last
and D's first layer, ReLU and tanh in G, leaky ReLU in D. Section 4's settings: weights from N(0, 0.02²), Adam 2e-4
with momentum 0.5. The paper's network for 64 px is cut to the sides at hand, and its kernels of 5×5 are 4×4.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from torch import Tensor, nn

from cvbench.samples import DatasetSpec
from cvbench_generators.adversarial.blocks import Latents, coarsest, dcgan_weights, halvings, map_norm
from cvbench_generators.adversarial.family import Family
from cvbench_generators.adversarial.options import AdversarialOptions


def widths(spec: DatasetSpec, width: int) -> list[int]:
    """Channels from the finest map (half the picture's side) to the coarsest, doubling."""
    return [width * 2**k for k in range(halvings(spec))]


class Deconvolutions(Latents):
    """G: latent (n, Z) → picture (n, C, H, W) in [-1, 1], each layer doubling the sides."""

    def __init__(self, spec: DatasetSpec, options: AdversarialOptions) -> None:
        super().__init__()
        self.latent, norm, (high, wide) = options.latent, options.normalises_generator, coarsest(spec)
        channels = [*reversed(widths(spec, options.width)), spec.channels]
        layers: list[nn.Module] = [
            nn.Linear(self.latent, channels[0] * high * wide),
            nn.Unflatten(1, (channels[0], high, wide)),
        ]
        for inside, outside in pairwise(channels):
            layers += [map_norm(inside, norm), nn.ReLU(), nn.ConvTranspose2d(inside, outside, 4, 2, 1)]
        self.layers = nn.Sequential(*layers, nn.Tanh())
        dcgan_weights(self)

    def forward(self, latent: Tensor) -> Tensor:
        return cast(Tensor, self.layers(latent))


class Convolutions(nn.Module):
    """D: picture (n, C, H, W) → score (n,), each layer halving the sides."""

    def __init__(self, spec: DatasetSpec, options: AdversarialOptions) -> None:
        super().__init__()
        channels, (high, wide) = [spec.channels, *widths(spec, options.width)], coarsest(spec)
        layers: list[nn.Module] = []
        for place, (inside, outside) in enumerate(pairwise(channels)):
            norm = map_norm(outside, options.normalises_discriminator and place > 0)
            layers += [nn.Conv2d(inside, outside, 4, 2, 1), norm, nn.LeakyReLU(0.2)]
        self.layers, self.features = nn.Sequential(*layers, nn.Flatten()), channels[-1] * high * wide
        self.score = nn.Linear(self.features, 1)
        dcgan_weights(self)

    def forward(self, picture: Tensor) -> Tensor:
        return cast(Tensor, self.score(self.layers(picture)))[:, 0]


FAMILY = Family("dcgan", Deconvolutions, Convolutions, conditional=False)
