"""InfoGAN (Chen et al., "InfoGAN: Interpretable Representation Learning by Information Maximizing", arXiv 1606.03657).

G's input is noise z and a code c: one categorical code with as many values as there are classes, and two continuous
ones. A head Q on the discriminator's features reads the code off a fake; its log-likelihood bounds the mutual
information I(c; G(z, c)) from below (section 5). G and Q maximise it, as the paper has it; so do the layers of D that Q
shares. The networks are DCGAN's, and Q is that of appendix C.1. Its further fully connected layer on either side is
left out: with it, short fits collapsed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, one_hot

from cvbench.samples import DatasetSpec
from cvbench_generators.adversarial.blocks import dcgan_weights, flat_norm
from cvbench_generators.adversarial.dcgan import Convolutions, Deconvolutions
from cvbench_generators.adversarial.family import Family
from cvbench_generators.adversarial.options import InfoGANOptions
from cvbench_generators.conditional_sampler import Noise

CONTINUOUS = 2  # codes uniform in [-1, 1]
CONTINUOUS_WEIGHT = 0.1  # of their likelihood beside the categorical code's: section 6 asks for a smaller one


class CodedNet(Deconvolutions):
    """G: categorical code, continuous codes and noise (n, K + 2 + Z) → picture (n, C, H, W) in [-1, 1]."""

    def __init__(self, spec: DatasetSpec, options: InfoGANOptions) -> None:
        categories = len(spec.classes)
        super().__init__(spec, replace(options, latent=categories + CONTINUOUS + options.latent))
        self.latent, self.categories = options.latent, categories

    def latents(self, count: int, noise: Noise) -> Tensor:
        """float32 (count, K + 2 + Z), on the CPU."""
        category = (noise.uniform(count) * self.categories).long()
        continuous = (2 * noise.uniform(count, CONTINUOUS) - 1) * noise.spread
        return torch.cat([one_hot(category, self.categories), continuous, noise.normal(count, self.latent)], dim=1)


class CodeReader(Convolutions):
    """D: picture (n, C, H, W) → score (n,); and Q: picture → the categorical code's logits and the others' means."""

    def __init__(self, spec: DatasetSpec, options: InfoGANOptions) -> None:
        super().__init__(spec, options)
        norm = flat_norm(128, options.normalises_discriminator)
        self.read = nn.Sequential(nn.Linear(self.features, 128), norm, nn.LeakyReLU(0.2))
        self.category, self.means = nn.Linear(128, len(spec.classes)), nn.Linear(128, CONTINUOUS)
        dcgan_weights(self)

    def read_off(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(n,) scores, (n, K) logits and (n, 2) means, of one look at the picture."""
        features = self.layers(picture)
        read = self.read(features)
        return self.score(features)[:, 0], self.category(read), self.means(read)


def scores_and_code_loss(reader: nn.Module, fake: Tensor, latent: Tensor) -> tuple[Tensor, Tensor]:
    """D's scores (n,), and minus the bound on the mutual information, up to a constant.

    That is Q's negative log-likelihood of the code; the continuous codes' is a Gaussian's of variance one.
    """
    scores, logits, means = cast(CodeReader, reader).read_off(fake)
    categories = logits.shape[1]
    category, continuous = latent[:, :categories].argmax(1), latent[:, categories : categories + CONTINUOUS]
    continuous_loss = mse_loss(means, continuous) * CONTINUOUS / 2
    return scores, cross_entropy(logits, category) + CONTINUOUS_WEIGHT * continuous_loss


FAMILY = Family("infogan", CodedNet, CodeReader, conditional=False, information=scores_and_code_loss)
