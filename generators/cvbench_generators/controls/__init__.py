"""Controls: generators whose effect is known beforehand. If they don't behave, the ruler is broken.

They know no annotation in particular: what they give again, permute or replace is any picture's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from cvbench.contracts import Budget, Expected, Generator, Progress, Sampler, Workplace
from cvbench.datasets import load_dataset
from cvbench.errors import NotApplicable
from cvbench.samples import AnnotationKind, Dataset, IntArray, Pictures, proportional_counts
from cvbench.seeds import derive_seed

CHUNK = 1000
ANY_PICTURES = frozenset({AnnotationKind.LABEL, AnnotationKind.MASK, AnnotationKind.BOXES, AnnotationKind.INSTANCES})


def _pictures(train: Dataset) -> Pictures:
    if not isinstance(train, Pictures):
        raise NotApplicable("this control makes annotated pictures")
    return train


@dataclass(frozen=True)
class Replay(Sampler):
    """Gives real pictures again: all of them round after round, then a class-proportional part of a round."""

    source: Pictures

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[Pictures]:
        rng = np.random.default_rng(seed)
        if class_counts is None:
            rounds, rest = divmod(count, len(self.source))
            part = self._choose(proportional_counts(np.bincount(self.source.strata()), rest), rng)
            places = np.concatenate([np.tile(np.arange(len(self.source)), rounds), part])
        else:
            places = self._choose(class_counts, rng)
        for start in range(0, count, CHUNK):
            yield self.source.select(places[start : start + CHUNK])

    def _choose(self, counts: IntArray, rng: np.random.Generator) -> IntArray:
        """Places of so many pictures per class, none twice before all of its class were taken."""
        chosen = [np.zeros(0, dtype=np.int64)]
        for label, count in enumerate(counts):
            members = np.flatnonzero(self.source.strata() == label)
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
    kinds = ANY_PICTURES
    control: ClassVar[Mapping[str, Expected]] = {"mixed": "none"}

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        return Replay(_pictures(train))

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        return Replay(_pictures(load_dataset(folder)))


class Oracle(Copy):
    """Real pictures that the cell's real fraction holds back: the best that a generator could do."""

    summary = "control: held-back real pictures; must show a gain in `mixed`"
    control: ClassVar[Mapping[str, Expected]] = {"mixed": "gain"}
    fits_on = "held_back"


class ShuffledLabels(Copy):
    """The training pictures, each with another one's annotation: right pictures, annotations that say nothing."""

    summary = "control: training pictures with each other's labels or masks; must show a loss alone"
    control: ClassVar[Mapping[str, Expected]] = {"synthetic": "loss"}

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        pictures = _pictures(train)
        order = np.random.default_rng(seed).permutation(len(pictures))
        return Replay(replace(pictures.select(order), images=np.asarray(pictures.images)))


@dataclass(frozen=True)
class NoisePictures(Replay):
    """Every pixel uniform over 0..255, whatever the annotation."""

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[Pictures]:
        rng = np.random.default_rng(derive_seed(seed, "noise"))
        for chunk in super().sample(count, seed=seed, class_counts=class_counts):
            yield replace(chunk, images=rng.integers(0, 256, chunk.images.shape, dtype=np.uint8))


class Noise(Copy):
    """Noise with the real pictures' annotations."""

    summary = "control: uniform noise with real labels or masks; must show a loss alone"
    version = 2
    control: ClassVar[Mapping[str, Expected]] = {"synthetic": "loss"}

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        return NoisePictures(_pictures(train))

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        return NoisePictures(_pictures(load_dataset(folder)))
