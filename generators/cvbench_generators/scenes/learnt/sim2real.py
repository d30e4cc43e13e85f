"""Plain renderings made to look real: CycleGAN (Zhu, Park, Isola & Efros, arXiv 1703.10593) with annotation kept.

The source domain is rendered: each region of a new layout in its flat mean colour, with a grain over all. The target
domain is the training pictures. No rendering has a real partner; what keeps a region where its annotation is, is that
both ways together must bring the rendering back.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from cvbench.contracts import Budget, Progress, Workplace
from cvbench.samples import Dataset, DatasetSpec, UInt8Array
from cvbench.seeds import derive_seed
from cvbench.training import BatchOrder, to_tensor
from cvbench_generators.conditional_sampler import to_network
from cvbench_generators.scenes.learnt import Sim2RealOptions
from cvbench_generators.scenes.learnt.layouts import Layout, draw_layout
from cvbench_generators.scenes.learnt.painted_sampler import Paint, PaintedSampler, Painting, load_painted
from cvbench_generators.scenes.learnt.regions import Regions, regions_of
from cvbench_generators.translation import cyclegan
from cvbench_generators.translation.cyclegan import MULTIPLE, play
from cvbench_generators.translation.patch_critic import start_weights
from cvbench_generators.translation.translating_sampler import check_sides

RENDERED = 500  # scenes that the fit sees; samples are rendered anew
GRAIN = 12.0  # standard deviation, of 255
GRAIN_SIZE = 0.8  # pixels: standard deviation of the blur


def rendered(regions: Regions, layout: Layout, rng: np.random.Generator) -> UInt8Array:
    """uint8 (H, W, C): the layout in flat colours, with grain."""
    grain = cv2.GaussianBlur(rng.standard_normal(layout.classes.shape), (0, 0), GRAIN_SIZE)
    picture = layout.colours + (GRAIN / grain.std() * grain)[..., None]
    pixels: UInt8Array = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return pixels


def build(spec: DatasetSpec, options: Sim2RealOptions) -> nn.ModuleDict:
    """Both translators and both discriminators, their weights still to be drawn or read."""
    return cyclegan.build(spec, {"width": options.width, "blocks": options.blocks})[0]


def painting_of(spec: DatasetSpec) -> Paint:
    """How renderings become pictures."""
    return _paint


def _paint(networks: nn.ModuleDict, renderings: Tensor) -> Tensor:
    return cast(Tensor, networks["g"](to_network(renderings, MULTIPLE)))


PAINTING = Painting("sim2real", Sim2RealOptions, rendered, build, painting_of)


def fit(
    train: Dataset, options: Sim2RealOptions, budget: Budget, seed: int, progress: Progress, workplace: Workplace
) -> PaintedSampler:
    """Learn to make renderings look like the training pictures, and back.

    Raises :class:`~cvbench.errors.NotApplicable` as :func:`regions_of` and :func:`check_sides` do.
    """
    regions, device = regions_of(train, options, "sim2real"), workplace.device
    targets, spec = regions.train.images, regions.train.spec
    check_sides(spec, "sim2real")
    sources = []
    for place in range(RENDERED):
        progress(place, RENDERED, "rendering")
        rng = np.random.default_rng(derive_seed(seed, "rendering", place))
        sources.append(rendered(regions, draw_layout(regions, rng), rng))
    renderings = np.stack(sources)
    torch.manual_seed(derive_seed(seed, "weights"))
    networks = build(spec, options)
    start_weights(networks)
    networks.to(device).to(memory_format=torch.channels_last).train()
    order_a, order_b = (
        BatchOrder(len(pictures), budget.batch_size, derive_seed(seed, "order", domain))
        for pictures, domain in ((renderings, "source"), (targets, "target"))
    )

    def batches(number: int) -> tuple[Tensor, Tensor]:
        a, b = renderings[order_a(number).numpy()], targets[order_b(number).numpy()]
        return to_network(to_tensor(a, device), MULTIPLE), to_network(to_tensor(b, device), MULTIPLE)

    curves = play(networks, batches, spec, options, budget, seed, progress, workplace, note="fitting sim2real")
    notes = (f"source: {RENDERED} renderings of new layouts in flat colours; target: the {len(train)} real pictures",)
    return PaintedSampler(PAINTING, networks, regions, curves, notes)


def load(folder: Path, device: str) -> PaintedSampler:
    """The sampler that was saved there; raises as :func:`load_painted` does."""
    return load_painted(folder, device, PAINTING)
