"""Controls: generators whose effect is known beforehand. If they don't behave, the ruler is broken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from cvbench.contracts import Budget, Expected, Generator, Progress, Sampler, Workplace
from cvbench.errors import NotApplicable
from cvbench.samples import (
    AnnotationKind,
    Dataset,
    DatasetSpec,
    IntArray,
    LabelledImages,
    load_dataset,
    proportional_counts,
    shuffled_labels,
)

CHUNK = 1000


def _pictures(train: Dataset) -> LabelledImages:
    if not isinstance(train, LabelledImages):
        raise NotApplicable("this control makes pictures with one class each")
    return train


@dataclass(frozen=True)
class Replay(Sampler):
    """Gives real pictures again: all of them round after round, then a class-proportional part of a round."""

    source: LabelledImages

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[LabelledImages]:
        rng = np.random.default_rng(seed)
        if class_counts is None:
            rounds, rest = divmod(count, len(self.source))
            part = self._choose(proportional_counts(self.source.class_counts(), rest), rng)
            places = np.concatenate([np.tile(np.arange(len(self.source)), rounds), part])
        else:
            places = self._choose(class_counts, rng)
        for start in range(0, count, CHUNK):
            yield self.source.select(places[start : start + CHUNK])

    def _choose(self, counts: IntArray, rng: np.random.Generator) -> IntArray:
        """Places of so many pictures per class, none twice before all of its class were taken."""
        chosen = [np.zeros(0, dtype=np.int64)]
        for label, count in enumerate(counts):
            members = np.flatnonzero(self.source.labels == label)
            if count and not len(members):
                raise NotApplicable(f"there is no picture of class {self.source.spec.classes[label]!r} to give")
            rounds = -(-int(count) // len(members)) if count else 0
            orders = [rng.permutation(members) for _ in range(rounds)]
            chosen += [np.concatenate(orders)[:count]] if orders else []
        return rng.permutation(np.concatenate(chosen))

    def save(self, folder: Path) -> None:
        self.source.save(folder)


class Copy(Generator):
    """The train split again. As many samples as it has give it in its own order: training is then the same."""

    summary = "control: the training pictures again; must show no effect"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    control: ClassVar[Mapping[str, Expected]] = {"mixed": "none"}

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        return Replay(_pictures(train))

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        return Replay(load_dataset(folder))


class Oracle(Copy):
    """Real pictures that the cell's real fraction holds back: the best that a generator could do."""

    summary = "control: held-back real pictures; must show a gain in `mixed`"
    control: ClassVar[Mapping[str, Expected]] = {"mixed": "gain"}
    fits_on = "held_back"


class ShuffledLabels(Copy):
    """The training pictures with their labels permuted: right pictures, labels that say nothing."""

    summary = "control: training pictures with permuted labels; must show a loss alone"
    control: ClassVar[Mapping[str, Expected]] = {"synthetic": "loss"}

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        pictures = _pictures(train)
        permuted = np.random.default_rng(seed).permutation(pictures.labels)
        return Replay(LabelledImages(pictures.spec, pictures.images, permuted))


@dataclass(frozen=True)
class NoisePictures(Sampler):
    """Every pixel uniform over 0..255, whatever the label."""

    spec: DatasetSpec
    class_counts: IntArray

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[LabelledImages]:
        rng = np.random.default_rng(seed)
        counts = proportional_counts(self.class_counts, count) if class_counts is None else class_counts
        labels = shuffled_labels(counts, seed)
        shape = (self.spec.height, self.spec.width, self.spec.channels)
        for start in range(0, count, CHUNK):
            chunk = labels[start : start + CHUNK]
            pixels = rng.integers(0, 256, (len(chunk), *shape), dtype=np.uint8)
            yield LabelledImages(self.spec, pixels, chunk)

    def save(self, folder: Path) -> None:
        about = {"spec": self.spec.to_json(), "class_counts": self.class_counts.tolist()}
        (folder / "noise.json").write_text(json.dumps(about))


class Noise(Generator):
    """Pictures of noise with labels in the train split's proportions."""

    summary = "control: uniform noise with labels; must show a loss alone"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    control: ClassVar[Mapping[str, Expected]] = {"synthetic": "loss"}

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        pictures = _pictures(train)
        return NoisePictures(pictures.spec, pictures.class_counts())

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        about = json.loads((folder / "noise.json").read_text())
        counts = np.array(about["class_counts"], dtype=np.int64)
        return NoisePictures(DatasetSpec.from_json(about["spec"]), counts)
