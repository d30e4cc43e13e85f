"""What several of these papers build with: sides that halve, normalisation as chosen, spectral norm."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.utils import parametrizations

from cvbench.samples import DatasetSpec
from cvbench_generators.conditional_sampler import Noise, padded_shape


def halvings(spec: DatasetSpec) -> int:
    """How often the sides halve on the way to the coarsest map: of 28 px to 7, of 64 px to 8."""
    side = max(spec.height, spec.width)
    return 2 if side <= 40 else 3


def coarsest(spec: DatasetSpec) -> tuple[int, int]:
    """(h, w) of the padded picture after all halvings."""
    multiple = 2 ** halvings(spec)
    _, high, wide = padded_shape(spec, multiple)
    return high // multiple, wide // multiple


class Latents(nn.Module):
    """A generator network that draws its input from a Gaussian of ``latent`` dimensions."""

    latent: int

    def latents(self, count: int, noise: Noise) -> Tensor:
        """float32 (count, latent), on the CPU."""
        return noise.normal(count, self.latent)


class ConditionalNorm(nn.Module):
    """Batch normalisation, if it is wanted, with a scale and shift per class (de Vries et al., arXiv 1707.00683)."""

    def __init__(self, channels: int, classes: int, normalised: bool = True) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False) if normalised else nn.Identity()
        self.scale, self.shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """(n, channels, h, w) and classes (n,) → the same shape."""
        scale, shift = self.scale(label)[..., None, None], self.shift(label)[..., None, None]
        return cast(Tensor, self.norm(x) * scale + shift)


def flat_norm(features: int, normalised: bool) -> nn.Module:
    """Batch normalisation of (n, features), or nothing."""
    return nn.BatchNorm1d(features) if normalised else nn.Identity()


def map_norm(channels: int, normalised: bool) -> nn.Module:
    """Batch normalisation of (n, channels, h, w), or nothing."""
    return nn.BatchNorm2d(channels) if normalised else nn.Identity()


def spectrally_normalised(network: nn.Module) -> nn.Module:
    """The network with every weight matrix divided by its largest singular value (Miyato et al., arXiv 1802.05957)."""
    for layer in list(network.modules()):
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding):
            parametrizations.spectral_norm(layer)
    return network


def dcgan_weights(network: nn.Module) -> None:
    """Convolutions and matrices from N(0, 0.02²) (Radford et al., arXiv 1511.06434, section 4).

    Norms' scales from N(1, 0.02²), of which the paper says nothing: the authors' code has them so.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(cast(Tensor, layer.weight), 1.0, 0.02)
