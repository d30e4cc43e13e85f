"""Rectified flow (Liu, Gong & Liu, "Flow Straight and Fast", arXiv 2209.03003), class-conditional.

A network learns the velocity x − z along the straight line x_t = (1 − t)·z + t·x from noise z to picture x;
sampling follows it with a few Euler steps. Times are logit-normal (Esser et al., arXiv 2403.03206, section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
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
    padded_side,
    pictures_to_learn,
    to_network,
)

if TYPE_CHECKING:
    from cvbench_generators.flow import FlowOptions


def patch_size(spec: DatasetSpec) -> int:
    """Pixels per side that are folded into channels first: the network then works at about 8 to 16 px."""
    side = max(spec.height, spec.width)
    return 1 if side <= 16 else 2 if side <= 40 else 4


GROUP = 16  # channels per normalisation group: below 16, torch's CPU kernel is ten times as slow


class Block(nn.Module):
    """A residual block whose second normalisation is scaled and shifted by time and class (FiLM)."""

    def __init__(self, inside: int, outside: int, condition: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.GroupNorm(inside // GROUP, inside), nn.SiLU(), nn.Conv2d(inside, outside, 3, padding=1)
        )
        self.norm = nn.GroupNorm(outside // GROUP, outside, affine=False)
        self.film = nn.Linear(condition, 2 * outside)
        self.second = zeroed(nn.Conv2d(outside, outside, 3, padding=1))
        self.skip = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.film(condition)[..., None, None].chunk(2, dim=1)
        inner = nn.functional.silu(self.norm(self.first(x)) * (1 + scale) + shift)
        return cast(Tensor, self.skip(x) + self.second(inner))


class VelocityNet(nn.Module):
    """A small U-Net: (n, C, H, W) at time t in [0, 1] and class c → the velocity, of the same shape."""

    def __init__(self, channels: int, classes: int, width: int, patch: int) -> None:
        super().__init__()
        condition = 4 * width
        self.time = nn.Sequential(nn.Linear(64, condition), nn.SiLU(), nn.Linear(condition, condition), nn.SiLU())
        self.label = nn.Embedding(classes, condition)
        self.fold, self.unfold = nn.PixelUnshuffle(patch), nn.PixelShuffle(patch)
        self.stem = nn.Conv2d(channels * patch**2, width, 3, padding=1)
        self.enter = Block(width, width, condition)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(Block(2 * width, 2 * width, condition) for _ in range(3))
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.leave = Block(2 * width, width, condition)
        self.out = nn.Sequential(
            nn.GroupNorm(width // GROUP, width), nn.SiLU(), zeroed(nn.Conv2d(width, channels * patch**2, 3, padding=1))
        )

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        condition = self.time(sinusoids(time)) + self.label(label)
        fine = self.enter(self.stem(self.fold(x)), condition)
        coarse = self.down(fine)
        for block in self.middle:
            coarse = block(coarse, condition)
        joined = torch.cat([self.up(coarse), fine], dim=1)
        return cast(Tensor, self.unfold(self.out(self.leave(joined, condition))))


def sinusoids(time: Tensor) -> Tensor:
    """(n,) times in [0, 1] → (n, 64) sines and cosines of geometric frequencies."""
    frequencies = torch.exp(torch.linspace(0, math.log(1000), 32, device=time.device))
    angles = time[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """The layer starting at zero, so that its block starts as the identity."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(cast(Tensor, layer.bias))
    return layer


def fit(
    train: Dataset, options: FlowOptions, budget: Budget, seed: int, progress: Progress, workplace: Workplace
) -> ConditionalSampler:
    """Regress the velocity on the training pictures; the averaged weights are what samples."""
    train = pictures_to_learn(train, "flow")
    device, spec = workplace.device, train.spec
    torch.manual_seed(derive_seed(seed, "weights"))
    patch = patch_size(spec)
    net = VelocityNet(spec.channels, len(spec.classes), options.width, patch).to(device)
    net.to(memory_format=torch.channels_last)
    ema = Ema(net, options.ema)
    settings = OptimizerSettings(
        "adamw", options.learning_rate, 1e-2, (0.9, 0.99), warmup=100, floor=0.02, clip_norm=1.0
    )
    descent = Descent(net.parameters(), settings, steps=budget.steps, device=device, precision=budget.precision)
    images, labels = to_tensor(train.images, device), torch.from_numpy(train.labels).to(device)
    order = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order"))

    def step(number: int) -> dict[str, Tensor]:
        batch = order(number).to(device)
        picture = to_network(images[batch], 2 * patch)
        noise = torch.randn_like(picture)
        time = torch.randn(len(batch), device=device).sigmoid()
        along = time[:, None, None, None]
        with autocast(device, budget.precision):
            velocity = net((1 - along) * noise + along * picture, time, labels[batch])
        loss = (velocity.float() - (picture - noise)).square().mean()
        descent.step(loss, number)
        ema.update(net, number)
        return {"flow matching loss": loss}

    curves = run_steps(
        step,
        steps=budget.steps,
        seed=seed,
        state={"net": net, "ema": ema, "descent": descent},
        progress=progress,
        folder=workplace.folder,
        note="fitting flow",
    )
    about = {
        "width": options.width,
        "sampling_steps": options.sampling_steps,
        "precision": budget.precision,
    }
    draw = partial(follow, spec=spec, steps=options.sampling_steps, precision=budget.precision)
    return ConditionalSampler(ema.module, draw, spec, train.class_counts(), about, curves)


def follow(
    net: nn.Module,
    labels: Tensor,
    noise: Noise,
    *,
    spec: DatasetSpec,
    steps: int,
    precision: Precision,
) -> Tensor:
    """Pictures (n, C, H', W') in about [-1, 1]: Euler steps along the velocity from noise at t = 0 to t = 1."""
    multiple, device = 2 * patch_size(spec), labels.device
    shape = (
        len(labels),
        spec.channels,
        padded_side(spec.height, multiple),
        padded_side(spec.width, multiple),
    )
    x = noise.normal(*shape).to(device).contiguous(memory_format=torch.channels_last)
    with autocast(str(device), precision):
        for k in range(steps):
            time = torch.full((len(labels),), k / steps, device=device)
            x = x + net(x, time, labels).float() / steps
    return x


def load(folder: Path, device: str) -> ConditionalSampler:
    """The sampler that was saved there; raises as :func:`load_sampler` does."""
    return load_sampler(folder, device, rebuilt)


def rebuilt(spec: DatasetSpec, about: Mapping[str, Any]) -> tuple[VelocityNet, Draw]:
    """The network of a saved sampler, and how to draw from it."""
    draw = partial(follow, spec=spec, steps=int(about["sampling_steps"]), precision=about["precision"])
    return VelocityNet(spec.channels, len(spec.classes), int(about["width"]), patch_size(spec)), draw
