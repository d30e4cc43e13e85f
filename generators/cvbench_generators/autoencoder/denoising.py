"""A denoising autoencoder (Vincent et al., "Extracting and composing robust features", ICML 2008) as a generator.

It learns to give back the clean picture from a noisy one through a narrow code, without labels. The noise is Gaussian
and the loss the mean squared error; the paper sets a share of the pixels to zero and takes the cross-entropy.

What it lacks as a generator, a density of codes, is fitted per class afterwards
(:mod:`cvbench_generators.autoencoder.code_density`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cvbench.contracts import Budget, Precision, Progress, Workplace
from cvbench.errors import NotApplicable, TrainingDiverged
from cvbench.samples import Dataset, DatasetSpec
from cvbench.seeds import derive_seed
from cvbench.training import BatchOrder, Descent, Ema, OptimizerSettings, autocast, run_steps, to_tensor
from cvbench_generators.autoencoder.code_density import CodeDensity, check_pictures, fit_density
from cvbench_generators.autoencoder.networks import MULTIPLE, Decoder, Encoder
from cvbench_generators.conditional_sampler import (
    ConditionalSampler,
    Draw,
    Noise,
    load_sampler,
    pictures_to_learn,
    to_network,
)

if TYPE_CHECKING:
    from cvbench_generators.autoencoder import AutoencoderOptions

ENCODE_BATCH = 500


class DenoisingAutoencoder(nn.Module):
    """Noisy picture (n, C, H', W') → clean picture in [-1, 1], by way of a code (n, ``code``) of order one."""

    def __init__(self, spec: DatasetSpec, width: int, code: int) -> None:
        super().__init__()
        self.encoder = Encoder(spec, width, code)
        # without a scale of its own the decoder could shrink the codes until the density's floor drowned them
        self.norm = nn.BatchNorm1d(code, affine=False)
        self.decoder = Decoder(spec, width, code)

    def encode(self, picture: Tensor) -> Tensor:
        return cast(Tensor, self.norm(self.encoder(picture).float()))

    def forward(self, picture: Tensor) -> Tensor:
        return cast(Tensor, self.decoder(self.encode(picture)).float().tanh())


class DecodedDensity(nn.Module):
    """What samples: the density of codes and the decoder."""

    def __init__(self, density: CodeDensity, decoder: Decoder) -> None:
        super().__init__()
        self.density, self.decoder = density, decoder


def fit(
    train: Dataset, options: AutoencoderOptions, budget: Budget, seed: int, progress: Progress, workplace: Workplace
) -> ConditionalSampler:
    """Denoise the training pictures, then fit the density of the averaged network's codes of the clean ones.

    Raises :class:`NotApplicable` for pictures that it cannot learn from and for a batch of one, and
    :class:`TrainingDiverged` for codes that are not finite.
    """
    train = pictures_to_learn(train, "autoencoder")
    check_pictures(train.labels, train.spec)
    if budget.batch_size < 2:
        raise NotApplicable("autoencoder needs a batch_size of two or more: its codes are batch-normalised")
    device, spec = workplace.device, train.spec
    torch.manual_seed(derive_seed(seed, "weights"))
    net = DenoisingAutoencoder(spec, options.width, options.code).to(device).to(memory_format=torch.channels_last)
    ema = Ema(net, options.ema)
    settings = OptimizerSettings("adamw", options.learning_rate, 1e-2, (0.9, 0.99), warmup=50, floor=0.02)
    descent = Descent(net.parameters(), settings, steps=budget.steps, device=device, precision=budget.precision)
    images = to_tensor(train.images, device)
    order = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order"))

    def step(number: int) -> dict[str, Tensor]:
        picture = to_network(images[order(number).to(device)], MULTIPLE)
        noisy = picture + options.noise * torch.randn_like(picture)
        with autocast(device, budget.precision):
            cleaned = net(noisy)
        loss = (cleaned - picture).square().mean()
        descent.step(loss, number)
        ema.update(net, number)
        return {"denoising loss": loss}

    curves = run_steps(
        step,
        steps=budget.steps,
        seed=seed,
        state={"net": net, "ema": ema, "descent": descent},
        progress=progress,
        folder=workplace.folder,
        note="fitting autoencoder",
    )
    averaged = cast(DenoisingAutoencoder, ema.module)
    codes = encoded(averaged, images, device, budget.precision)
    if not np.isfinite(codes).all():
        raise TrainingDiverged(f"the codes are not finite after {budget.steps} steps; try a lower learning rate")
    density_seed = derive_seed(seed, "density") % 2**32  # what scikit-learn takes
    density = fit_density(codes, train.labels, spec, components=options.components, seed=density_seed)
    about = {
        "width": options.width,
        "code": options.code,
        "components": options.components,
        "precision": budget.precision,
    }
    samples = DecodedDensity(density, averaged.decoder).to(device)
    draw = partial(decode, precision=budget.precision)
    return ConditionalSampler(samples, draw, spec, train.class_counts(), about, curves)


def encoded(net: DenoisingAutoencoder, images: Tensor, device: str, precision: Precision) -> NDArray[np.float64]:
    """(N, code) codes of uint8 pictures (N, C, H, W)."""
    with torch.inference_mode(), autocast(device, precision):
        parts = [net.encode(to_network(some, MULTIPLE)).cpu() for some in torch.split(images, ENCODE_BATCH)]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)


def decode(network: nn.Module, labels: Tensor, noise: Noise, *, precision: Precision) -> Tensor:
    """Pictures (n, C, H', W') in [-1, 1]: codes from the density of their class, decoded."""
    samples = cast(DecodedDensity, network)
    code = samples.density.draw(labels, noise)
    with autocast(str(labels.device), precision):
        logits: Tensor = samples.decoder(code)
    return logits.float().tanh()


def load(folder: Path, device: str) -> ConditionalSampler:
    """The sampler that was saved there; raises as :func:`load_sampler` does."""
    return load_sampler(folder, device, rebuilt)


def rebuilt(spec: DatasetSpec, about: Mapping[str, Any]) -> tuple[DecodedDensity, Draw]:
    """The density and decoder of a saved sampler, and how to draw from them."""
    width, code = int(about["width"]), int(about["code"])
    density = CodeDensity(len(spec.classes), int(about["components"]), code)
    return DecodedDensity(density, Decoder(spec, width, code)), partial(decode, precision=about["precision"])
