"""The sampler that both translators share: source pictures, varied, go in; labelled pictures come out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from cvbench.contracts import Translator
from cvbench.corruptions import Corruption, corrupt
from cvbench.datasets import load_dataset
from cvbench.errors import DataError, NotApplicable
from cvbench.samples import Dataset, DatasetSpec, IntArray, LabelledImages, UInt8Array, labelled, proportional_counts
from cvbench.seeds import derive_seed
from cvbench.training import Curves, load_curves, load_weights, save_curves, save_weights, to_tensors
from cvbench_generators.conditional_sampler import finite, pictures_to_learn, to_bytes
from cvbench_generators.controls.rounds import places_in_rounds
from cvbench_generators.saved_sampler import read_back

FORMAT = 1
CHUNK = 500  # pictures per chunk; variation is drawn chunk by chunk, so this is part of what a seed means
LEAST_SIDE = 8  # pixels: below, the discriminator has no patch to judge

TURN = 10.0  # degrees, and
SHIFT = 0.08  # of the side: how far a source picture is varied, at most

# (networks, uint8 (n, C, H, W)) → float pictures (n, C, H', W') in [-1, 1], padding at the lower right
Turn = Callable[[nn.Module, Tensor], Tensor]
# (spec, what a fit noted of its options) → its networks, their weights still to be read, and how to translate
Build = Callable[[DatasetSpec, Mapping[str, Any]], tuple[nn.Module, Turn]]


@dataclass(frozen=True)
class TranslatingSampler(Translator):
    """Trained networks, how to translate with them, and the source pictures that samples are made from.

    ``corruption`` is drawn anew for every sample; None where the source pictures are a domain of their own.
    ``class_counts`` are the train split's. ``about`` is what the networks are built from.
    """

    networks: nn.Module
    turn: Turn
    source: LabelledImages
    corruption: Corruption | None
    class_counts: IntArray
    about: Mapping[str, Any]
    curves: Curves
    notes: tuple[str, ...]

    @property
    def parameter_count(self) -> int:
        """Of the translator that samples; the discriminators and the way back are the fit's own."""
        return sum(parameter.numel() for parameter in self.networks.get_submodule("g").parameters())

    def translate(self, images: UInt8Array) -> UInt8Array:
        """Raises :class:`DataError` for another shape than the fit's and :class:`TrainingDiverged` for what is not
        finite.
        """
        spec = self.source.spec
        shape = (spec.height, spec.width, spec.channels)
        if images.shape[1:] != shape:
            raise DataError(f"the translator was fitted on pictures of {shape}, not {images.shape[1:]}")
        device = str(next(self.networks.parameters()).device)
        self.networks.eval()
        turned = [np.zeros((0, *shape), np.uint8)]
        with torch.inference_mode():
            for batch in to_tensors(images, device):
                turned.append(to_bytes(finite(self.turn(self.networks, batch)), spec))
        return np.concatenate(turned)

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[LabelledImages]:
        """Raises :class:`NotApplicable` when a class is asked for of which there is no source picture."""
        counts = proportional_counts(self.class_counts, count) if class_counts is None else class_counts
        rng = np.random.default_rng(derive_seed(seed, "places"))
        places = places_in_rounds(self.source.labels, counts, self.source.spec.classes, rng, "source picture")
        for start in range(0, count, CHUNK):
            chosen = self.source.select(places[start : start + CHUNK])
            images = varied(chosen.images, derive_seed(seed, "variation", start))
            if self.corruption is not None:
                images = corrupt(images, self.corruption, derive_seed(seed, "corruption", start))
            yield LabelledImages(chosen.spec, self.translate(images), chosen.labels)

    def bare(self) -> TranslatingSampler:
        """The same translator without source pictures: it translates, but has nothing to sample from."""
        return replace(self, source=self.source.select([]))

    def save(self, folder: Path) -> None:
        save_weights(self.networks, folder / "networks.safetensors")
        description = {
            "format": FORMAT,
            "class_counts": self.class_counts.tolist(),
            "corruption": None if self.corruption is None else asdict(self.corruption),
            "about": dict(self.about),
            "notes": list(self.notes),
        }
        (folder / "sampler.json").write_text(json.dumps(description, indent=1))
        save_curves(self.curves, folder)
        (folder / "source").mkdir(exist_ok=True)
        self.source.save(folder / "source")


def load_translator(folder: Path, device: str, build: Build) -> TranslatingSampler:
    """The sampler that was saved there.

    Raises :class:`DataError` for a file that is missing, cut short, of another version or of another network.
    """
    with read_back(folder / "sampler.json", FORMAT) as description:
        source, about = labelled(load_dataset(folder / "source")), description["about"]
        networks, turn = build(source.spec, about)
        load_weights(networks, folder / "networks.safetensors")
        counts = np.array(description["class_counts"], dtype=np.int64)
        corruption = None if description["corruption"] is None else Corruption(**description["corruption"])
        curves, notes = load_curves(folder), tuple(description["notes"])
    networks.to(device).to(memory_format=torch.channels_last)
    return TranslatingSampler(networks, turn, source, corruption, counts, about, curves, notes)


def pictures_to_translate(train: Dataset, name: str) -> LabelledImages:
    """The train split, if a translator can learn from it; else :class:`NotApplicable`."""
    pictures = pictures_to_learn(train, name)
    check_sides(pictures.spec, name)
    return pictures


def check_sides(spec: DatasetSpec, name: str) -> None:
    """Raise :class:`NotApplicable` for pictures that a discriminator finds no patch in."""
    if min(spec.height, spec.width) < LEAST_SIDE:
        raise NotApplicable(f"{name} needs pictures of at least {LEAST_SIDE} pixels a side")


def varied(images: UInt8Array, seed: int) -> UInt8Array:
    """uint8 (N, H, W, C) → each picture turned and shifted a little; what comes in at the edges is mirrored."""
    height, width = images.shape[1:3]
    moved = np.empty_like(images)
    for place, image in enumerate(images):
        rng = np.random.default_rng(derive_seed(seed, "affine", place))
        affine = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), rng.uniform(-TURN, TURN), 1.0)
        affine[:, 2] += rng.uniform(-SHIFT, SHIFT, 2) * np.array([width, height])
        warped = cv2.warpAffine(image, affine, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        moved[place] = warped.reshape(image.shape)
    return moved
