"""EDM (Karras et al., "Elucidating the design space of diffusion-based generative models", arXiv 2206.00364).

A denoiser D(x; σ) of pictures with Gaussian noise of any standard deviation σ, preconditioned as in table 1, gives
the probability flow's slope (x − D(x; σ)) / σ; sampling follows it from noise of σ_max down to the picture with
Heun's deterministic steps (algorithm 1). Class-conditional.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from cvbench.contracts import Budget, Precision, Progress, Workplace
from cvbench.samples import Dataset, DatasetSpec
from cvbench.seeds import derive_seed
from cvbench.training import BatchOrder, Descent, Ema, OptimizerSettings, autocast, run_steps, to_tensor
from cvbench_generators.conditional_sampler import (
    ConditionalSampler,
    Draw,
    Noise,
    load_sampler,
    pictures_to_learn,
    to_network,
)
from cvbench_generators.flow.unet import UNet, picture_shape, side_multiple

if TYPE_CHECKING:
    from cvbench_generators.flow import DiffusionOptions

# Table 1: the noise levels of training are log-normal, those of sampling are spaced by the power ρ.
P_MEAN, P_STD = -1.2, 1.2
SIGMA_MIN, SIGMA_MAX, RHO = 0.002, 80.0, 7.0
SIGMA_DATA = 0.5


class Denoiser(nn.Module):
    """D: noisy picture (n, C, H', W'), σ (n,) and class → the picture's expectation, preconditioned (table 1)."""

    def __init__(self, spec: DatasetSpec, width: int) -> None:
        super().__init__()
        self.unet = UNet(spec, width, labels=len(spec.classes))

    def forward(self, noisy: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        at = sigma[:, None, None, None]
        total = at**2 + SIGMA_DATA**2
        skip, out = SIGMA_DATA**2 / total, at * SIGMA_DATA * total.rsqrt()
        inner = self.unet(noisy * total.rsqrt(), sigma.log() / 4, label)
        return cast(Tensor, skip * noisy + out * inner.float())


def fit(
    train: Dataset, options: DiffusionOptions, budget: Budget, seed: int, progress: Progress, workplace: Workplace
) -> ConditionalSampler:
    """Denoise the training pictures; the averaged weights are what samples."""
    train = pictures_to_learn(train, "diffusion")
    device, spec = workplace.device, train.spec
    torch.manual_seed(derive_seed(seed, "weights"))
    denoiser = Denoiser(spec, options.width).to(device).to(memory_format=torch.channels_last)
    ema = Ema(denoiser, options.ema)
    settings = OptimizerSettings(
        "adamw", options.learning_rate, 1e-2, (0.9, 0.99), warmup=100, floor=0.02, clip_norm=1.0
    )
    descent = Descent(denoiser.parameters(), settings, steps=budget.steps, device=device, precision=budget.precision)
    images, labels = to_tensor(train.images, device), torch.from_numpy(train.labels).to(device)
    order = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order"))

    def step(number: int) -> dict[str, Tensor]:
        batch = order(number).to(device)
        picture = to_network(images[batch], side_multiple(spec))
        sigma = (P_MEAN + P_STD * torch.randn(len(batch), device=device)).exp()
        noise = sigma[:, None, None, None] * torch.randn_like(picture)
        with autocast(device, budget.precision):
            denoised = denoiser(picture + noise, sigma, labels[batch])
        weight = (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
        loss = (weight * (denoised - picture).square().mean((1, 2, 3))).mean()
        descent.step(loss, number)
        ema.update(denoiser, number)
        return {"denoising loss": loss}

    curves = run_steps(
        step,
        steps=budget.steps,
        seed=seed,
        state={"denoiser": denoiser, "ema": ema, "descent": descent},
        progress=progress,
        folder=workplace.folder,
        note="fitting diffusion",
    )
    about = {"width": options.width, "sampling_steps": options.sampling_steps, "precision": budget.precision}
    return ConditionalSampler(ema.module, drawing(spec, about), spec, train.class_counts(), about, curves)


def noise_levels(steps: int) -> list[float]:
    """``steps`` levels from σ_max to σ_min, then zero (equation 5)."""
    ramp = torch.linspace(SIGMA_MAX ** (1 / RHO), SIGMA_MIN ** (1 / RHO), steps, dtype=torch.float64)
    return [*(ramp**RHO).tolist(), 0.0]


def denoise(
    denoiser: nn.Module, labels: Tensor, noise: Noise, *, spec: DatasetSpec, steps: int, precision: Precision
) -> Tensor:
    """Pictures (n, C, H', W') in about [-1, 1]: Heun steps down the noise levels, the last one of Euler's."""
    device = labels.device
    x = SIGMA_MAX * noise.normal(len(labels), *picture_shape(spec)).to(device)
    x = x.contiguous(memory_format=torch.channels_last)

    def slope(x: Tensor, sigma: float) -> Tensor:
        denoised: Tensor = denoiser(x, torch.full((len(labels),), sigma, device=device), labels)
        return (x - denoised) / sigma

    levels = noise_levels(steps)
    with autocast(str(device), precision):
        for now, after in pairwise(levels):
            downhill = slope(x, now)
            ahead = x + (after - now) * downhill
            x = ahead if after == 0 else x + (after - now) * (downhill + slope(ahead, after)) / 2
    return x


def drawing(spec: DatasetSpec, about: Mapping[str, Any]) -> Draw:
    """How to draw from the denoiser."""
    return partial(denoise, spec=spec, steps=int(about["sampling_steps"]), precision=about["precision"])


def load(folder: Path, device: str) -> ConditionalSampler:
    """The sampler that was saved there; raises as :func:`load_sampler` does."""
    return load_sampler(folder, device, lambda spec, about: (Denoiser(spec, int(about["width"])), drawing(spec, about)))
