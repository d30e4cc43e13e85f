"""The sampler that every class-conditional network here shares: seeded chunks out, safetensors and JSON on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.contracts import Sampler
from cvbench.datasets import gather
from cvbench.errors import NotApplicable, TrainingDiverged
from cvbench.samples import Dataset, DatasetSpec, IntArray, LabelledImages, proportional_counts, shuffled_labels
from cvbench.seeds import derive_seed
from cvbench.training import Curves, load_curves, load_weights, save_curves, save_weights
from cvbench_generators.saved_sampler import read_back

FORMAT = 2
CHUNK = 500  # pictures per chunk; the noise is drawn chunk by chunk, so this is part of what a seed means


@dataclass(frozen=True)
class Noise:
    """Seeded random numbers, drawn on the CPU: the same ones on every device."""

    generator: torch.Generator
    spread: float = 1.0

    def normal(self, *shape: int) -> Tensor:
        """float32 ``shape``, Gaussian with standard deviation ``spread``."""
        return torch.randn(shape, generator=self.generator) * self.spread

    def uniform(self, *shape: int) -> Tensor:
        """float32 ``shape`` in [0, 1)."""
        return torch.rand(shape, generator=self.generator)


@dataclass(frozen=True)
class Walk(Noise):
    """Noise along a quarter of a great circle from one draw to another: every point is as likely as a draw."""

    def normal(self, *shape: int) -> Tensor:
        start, end = super().normal(2, 1, *shape[1:])
        angle = torch.linspace(0, torch.pi / 2, shape[0]).view(-1, *[1] * (len(shape) - 1))
        between: Tensor = torch.cos(angle) * start + torch.sin(angle) * end
        return between

    def uniform(self, *shape: int) -> Tensor:
        return super().uniform(1, *shape[1:]).expand(shape)


# (network, int64 labels (n,), noise) → float pictures (n, C, H, W) in [-1, 1]
Draw = Callable[[nn.Module, Tensor, Noise], Tensor]
# (spec, what a fit noted of its options) → the network, its weights still to be read, and how to draw from it
Build = Callable[[DatasetSpec, Mapping[str, Any]], tuple[nn.Module, Draw]]


@dataclass(frozen=True)
class ConditionalSampler(Sampler):
    """A trained network, how to draw from it, and the class proportions of its train split.

    ``about`` is what the network is built from; it is saved beside the weights, and so are the fit's ``curves``.
    """

    network: nn.Module
    draw: Draw
    spec: DatasetSpec
    class_counts: IntArray
    about: Mapping[str, Any]
    curves: Curves = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    spread: float = 1.0

    @property
    def parameter_count(self) -> int:
        return sum(parameter.numel() for parameter in self.network.parameters())

    def widened(self, spread: float) -> ConditionalSampler:
        return replace(self, spread=self.spread * spread)

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[LabelledImages]:
        """Raises :class:`NotApplicable` when a class is asked for of which the fit saw no picture, and
        :class:`TrainingDiverged` for samples that are not finite.
        """
        counts = counts_to_draw(self.spec, self.class_counts, count, class_counts)
        labels = shuffled_labels(counts, derive_seed(seed, "labels"))
        for start in range(0, count, CHUNK):
            chunk = labels[start : start + CHUNK]
            noise = Noise(torch.Generator().manual_seed(derive_seed(seed, "noise", start)), self.spread)
            yield self._drawn(chunk, noise)

    def walk(self, count: int, *, seed: int) -> LabelledImages:
        """As :meth:`Sampler.walk`, over the classes that the fit saw."""

        def path(label: int) -> LabelledImages:
            noise = Walk(torch.Generator().manual_seed(derive_seed(seed, "walk", label)), self.spread)
            return self._drawn(np.full(count, label, np.int64), noise)

        return gather((path(int(label)) for label in np.flatnonzero(self.class_counts)), self.spec)

    def _drawn(self, labels: IntArray, noise: Noise) -> LabelledImages:
        self.network.eval()
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            drawn = self.draw(self.network, torch.from_numpy(labels).to(device), noise)
        return LabelledImages(self.spec, to_bytes(finite(drawn), self.spec), labels)

    def save(self, folder: Path) -> None:
        save_weights(self.network, folder / "network.safetensors")
        description = {
            "format": FORMAT,
            "spec": self.spec.to_json(),
            "class_counts": self.class_counts.tolist(),
            "about": dict(self.about),
            "notes": list(self.notes),
        }
        (folder / "sampler.json").write_text(json.dumps(description, indent=1))
        save_curves(self.curves, folder)


def load_sampler(folder: Path, device: str, build: Build) -> ConditionalSampler:
    """The sampler that was saved there.

    Raises :class:`DataError` for a file that is missing, cut short, of another version or of another network.
    """
    with read_back(folder / "sampler.json", FORMAT) as description:
        spec, about = DatasetSpec.from_json(description["spec"]), description["about"]
        counts = np.array(description["class_counts"], dtype=np.int64)
        network, draw = build(spec, about)
        load_weights(network, folder / "network.safetensors")
        curves, notes = load_curves(folder), tuple(description["notes"])
    network.to(device).to(memory_format=torch.channels_last)
    return ConditionalSampler(network, draw, spec, counts, about, curves, notes)


def counts_to_draw(spec: DatasetSpec, learnt: IntArray, count: int, asked: IntArray | None) -> IntArray:
    """Samples per class, int64 (K,): as asked for, else ``count`` in the proportions of the pictures ``learnt`` from.

    Raises :class:`NotApplicable` when a class is asked for of which there was no picture.
    """
    counts = proportional_counts(learnt, count) if asked is None else asked
    unseen = np.flatnonzero((counts > 0) & (learnt == 0))
    if len(unseen):
        raise NotApplicable(f"class {spec.classes[unseen[0]]!r} had no picture to learn from")
    return counts


def pictures_to_learn(train: Dataset, name: str) -> LabelledImages:
    """The train split, if a network can learn from it.

    Raises :class:`NotApplicable` for anything but pictures of equal size with one class each, for fewer than two of
    them, and where no class has two.
    """
    if not isinstance(train, LabelledImages):
        raise NotApplicable(f"{name} needs pictures of equal size with one class each")
    if len(train) < 2:
        raise NotApplicable(f"{name} needs at least two pictures to learn from")
    if train.class_counts().max() < 2:
        raise NotApplicable(f"{name} needs two pictures of some class, and no class has more than one")
    return train


# ------------------------------------------------------------------------- pictures ↔ network space


def padded_side(side: int, multiple: int) -> int:
    """The least multiple that holds the side."""
    return -(-side // multiple) * multiple


def padded_shape(spec: DatasetSpec, multiple: int) -> tuple[int, int, int]:
    """(C, H', W') of the pictures in a network that needs sides of this multiple."""
    return spec.channels, padded_side(spec.height, multiple), padded_side(spec.width, multiple)


def to_network(images: Tensor, multiple: int) -> Tensor:
    """uint8 (n, C, H, W) → float32 in [-1, 1], padded at the lower right edge to multiples of ``multiple``."""
    high, wide = images.shape[-2:]
    scaled = images.float().div(127.5).sub(1)
    padding = (0, padded_side(wide, multiple) - wide, 0, padded_side(high, multiple) - high)
    return nn.functional.pad(scaled, padding, mode="replicate") if any(padding) else scaled


def finite(pictures: Tensor) -> Tensor:
    """The pictures as they are. Raises :class:`TrainingDiverged` if a number is not finite: NaN would become black."""
    if not bool(pictures.sum(dtype=torch.float32).isfinite()):  # one pass, much faster than a look at each
        raise TrainingDiverged("the samples are not finite; try a lower learning rate")
    return pictures


def to_bytes(pictures: Tensor, spec: DatasetSpec) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Float (n, C, H', W') in [-1, 1] → uint8 (n, H, W, C), the padding cut away."""
    cut = pictures.float()[..., : spec.height, : spec.width]
    scaled = cut.add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
