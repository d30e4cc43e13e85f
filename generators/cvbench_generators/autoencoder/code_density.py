"""A density over an autoencoder's codes: a Gaussian mixture per class (ex-post density estimation).

Ghosh et al., "From variational to deterministic autoencoders", arXiv 1903.12436, section 4; fitted by scikit-learn's
expectation maximization.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cvbench.errors import NotApplicable
from cvbench.samples import DatasetSpec, IntArray
from cvbench_generators.conditional_sampler import Noise

PICTURES_PER_COMPONENT = 20
VARIANCE_FLOOR = (
    1e-3  # added to each code's variance, of codes of order one: a class may have fewer pictures than codes
)


class CodeDensity(nn.Module):
    """K mixtures of M Gaussians each: (K, M) shares, (K, M, D) means, (K, M, D, D) lower Cholesky factors.

    They are parameters without a gradient, so that a sampler's safetensors hold them and its ``parameter_count`` counts
    them; a class without pictures keeps shares of zero.
    """

    def __init__(self, classes: int, components: int, code: int) -> None:
        super().__init__()
        self.shares, self.means, self.scales = (
            nn.Parameter(torch.zeros(classes, components, *sides), requires_grad=False)
            for sides in ((), (code,), (code, code))
        )

    def draw(self, labels: Tensor, noise: Noise) -> Tensor:
        """(n, D) codes of these classes; the noise's spread widens each Gaussian about its mean."""
        chosen = noise.uniform(len(labels), 1).to(labels.device)
        last = (self.shares > 0).sum(1)[labels] - 1  # a class may have fewer than M; rounded shares may not reach one
        component = (self.shares.cumsum(1)[labels] <= chosen).sum(1).minimum(last)
        normal = noise.normal(len(labels), self.means.shape[2]).to(labels.device)
        return self.means[labels, component] + torch.einsum("nij,nj->ni", self.scales[labels, component], normal)


def fit_density(
    codes: NDArray[np.float64], labels: IntArray, spec: DatasetSpec, *, components: int, seed: int
) -> CodeDensity:
    """Mixtures of at most ``components`` Gaussians with full covariance per class.

    ``codes`` is (N, D) of order one. Raises :class:`NotApplicable` for a class with a single picture.
    """
    from sklearn.mixture import GaussianMixture

    check_pictures(labels, spec)
    density = CodeDensity(len(spec.classes), components, codes.shape[1])
    for label in range(len(spec.classes)):
        own = codes[labels == label]
        if len(own) == 0:
            continue
        count = min(components, 1 + len(own) // PICTURES_PER_COMPONENT)
        # k-means++ alone starts EM: scikit-learn's full k-means sums across threads in no fixed order
        mixture = GaussianMixture(count, reg_covar=VARIANCE_FLOOR, init_params="k-means++", random_state=seed)
        mixture.fit(own)
        density.shares[label, :count] = torch.from_numpy(mixture.weights_)
        density.means[label, :count] = torch.from_numpy(mixture.means_)
        density.scales[label, :count] = torch.from_numpy(np.linalg.cholesky(mixture.covariances_))
    return density


def check_pictures(labels: IntArray, spec: DatasetSpec) -> None:
    """Raise :class:`NotApplicable` for a class with a single picture."""
    for label, count in enumerate(np.bincount(labels, minlength=len(spec.classes)).tolist()):
        if count == 1:
            name = spec.classes[label]
            raise NotApplicable(f"class {name!r} has one picture: a density of its codes needs at least two")
