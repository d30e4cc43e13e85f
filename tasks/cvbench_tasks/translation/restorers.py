"""A restorer in a cell: it puts its corruption on the test pictures, the same for every model, and takes it off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.contracts import Augmentation, Budget, Model, Progress, Workplace
from cvbench.corruptions import BoolArray, corrupt, hole_masks
from cvbench.errors import DataError, NotApplicable
from cvbench.plugins import make_plugin
from cvbench.samples import Dataset, LabelledImages, UInt8Array
from cvbench.seeds import derive_seed
from cvbench.training import refuse_to_share
from cvbench_tasks.translation import baselines
from cvbench_tasks.translation.augmentation import strongly_augmented
from cvbench_tasks.translation.models import RestorerOptions

TEST_SEED = 0  # the test's corruption is part of the ruler: the same for every model, regime and seed


class Restorer(Model):
    """What all restorers share: the test's corruption, and the holes that everyone is told of."""

    def __init__(self, options: RestorerOptions) -> None:
        self.corruption = options.as_corruption()

    def predict(self, data: Dataset) -> Iterator[UInt8Array]:
        """Restored pictures, uint8 (n, H, W, C). What lies outside a hole is known and stays as it is."""
        yield self.restored(*self.corrupted(data))

    def corrupted(self, data: Dataset) -> tuple[UInt8Array, BoolArray | None]:
        """The pictures as the model is given them, uint8 (n, H, W, C), and where their holes are."""
        corrupted = corrupt(np.asarray(_pictures(data).images), self.corruption, TEST_SEED)
        if self.corruption.name != "hole":
            return corrupted, None
        return corrupted, hole_masks(corrupted.shape, self.corruption.set_strength, TEST_SEED)

    def restored(self, corrupted: UInt8Array, holes: BoolArray | None) -> UInt8Array:
        """What :meth:`restore` makes of them; what is known stays."""
        restored = self.restore(corrupted, holes)
        return restored if holes is None else np.where(holes[..., None], restored, corrupted)

    def restore(self, corrupted: UInt8Array, holes: BoolArray | None) -> UInt8Array:
        """uint8 (n, H, W, C) → the same, restored; ``holes`` (n, H, W) are true where nothing is known."""
        raise NotImplementedError


class Baseline(Restorer):
    """One of :mod:`baselines`: trains nothing."""

    def __init__(self, name: str, options: RestorerOptions) -> None:
        super().__init__(options)
        self.name = name

    def train(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        budget: Budget,
        augmentation: Augmentation,
        seed: int,
        progress: Progress,
        workplace: Workplace,
    ) -> None:
        progress(budget.steps, budget.steps, f"{self.name} trains nothing")

    def restore(self, corrupted: UInt8Array, holes: BoolArray | None) -> UInt8Array:
        restoring: baselines.Restore = getattr(baselines, self.name)
        return restoring(corrupted, self.corruption, holes)

    def save(self, folder: Path) -> None:
        (folder / "baseline.json").write_text(json.dumps({"name": self.name, "corruption": str(self.corruption)}))

    def load(self, folder: Path) -> None:
        """There is nothing to take."""


class Network(Restorer):
    """A translating generator, fitted on the cell's training pictures. The last weights count, val is not used.

    Beyond its contract the generator's ``fit`` takes ``start``, the translator to go on from, and a translator has
    ``bare``, itself without the pictures that it would sample from.
    """

    def __init__(self, name: str, options: RestorerOptions, *, seed: int, device: str) -> None:
        super().__init__(options)
        asked = asdict(options)
        asked["source"] = asked.pop("corruption")  # what a generator calls it
        self.name, self.generator = name, make_plugin("generators", name, asked)
        self.seed, self.device = seed, device
        self.translator: Any = None

    def train(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        budget: Budget,
        augmentation: Augmentation,
        seed: int,
        progress: Progress,
        workplace: Workplace,
    ) -> None:
        """Raises :class:`NotApplicable` for several processes, and for cyclegan on strongly augmented pictures."""
        refuse_to_share(f"a {self.name}")
        pictures = _pictures(train)
        if augmentation is Augmentation.STRONG:
            if self.name == "cyclegan":
                raise NotApplicable("cyclegan halves its pictures: variants of one picture would lie in both halves")
            pictures = strongly_augmented(pictures, budget, seed)
        self.translator = self.generator.fit(
            pictures,
            budget=budget,
            seed=derive_seed(self.seed, "fit", seed),
            progress=progress,
            workplace=workplace,
            start=self.translator,
        )

    def restore(self, corrupted: UInt8Array, holes: BoolArray | None) -> UInt8Array:
        if self.translator is None:
            raise DataError("this restorer is neither trained nor loaded")
        return np.asarray(self.translator.translate(corrupted))

    def save(self, folder: Path) -> None:
        self.translator.bare().save(folder)

    def load(self, folder: Path) -> None:
        self.translator = self.generator.load(folder, device=self.device)


def _pictures(data: Dataset) -> LabelledImages:
    if not isinstance(data, LabelledImages):
        raise DataError("translation needs pictures of equal size", where=data.spec.name)
    return data
