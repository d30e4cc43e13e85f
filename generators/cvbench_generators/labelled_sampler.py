"""The samplers of an unconditional family: where a label's pictures come from, and how they are kept."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.contracts import Sampler
from cvbench.datasets import gather
from cvbench.errors import NotApplicable
from cvbench.fidelity.probe import Probe, load_probe
from cvbench.samples import DatasetSpec, IntArray, LabelledImages, UInt8Array, shuffled_labels
from cvbench.seeds import derive_seed
from cvbench.training import Curves, load_curves, save_curves
from cvbench_generators.conditional_sampler import CHUNK, ConditionalSampler, counts_to_draw
from cvbench_generators.saved_sampler import read_back

FORMAT = 1
TRIES = 20  # a class that turns up less than once in TRIES times its fair share of the draws is given up

Load = Callable[..., ConditionalSampler]  # an unconditional family's ``_load``, which knows no labels


@dataclass(frozen=True, kw_only=True)
class LabelledSampler(Sampler):
    """Gives pictures with labels in the train split's proportions, whatever tells it a label's pictures.

    ``curves`` and ``notes`` are the parts' together.
    """

    spec: DatasetSpec
    class_counts: IntArray
    curves: Curves
    notes: tuple[str, ...]

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[LabelledImages]:
        """Raises :class:`NotApplicable` when a class is asked for of which the fit saw no picture, or draws none."""
        counts = counts_to_draw(self.spec, self.class_counts, count, class_counts)
        labels = shuffled_labels(counts, derive_seed(seed, "labels"))
        pictures_of = self._pictures(counts, seed)
        for start in range(0, count, CHUNK):
            chunk = labels[start : start + CHUNK]
            yield LabelledImages(self.spec, pictures_of(chunk), chunk)

    def _pictures(self, counts: IntArray, seed: int) -> Callable[[IntArray], UInt8Array]:
        """What gives the next pictures (n, H, W, C) for labels (n,); of each class ``counts`` will be asked in all."""
        raise NotImplementedError

    def _save_description(self, folder: Path, kind: str, **more: Any) -> None:
        description = {
            "format": FORMAT,
            "labels": kind,
            "spec": self.spec.to_json(),
            "class_counts": self.class_counts.tolist(),
            "notes": list(self.notes),
            **more,
        }
        (folder / "labels.json").write_text(json.dumps(description, indent=1))
        save_curves(self.curves, folder)


@dataclass(frozen=True, kw_only=True)
class PerClassSampler(LabelledSampler):
    """``parts``: class → the sampler that was fitted on its pictures alone."""

    parts: Mapping[int, ConditionalSampler]

    @property
    def parameter_count(self) -> int:
        return sum(part.parameter_count for part in self.parts.values())

    def widened(self, spread: float) -> PerClassSampler:
        return replace(self, parts={label: part.widened(spread) for label, part in self.parts.items()})

    def walk(self, count: int, *, seed: int) -> LabelledImages:
        """As :meth:`Sampler.walk`: a path through the latent of each class's own sampler."""
        paths = (part.walk(count, seed=derive_seed(seed, "class", label)) for label, part in self.parts.items())
        return gather(paths, self.spec)

    def _pictures(self, counts: IntArray, seed: int) -> Callable[[IntArray], UInt8Array]:
        shape = (self.spec.height, self.spec.width, self.spec.channels)
        drawn = {
            label: part.sample(int(counts[label]), seed=derive_seed(seed, "class", label))
            for label, part in self.parts.items()
        }
        waiting = {label: np.empty((0, *shape), np.uint8) for label in self.parts}

        def next_of(label: int, count: int) -> UInt8Array:
            while len(waiting[label]) < count:
                more = next(drawn[label]).images
                waiting[label] = np.concatenate([waiting[label], more]) if len(waiting[label]) else more
            given, waiting[label] = waiting[label][:count], waiting[label][count:]
            return given

        def pictures_of(labels: IntArray) -> UInt8Array:
            images = np.empty((len(labels), *shape), np.uint8)
            for label in np.unique(labels).tolist():
                places = np.flatnonzero(labels == label)
                images[places] = next_of(label, len(places))
            return images

        return pictures_of

    def save(self, folder: Path) -> None:
        self._save_description(folder, "per_class")
        for label, part in self.parts.items():
            place = folder / class_folder(label)
            place.mkdir()
            part.save(place)


