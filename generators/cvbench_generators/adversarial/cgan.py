"""A class-conditional GAN (Goodfellow et al., arXiv 1406.2661; Mirza & Osindero, arXiv 1411.1784).

Made stable by the relativistic pairing loss with R1 and R2 penalties (R3GAN, arXiv 2501.05441, section 2), a
projection discriminator without normalisation (Miyato & Koyama, arXiv 1802.05637), averaged generator weights
and, for small data, differentiable augmentation (Zhao et al., arXiv 2006.10738).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, relu

from cvbench.samples import DatasetSpec
from cvbench_generators.adversarial.blocks import ConditionalNorm, Latents, map_norm
from cvbench_generators.adversarial.family import Family
from cvbench_generators.adversarial.options import AdversarialOptions
from cvbench_generators.conditional_sampler import padded_side

MULTIPLE = 4  # both networks halve the sides twice


class PictureNet(Latents):
    """G: latent (n, Z) and class → picture (n, C, H, W) in [-1, 1]; H and W are multiples of 4."""

    def __init__(self, spec: DatasetSpec, options: AdversarialOptions) -> None:
        super().__init__()
        classes, latent, width = len(spec.classes), options.latent, options.width
        self.latent, norm = latent, options.normalises_generator
        self.base = (padded_side(spec.height, MULTIPLE) // 4, padded_side(spec.width, MULTIPLE) // 4)
        self.label = nn.Embedding(classes, 64)
        self.start = nn.Linear(latent + 64, 2 * width * self.base[0] * self.base[1])
        self.norms = nn.ModuleList(ConditionalNorm(c, classes, norm) for c in (2 * width, 2 * width, width))
        self.first = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2)
        self.second = nn.Conv2d(2 * width, width, 3, padding=1)
        self.out = nn.Conv2d(width, 4 * spec.channels, 3, padding=1)
        self.unfold = nn.PixelShuffle(2)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        x = self.start(torch.cat([latent, self.label(label)], dim=1)).unflatten(1, (-1, *self.base))
        x = self.first(relu(self.norms[0](x, label)))
        x = self.second(self.up(relu(self.norms[1](x, label))))
        return cast(Tensor, self.unfold(self.out(relu(self.norms[2](x, label)))).tanh())


class Critic(nn.Module):
    """D: picture and class → a real number (n,), by projection; without normalisation, as R1 and R2 want it."""

    def __init__(self, spec: DatasetSpec, options: AdversarialOptions) -> None:
        super().__init__()
        width, norm = options.width, options.normalises_discriminator
        high, wide = (padded_side(side, MULTIPLE) // 4 for side in (spec.height, spec.width))
        self.fold = nn.PixelUnshuffle(2)
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(4 * spec.channels, width, 3, padding=1),
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            ]
        )
        self.norms = nn.ModuleList([nn.Identity(), map_norm(2 * width, norm), map_norm(2 * width, norm)])
        self.features = nn.Linear(2 * width * high * wide, 4 * width)
        self.score = nn.Linear(4 * width, 1)
        self.label = nn.Embedding(len(spec.classes), 4 * width)

    def forward(self, picture: Tensor, label: Tensor) -> Tensor:
        x = self.fold(picture)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = leaky_relu(norm(convolution(x)), 0.2)
        x = leaky_relu(self.features(x.flatten(1)), 0.2)
        return cast(Tensor, self.score(x)[:, 0] + (x * self.label(label)).sum(1) / x.shape[1] ** 0.5)


FAMILY = Family("cgan", PictureNet, Critic, conditional=True, multiple=lambda spec: MULTIPLE)
