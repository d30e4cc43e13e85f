"""R3GAN (Huang et al., "The GAN is dead; long live the GAN!", NeurIPS 2024, arXiv 2501.05441).

The relativistic pairing loss with R1 and R2 (section 2) lets a plain modern network be trained: section 3 and figure 4.
Both sides are stacks of residual blocks, 1×1 convolution to twice the width, 3×3 in groups, 1×1 back, with biased
leaky ReLU between them and no normalisation; fix-up initialisation keeps a stack's variance; sides change by linear
interpolation; the coarsest map starts as a learned basis scaled by the latent, and ends in a depthwise convolution.

Small here: one block per resolution (the paper: two), and pixel (un)shuffling folds the finest map, where it is over
16 px wide, so that no block works at full resolution. Other than in the authors' code, G ends in tanh
(theirs in its last convolution), and sides change by bilinear interpolation in G and the mean of 2×2 in D (theirs by a
[1, 2, 1] filter in both).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from cvbench.samples import DatasetSpec
from cvbench_generators.adversarial.blocks import Latents, coarsest, halvings, map_norm
from cvbench_generators.adversarial.family import Family
from cvbench_generators.adversarial.options import AdversarialOptions

GROUP = 16  # channels per group of the 3×3 convolutions
SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))  # leaky ReLU's, after He et al.


def scaled(layer: nn.Conv2d | nn.Linear, gain: float = 1.0) -> nn.Conv2d | nn.Linear:
    """The layer with weights from N(0, gain² / fan-in)."""
    nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(layer.weight[0].numel()))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class BiasedActivation(nn.Module):
    """Leaky ReLU of the map plus a bias per channel, batch-normalised first if that is chosen."""

    def __init__(self, channels: int, normalised: bool) -> None:
        super().__init__()
        self.norm, self.bias = map_norm(channels, normalised), nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.norm(x) + self.bias, SLOPE)


class Block(nn.Module):
    """x + conv 1×1(conv 3×3 in groups(conv 1×1(x))); the last starts at zero, the others share the stack's gain."""

    def __init__(self, channels: int, depth: int, normalised: bool) -> None:
        super().__init__()
        inner, gain = 2 * channels, GAIN * depth ** (-1 / 4)
        self.residual = nn.Sequential(
            scaled(nn.Conv2d(channels, inner, 1, bias=False), gain),
            BiasedActivation(inner, normalised),
            scaled(nn.Conv2d(inner, inner, 3, padding=1, groups=inner // GROUP, bias=False), gain),
            BiasedActivation(inner, normalised),
            scaled(nn.Conv2d(inner, channels, 1, bias=False), 0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.residual(x))


class Resolutions:
    """How many channels each resolution has, coarsest first, and how the finest is folded."""

    def __init__(self, spec: DatasetSpec, width: int) -> None:
        self.fold = 2 if max(spec.height, spec.width) > 16 else 1
        count = halvings(spec) + 1 - (self.fold == 2)
        self.channels = [width * 2 ** min(1, count - 1 - k) for k in range(count)]
        self.base, self.picture = coarsest(spec), spec.channels * self.fold**2


class Grown(Latents):
    """G: latent (n, Z) and class → picture (n, C, H, W) in [-1, 1]."""

    def __init__(self, spec: DatasetSpec, options: AdversarialOptions) -> None:
        super().__init__()
        self.latent, shape, norm = options.latent, Resolutions(spec, options.width), options.normalises_generator
        channels, depth = shape.channels, len(shape.channels)
        self.label = nn.Embedding(len(spec.classes), options.latent)
        self.basis = nn.Parameter(torch.randn(channels[0], *shape.base))
        self.weights = scaled(nn.Linear(2 * options.latent, channels[0], bias=False))
        self.blocks = nn.ModuleList(Block(c, depth, norm) for c in channels)
        self.changes = nn.ModuleList(scaled(nn.Conv2d(a, b, 1, bias=False)) for a, b in pairwise(channels))
        self.out = nn.Sequential(scaled(nn.Conv2d(channels[-1], shape.picture, 1)), nn.PixelShuffle(shape.fold))

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        weights = self.weights(torch.cat([latent, self.label(label)], dim=1))
        x = self.blocks[0](self.basis * weights[..., None, None])
        for change, block in zip(self.changes, self.blocks[1:], strict=True):
            x = block(interpolate(change(x), scale_factor=2, mode="bilinear"))
        return cast(Tensor, self.out(x)).tanh()


class Shrunk(nn.Module):
    """D: picture (n, C, H, W) and class → score (n,), by projection on the class."""

    def __init__(self, spec: DatasetSpec, options: AdversarialOptions) -> None:
        super().__init__()
        shape, norm = Resolutions(spec, options.width), options.normalises_discriminator
        channels, depth = shape.channels[::-1], len(shape.channels)
        self.enter = nn.Sequential(nn.PixelUnshuffle(shape.fold), scaled(nn.Conv2d(shape.picture, channels[0], 1)))
        self.blocks = nn.ModuleList(Block(c, depth, norm) for c in channels)
        self.changes = nn.ModuleList(scaled(nn.Conv2d(a, b, 1, bias=False)) for a, b in pairwise(channels))
        last = channels[-1]
        self.basis = scaled(nn.Conv2d(last, last, shape.base, groups=last, bias=False))
        self.features = scaled(nn.Linear(last, options.latent, bias=False))
        self.label = nn.Embedding(len(spec.classes), options.latent)

    def forward(self, picture: Tensor, label: Tensor) -> Tensor:
        x = self.blocks[0](self.enter(picture))
        for change, block in zip(self.changes, self.blocks[1:], strict=True):
            x = block(change(avg_pool2d(x, 2)))
        features = self.features(self.basis(x)[..., 0, 0])
        return cast(Tensor, (features * self.label(label)).sum(1) / features.shape[1] ** 0.5)


FAMILY = Family("r3gan", Grown, Shrunk, conditional=True)
