"""Rectified flow (Liu, Gong & Liu, "Flow Straight and Fast", arXiv 2209.03003), class-conditional.

A network learns the velocity x − z along the straight line x_t = (1 − t)·z + t·x from noise z to picture x;
sampling follows it with a few Euler or Heun steps. Times are logit-normal (Esser et al., arXiv 2403.03206,
section 3.1). Guidance is classifier-free (Ho & Salimans, arXiv 2207.12598, section 3.2). Reflow, the paper's second
half, which fits anew on the pairs that a fitted flow makes so that its paths become straighter, is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

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
    from cvbench_generators.flow import FlowOptions


def fit(
    train: Dataset, options: FlowOptions, budget: Budget, seed: int, progress: Progress, workplace: Workplace
) -> ConditionalSampler:
    """Regress the velocity on the training pictures; the averaged weights are what samples."""
    train = pictures_to_learn(train, "flow")
    device, spec, nothing = workplace.device, train.spec, len(train.spec.classes)
    about = {
        "width": options.width,
        "label_dropout": options.label_dropout,
        "guidance": options.guidance,
        "solver": options.solver,
        "sampling_steps": options.sampling_steps,
        "precision": budget.precision,
    }
    torch.manual_seed(derive_seed(seed, "weights"))
    net = velocity_net(spec, about).to(device).to(memory_format=torch.channels_last)
    ema = Ema(net, options.ema)
    settings = OptimizerSettings(
        "adamw", options.learning_rate, 1e-2, (0.9, 0.99), warmup=100, floor=0.02, clip_norm=1.0
    )
    descent = Descent(net.parameters(), settings, steps=budget.steps, device=device, precision=budget.precision)
    images, labels = to_tensor(train.images, device), torch.from_numpy(train.labels).to(device)
    order = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order"))

    def step(number: int) -> dict[str, Tensor]:
        batch = order(number).to(device)
        picture, label = to_network(images[batch], side_multiple(spec)), labels[batch]
        noise = torch.randn_like(picture)
        time = torch.randn(len(batch), device=device).sigmoid()
        if options.label_dropout:
            dropped = torch.rand(len(batch), device=device) < options.label_dropout
            label = label.masked_fill(dropped, nothing)
        along = time[:, None, None, None]
        with autocast(device, budget.precision):
            velocity = net((1 - along) * noise + along * picture, time, label)
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
    return ConditionalSampler(ema.module, drawing(spec, about), spec, train.class_counts(), about, curves)


def velocity_net(spec: DatasetSpec, about: Mapping[str, Any]) -> UNet:
    """The network; its last label means "no class" where labels are dropped."""
    return UNet(spec, int(about["width"]), labels=len(spec.classes) + bool(about["label_dropout"]))


def drawing(spec: DatasetSpec, about: Mapping[str, Any]) -> Draw:
    """How to draw from the network."""
    return partial(
        follow,
        spec=spec,
        steps=int(about["sampling_steps"]),
        solver=about["solver"],
        guidance=float(about["guidance"]),
        precision=about["precision"],
    )


def follow(
    net: nn.Module,
    labels: Tensor,
    noise: Noise,
    *,
    spec: DatasetSpec,
    steps: int,
    solver: Literal["euler", "heun"],
    guidance: float,
    precision: Precision,
) -> Tensor:
    """Pictures (n, C, H', W') in about [-1, 1]: ``steps`` along the velocity from noise at t = 0 to t = 1."""
    device = labels.device
    x = noise.normal(len(labels), *picture_shape(spec)).to(device).contiguous(memory_format=torch.channels_last)

    def velocity(x: Tensor, time: float) -> Tensor:
        times = torch.full((len(labels),), time, device=device)
        with_class: Tensor = net(x, times, labels).float()
        if guidance == 1:
            return with_class
        without = net(x, times, torch.full_like(labels, len(spec.classes))).float()
        return torch.lerp(without, with_class, guidance)

    with autocast(str(device), precision):
        for k in range(steps):
            slope = velocity(x, k / steps)
            if solver == "heun":
                slope = (slope + velocity(x + slope / steps, (k + 1) / steps)) / 2
            x = x + slope / steps
    return x


def load(folder: Path, device: str) -> ConditionalSampler:
    """The sampler that was saved there; raises as :func:`load_sampler` does."""
    return load_sampler(folder, device, lambda spec, about: (velocity_net(spec, about), drawing(spec, about)))