@dataclass(frozen=True, kw_only=True)
class PseudoLabelledSampler(LabelledSampler):
    """``unlabelled`` draws, ``probe`` labels; what it is less sure of than ``confidence`` is thrown away."""

    unlabelled: ConditionalSampler
    probe: Probe
    confidence: float

    @property
    def parameter_count(self) -> int:
        return self.unlabelled.parameter_count

    def widened(self, spread: float) -> PseudoLabelledSampler:
        return replace(self, unlabelled=self.unlabelled.widened(spread))

    def walk(self, count: int, *, seed: int) -> LabelledImages:
        """Raises :class:`NotApplicable`: a path through an unconditional latent leaves its class."""
        raise NotApplicable("labels: pseudo_labels has no path through the latent that stays in one class")

    def _pictures(self, counts: IntArray, seed: int) -> Callable[[IntArray], UInt8Array]:
        most = TRIES * len(counts) * int(counts.max(initial=0)) + CHUNK
        drawn = self.unlabelled.sample(most, seed=derive_seed(seed, "candidates"))
        waiting: list[deque[UInt8Array]] = [deque() for _ in counts]
        wanted = counts.copy()

        def picture_of(label: int) -> UInt8Array:
            while not waiting[label]:
                images = next(drawn, None)
                if images is None:
                    raise NotApplicable(
                        f"class {self.spec.classes[label]!r} turned up too rarely: {int(wanted[label])} of "
                        f"{int(counts[label])} samples are missing after {most} draws (labels: pseudo_labels); give it "
                        f"more steps{', a lower confidence' if self.confidence else ''} or labels: per_class"
                    )
                self._sort(images.images, waiting, wanted)
            return waiting[label].popleft()

        return lambda labels: np.stack([picture_of(label) for label in labels.tolist()])

    def _sort(self, images: UInt8Array, waiting: list[deque[UInt8Array]], wanted: IntArray) -> None:
        probabilities = self.probe.probabilities(images)
        sure = probabilities.max(1) >= self.confidence
        for image, label in zip(images[sure], probabilities[sure].argmax(1), strict=True):
            if wanted[label]:
                waiting[label].append(image)
                wanted[label] -= 1

    def save(self, folder: Path) -> None:
        self._save_description(folder, "pseudo_labels", confidence=self.confidence)
        for name, part in (("unlabelled", self.unlabelled), ("probe", self.probe)):
            (folder / name).mkdir()
            part.save(folder / name)


def load_labelled(load: Load, folder: Path, device: str) -> LabelledSampler:
    """The sampler that was saved there.

    Raises :class:`DataError` for a file that is missing, cut short or of another version.
    """
    with read_back(folder / "labels.json", FORMAT) as description:
        counts = np.array(description["class_counts"], dtype=np.int64)
        shared: dict[str, Any] = {
            "spec": DatasetSpec.from_json(description["spec"]),
            "class_counts": counts,
            "curves": load_curves(folder),
            "notes": tuple(description["notes"]),
        }
        if description["labels"] == "per_class":
            parts = {c: load(folder / class_folder(c), device=device) for c in np.flatnonzero(counts).tolist()}
            return PerClassSampler(parts=parts, **shared)
        return PseudoLabelledSampler(
            unlabelled=load(folder / "unlabelled", device=device),
            probe=load_probe(folder / "probe", device),
            confidence=float(description["confidence"]),
            **shared,
        )


def class_folder(label: int) -> str:
    """Where the part of one class is kept."""
    return f"class-{label:03d}"
