"""InfoGAN (Chen et al., "InfoGAN: Interpretable Representation Learning by Information Maximizing", arXiv 1606.03657).

G's input is noise z and a code c: one categorical code with as many values as there are classes, and two continuous
ones. A head Q on the discriminator's features reads the code off a fake; its log-likelihood bounds the mutual
information I(c; G(z, c)) from below (equation 5), and both sides maximise it (section 4). Networks as in appendix C.1:
DCGAN's with a fully connected layer more on either side.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, one_hot

from cvbench.samples import DatasetSpec
from cvbench_generators.adversarial.blocks import Latents, dcgan_weights, flat_norm
from cvbench_generators.adversarial.dcgan import Convolutions, Deconvolutions
from cvbench_generators.adversarial.family import Family
from cvbench_generators.adversarial.options import InfoGANOptions
from cvbench_generators.conditional_sampler import Noise

CONTINUOUS = 2  # codes uniform in [-1, 1]
CONTINUOUS_WEIGHT = 0.1  # of their likelihood beside the categorical code's: section 4 asks for a smaller one


class CodedNet(Latents):
    """G: categorical code, continuous codes and noise (n, K + 2 + Z) → picture (n, C, H, W) in [-1, 1]."""

    def __init__(self, spec: DatasetSpec, options: InfoGANOptions) -> None:
        super().__init__()
        self.latent, self.categories, hidden = options.latent, len(spec.classes), 8 * options.width
        inputs, norm = self.categories + CONTINUOUS + self.latent, flat_norm(hidden, options.normalises_generator)
        self.enter = nn.Sequential(nn.Linear(inputs, hidden), norm, nn.ReLU())
        self.picture = Deconvolutions(spec, replace(options, latent=hidden))
        dcgan_weights(self)

    def latents(self, count: int, noise: Noise) -> Tensor:
        """float32 (count, K + 2 + Z), on the CPU."""
        category = (noise.uniform(count) * self.categories).long()
        continuous = (2 * noise.uniform(count, CONTINUOUS) - 1) * noise.spread
        return torch.cat([one_hot(category, self.categories), continuous, noise.normal(count, self.latent)], dim=1)

    def forward(self, latent: Tensor) -> Tensor:
        return cast(Tensor, self.picture(self.enter(latent)))


class CodeReader(nn.Module):
    """D: picture (n, C, H, W) → score (n,); and Q: picture → the categorical code's logits and the others' means."""

    def __init__(self, spec: DatasetSpec, options: InfoGANOptions) -> None:
        super().__init__()
        convolutions, norm, hidden = Convolutions(spec, options), options.normalises_discriminator, 8 * options.width
        self.trunk = nn.Sequential(
            *convolutions.layers,
            *(nn.Linear(convolutions.features, hidden), flat_norm(hidden, norm), nn.LeakyReLU(0.2)),
        )
        self.score = nn.Linear(hidden, 1)
        self.read = nn.Sequential(nn.Linear(hidden, 128), flat_norm(128, norm), nn.LeakyReLU(0.2))
        self.category, self.means = nn.Linear(128, len(spec.classes)), nn.Linear(128, CONTINUOUS)
        dcgan_weights(self)

    def forward(self, picture: Tensor) -> Tensor:
        return cast(Tensor, self.score(self.trunk(picture)))[:, 0]

    def codes(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """(n, K) logits and (n, 2) means."""
        read = self.read(self.trunk(picture))
        return self.category(read), self.means(read)


def code_loss(reader: nn.Module, fake: Tensor, latent: Tensor) -> Tensor:
    """Minus the bound on the mutual information, up to a constant: Q's negative log-likelihood of the code.

    The continuous codes' is a Gaussian's of variance one.
    """
    logits, means = cast(CodeReader, reader).codes(fake)
    categories = logits.shape[1]
    category, continuous = latent[:, :categories].argmax(1), latent[:, categories : categories + CONTINUOUS]
    return cross_entropy(logits, category) + CONTINUOUS_WEIGHT * mse_loss(means, continuous) * CONTINUOUS / 2


FAMILY = Family("infogan", CodedNet, CodeReader, conditional=False, information=code_loss)
