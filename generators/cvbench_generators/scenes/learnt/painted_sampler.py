"""The sampler that ``mask2image`` and ``sim2real`` share: new layouts go in, painted and annotated scenes come out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.contracts import Sampler
from cvbench.datasets import load_dataset
from cvbench.errors import NotApplicable
from cvbench.plugins import make_options, options_json
from cvbench.samples import DatasetSpec, IntArray, Pictures, UInt8Array
from cvbench.seeds import derive_seed
from cvbench.training import Curves, load_curves, load_weights, save_curves, save_weights, to_tensor
from cvbench_generators.conditional_sampler import to_bytes
from cvbench_generators.saved_sampler import read_back
from cvbench_generators.scenes.learnt import LayoutOptions
from cvbench_generators.scenes.learnt.layouts import Layout, annotated, draw_layout
from cvbench_generators.scenes.learnt.regions import Regions, regions_of

FORMAT = 1
CHUNK_BYTES = 8 * 2**20  # of pictures: a network's inner maps are some hundred times as large

# (the regions, a layout, what to draw from) → what the network is given of it, uint8 (H, W, S)
Source = Callable[[Regions, Layout, np.random.Generator], UInt8Array]
# (networks, uint8 (n, S, H, W)) → float pictures (n, C, H', W') in [-1, 1], padding at the lower right
Paint = Callable[[nn.ModuleDict, Tensor], Tensor]


@dataclass(frozen=True)
class Painting:
    """How a family paints: its name and options, what its network is given, its networks, and how they paint."""

    name: str
    options: type[LayoutOptions]
    source: Source
    build: Callable[[DatasetSpec, Any], nn.ModuleDict]
    paint: Callable[[DatasetSpec], Paint]


@dataclass(frozen=True)
class PaintedSampler(Sampler):
    """Trained networks and the real regions that new layouts are made of. The k-th scene depends on seed and k."""

    painting: Painting
    networks: nn.ModuleDict
    regions: Regions
    curves: Curves
    notes: tuple[str, ...]

    @property
    def parameter_count(self) -> int:
        """Of the network that paints; the discriminators and a way back are the fit's own."""
        return sum(parameter.numel() for parameter in self.networks["g"].parameters())

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[Pictures]:
        """As :meth:`Sampler.sample`. Raises :class:`NotApplicable` for ``class_counts``: a scene has no class."""
        if class_counts is not None:
            raise NotApplicable("a scene has objects of several classes: it cannot be asked for by class")
        spec = self.regions.train.spec
        chunk = max(1, CHUNK_BYTES // (spec.height * spec.width * 3))
        for start in range(0, count, chunk):
            layouts, sources = [], []
            for place in range(start, min(start + chunk, count)):
                rng = np.random.default_rng(derive_seed(seed, "scene", place))
                layouts.append(draw_layout(self.regions, rng))
                sources.append(self.painting.source(self.regions, layouts[-1], rng))
            yield annotated(spec, self._painted(np.stack(sources)), layouts)

    def _painted(self, sources: UInt8Array) -> UInt8Array:
        spec, device = self.regions.train.spec, str(next(self.networks.parameters()).device)
        self.networks.eval()
        with torch.inference_mode():
            return to_bytes(self.painting.paint(spec)(self.networks, to_tensor(sources, device)), spec)

    def save(self, folder: Path) -> None:
        save_weights(self.networks, folder / "networks.safetensors")
        (folder / "train").mkdir()
        self.regions.train.save(folder / "train")
        options: Mapping[str, Any] = options_json(self.regions.options)
        description = {"format": FORMAT, "options": options, "notes": list(self.notes)}
        (folder / "sampler.json").write_text(json.dumps(description, indent=1))
        save_curves(self.curves, folder)


def load_painted(folder: Path, device: str, painting: Painting) -> PaintedSampler:
    """The sampler that was saved there.

    Raises :class:`DataError` for a file that is missing, cut short, of another version or of another network.
    """
    with read_back(folder / "sampler.json", FORMAT) as description:
        options = make_options(painting.options, description["options"])
        regions = regions_of(load_dataset(folder / "train"), options, painting.name)
        networks = painting.build(regions.train.spec, options)
        load_weights(networks, folder / "networks.safetensors")
        curves, notes = load_curves(folder), tuple(description["notes"])
    networks.to(device).to(memory_format=torch.channels_last)
    return PaintedSampler(painting, networks, regions, curves, notes)
