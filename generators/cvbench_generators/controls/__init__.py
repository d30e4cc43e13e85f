"""Controls: generators whose effect is known beforehand. If they don't behave, the ruler is broken.

They know no annotation in particular: what they give again, permute or replace is any picture's, or any clip's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from cvbench.clips import Clips
from cvbench.contracts import Budget, Expected, Generator, Progress, Sampler, Workplace
from cvbench.datasets import load_dataset
from cvbench.errors import NotApplicable
from cvbench.samples import AnnotationKind, Dataset, IntArray, Pictures, proportional_counts
from cvbench.seeds import derive_seed
from cvbench_generators.controls.clips import as_noise, with_others_tracks
from cvbench_generators.controls.rounds import places_in_rounds

CHUNK = 1000
ANY_KIND = frozenset(AnnotationKind)


@dataclass(frozen=True)
class Replay(Sampler):
    """Gives real samples again: all of them round after round, then a class-proportional part of a round."""

    source: Dataset

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[Dataset]:
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
        return places_in_rounds(self.source.strata(), counts, self.source.spec.classes, rng, "sample")

    def save(self, folder: Path) -> None:
        self.source.save(folder)


class Copy(Generator):
    """The train split again. As many samples as it has give it in its own order: training is then the same."""

    summary = "control: the training samples again; must show no effect"
    licence = "Apache-2.0"
    kinds = ANY_KIND
    latent = False
    control: ClassVar[Mapping[str, Expected]] = {"mixed": "none"}

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        return Replay(train)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        return Replay(load_dataset(folder))


class Oracle(Copy):
    """Real pictures that the cell's real fraction holds back: the best that a generator could do."""

    summary = "control: held-back real samples; must show a gain in `mixed`"
    control: ClassVar[Mapping[str, Expected]] = {"mixed": "gain"}
    fits_on = "held_back"


class ShuffledLabels(Copy):
    """The training samples with their annotations permuted: right pictures, annotations that say nothing.

    Of pictures about one keeps its own, as in any permutation; a clip always has another's tracks.
    """

    summary = "control: training samples with each other's annotation; must show a loss alone"
    control: ClassVar[Mapping[str, Expected]] = {"synthetic": "loss"}

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        if isinstance(train, Clips):
            return Replay(with_others_tracks(train, seed))
        if not isinstance(train, Pictures):
            raise NotApplicable("shuffled_labels knows pictures and clips")
        order = np.random.default_rng(seed).permutation(len(train))
        return Replay(replace(train.select(order), images=np.asarray(train.images)))


@dataclass(frozen=True)
class NoisePictures(Replay):
    """Every pixel uniform over 0..255, of pictures or of clips, whatever the annotation."""

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[Dataset]:
        rng = np.random.default_rng(derive_seed(seed, "noise"))
        for number, chunk in enumerate(super().sample(count, seed=seed, class_counts=class_counts)):
            if isinstance(chunk, Clips):
                yield as_noise(chunk, derive_seed(seed, "noise", number))
            elif isinstance(chunk, Pictures):
                yield replace(chunk, images=rng.integers(0, 256, chunk.images.shape, dtype=np.uint8))


class Noise(Copy):
    """Noise with the real pictures' annotations."""

    summary = "control: uniform noise with real annotation; must show a loss alone"
    version = 2
    control: ClassVar[Mapping[str, Expected]] = {"synthetic": "loss"}

    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        return NoisePictures(train)

    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        return NoisePictures(load_dataset(folder))
