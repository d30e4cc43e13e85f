"""A picture from its layout: pix2pix (Isola, Zhu, Zhou & Efros, arXiv 1611.07004) on the classes of the pixels.

G is given a plane per class, a plane of the borders between objects (Wang et al., "pix2pixHD", arXiv 1711.11585,
section 3.3), and each region in its mean colour: the simplest of that paper's features per object (section 3.4).
Without it the same layout could have any colours, and G would paint their mean. New layouts bring the colours of the
real regions that they are made of. The paper's noise z is a coarse plane here: without it, what the layout does
not say (clutter) was painted in the same places every time.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.contracts import Budget, Progress, Workplace
from cvbench.samples import Dataset, DatasetSpec, UInt8Array
from cvbench.seeds import derive_seed
from cvbench.training import BatchOrder, to_tensor
from cvbench_generators.conditional_sampler import padded_shape, padded_side, to_network
from cvbench_generators.scenes.learnt import Mask2ImageOptions
from cvbench_generators.scenes.learnt.layouts import Layout, real_layout
from cvbench_generators.scenes.learnt.painted_sampler import Paint, PaintedSampler, Painting, load_painted
from cvbench_generators.scenes.learnt.regions import Regions, regions_of, seen_classes
from cvbench_generators.translation.patch_critic import PatchCritic, start_weights
from cvbench_generators.translation.pix2pix import UNet, levels_of, play
from cvbench_generators.translation.translating_sampler import check_sides

NOISE_CELL = 8  # pixels


def plan_of(regions: Regions, layout: Layout, rng: np.random.Generator) -> UInt8Array:
    """uint8 (H, W, 3 + C): class, whether another object is seen to the right or below, mean colours, and noise."""
    last = regions.ground_colours.shape[1] - 1
    border = np.zeros(layout.classes.shape, np.uint8)
    border[:, :-1] |= layout.owners[:, 1:] != layout.owners[:, :-1]
    border[:-1] |= layout.owners[1:] != layout.owners[:-1]
    height, width = layout.classes.shape
    noise = noise_planes(1, height, width, rng)[0]
    return np.dstack([np.minimum(layout.classes, last), border, layout.colours, noise])


def noise_planes(count: int, height: int, width: int, rng: np.random.Generator) -> UInt8Array:
    """uint8 (count, H, W): each cell of ``NOISE_CELL`` pixels of one random value."""
    cells = rng.integers(0, 256, (count, -(-height // NOISE_CELL), -(-width // NOISE_CELL)), np.uint8)
    return cells.repeat(NOISE_CELL, axis=1).repeat(NOISE_CELL, axis=2)[:, :height, :width]


def planes_of(plans: Tensor, spec: DatasetSpec) -> Tensor:
    """Plans uint8 (n, 3 + C, H, W) → float32 (n, P + 2 + C, H', W'): classes and borders 0 or 1, others in [-1, 1]."""
    multiple = 2 ** levels_of(spec)
    high, wide = (padded_side(side, multiple) for side in plans.shape[-2:])
    padding = (0, wide - plans.shape[-1], 0, high - plans.shape[-2])
    marks = nn.functional.pad(plans[:, :2].float(), padding, mode="replicate")
    classes = nn.functional.one_hot(marks[:, 0].long(), seen_classes(spec)).movedim(-1, 1)
    return torch.cat([classes.float(), marks[:, 1:], to_network(plans[:, 2:], multiple)], dim=1)


def build(spec: DatasetSpec, options: Mask2ImageOptions) -> nn.ModuleDict:
    """G and D, their weights still to be drawn or read."""
    levels = levels_of(spec)
    channels, high, wide = padded_shape(spec, 2**levels)
    planes = seen_classes(spec) + 2 + channels
    g = UNet(planes, options.width, levels, channels)
    return nn.ModuleDict({"g": g, "d": PatchCritic(planes + channels, options.width, (high, wide), nn.BatchNorm2d)})


def painting_of(spec: DatasetSpec) -> Paint:
    """How plans become pictures."""
    return partial(_paint, spec=spec)


def _paint(networks: nn.ModuleDict, plans: Tensor, *, spec: DatasetSpec) -> Tensor:
    return cast(Tensor, networks["g"](planes_of(plans, spec)))


PAINTING = Painting("mask2image", Mask2ImageOptions, plan_of, build, painting_of)


def fit(
    train: Dataset, options: Mask2ImageOptions, budget: Budget, seed: int, progress: Progress, workplace: Workplace
) -> PaintedSampler:
    """Learn to paint the training pictures from their own layouts.

    Raises :class:`~cvbench.errors.NotApplicable` as :func:`regions_of` and :func:`check_sides` do.
    """
    regions, device = regions_of(train, options, "mask2image"), workplace.device
    images, spec = regions.train.images, regions.train.spec
    check_sides(spec, "mask2image")
    rng = np.random.default_rng(0)  # its noise is drawn anew at every step
    # a layout is mirrored before its plan is made: borders are marked to the right, padding is at the right
    ways = (False, True) if options.flips != "none" else (False,)
    plans = np.stack(
        [[plan_of(regions, real_layout(regions, k, mirrored), rng) for k in range(len(images))] for mirrored in ways]
    )
    torch.manual_seed(derive_seed(seed, "weights"))
    networks = build(spec, options)
    start_weights(networks)
    networks.to(device).to(memory_format=torch.channels_last).train()
    order, multiple = BatchOrder(len(images), budget.batch_size, derive_seed(seed, "order")), 2 ** levels_of(spec)

    def pairs(number: int) -> tuple[Tensor, Tensor]:
        places = order(number).numpy()
        rng = np.random.default_rng(derive_seed(seed, "noise", number))
        mirrored = len(ways) > 1 and bool(torch.rand(()) < 0.5)
        drawn, pictures = plans[int(mirrored), places], images[places]
        drawn[..., -1] = noise_planes(len(places), spec.height, spec.width, rng)
        x = planes_of(to_tensor(drawn, device), spec)
        y = to_network(to_tensor(pictures[:, :, ::-1] if mirrored else pictures, device), multiple)
        return x, y

    curves = play(networks, pairs, options, budget, seed, progress, workplace, note="fitting mask2image")
    notes = ("samples: painted from real layouts with objects dropped, added and moved; masks are the layouts",)
    return PaintedSampler(PAINTING, networks, regions, curves, notes)


def load(folder: Path, device: str) -> PaintedSampler:
    """The sampler that was saved there; raises as :func:`load_painted` does."""
    return load_painted(folder, device, PAINTING)
