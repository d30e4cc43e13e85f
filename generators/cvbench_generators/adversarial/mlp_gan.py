"""The first GAN (Goodfellow et al., "Generative Adversarial Networks", arXiv 1406.2661): fully connected.

G has two rectified hidden layers, D two maxout layers with dropout (section 5). The value function is the loss
``minimax``; what the paper advises for training, and the default here, is ``non_saturating`` (section 3). Latents are
Gaussian and pictures lie in [-1, 1], where the paper has uniform latents and [0, 1].
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from cvbench.samples import DatasetSpec
from cvbench_generators.adversarial.blocks import Latents, flat_norm
from cvbench_generators.adversarial.family import Family
from cvbench_generators.adversarial.options import AdversarialOptions

PIECES = 5  # linear pieces per maxout unit


class MLP(Latents):
    """G: latent (n, Z) → picture (n, C, H, W) in [-1, 1]."""

    def __init__(self, spec: DatasetSpec, options: AdversarialOptions) -> None:
        super().__init__()
        self.latent, hidden, norm = options.latent, 2 * options.width, options.normalises_generator
        channels, high, wide = spec.channels, spec.height, spec.width
        self.layers = nn.Sequential(
            *(nn.Linear(self.latent, hidden), flat_norm(hidden, norm), nn.ReLU()),
            *(nn.Linear(hidden, hidden), flat_norm(hidden, norm), nn.ReLU()),
            *(nn.Linear(hidden, channels * high * wide), nn.Tanh(), nn.Unflatten(1, (channels, high, wide))),
        )

    def forward(self, latent: Tensor) -> Tensor:
        return cast(Tensor, self.layers(latent))


class Maxout(nn.Module):
    """(n, inside) → (n, outside): the greatest of ``PIECES`` linear functions (arXiv 1302.4389)."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.pieces = nn.Linear(inside, PIECES * outside)

    def forward(self, x: Tensor) -> Tensor:
        pieces: Tensor = self.pieces(x)
        return pieces.view(len(x), PIECES, -1).amax(1)


class MaxoutNet(nn.Module):
    """D: picture (n, C, H, W) → score (n,)."""

    def __init__(self, spec: DatasetSpec, options: AdversarialOptions) -> None:
        super().__init__()
        width, norm = options.width, options.normalises_discriminator
        self.layers = nn.Sequential(
            *(nn.Flatten(), Maxout(spec.channels * spec.height * spec.width, width), flat_norm(width, norm)),
            *(nn.Dropout(0.3), Maxout(width, width), flat_norm(width, norm), nn.Dropout(0.3), nn.Linear(width, 1)),
        )

    def forward(self, picture: Tensor) -> Tensor:
        return cast(Tensor, self.layers(picture))[:, 0]


FAMILY = Family("mlp_gan", MLP, MaxoutNet, conditional=False, multiple=lambda spec: 1)
