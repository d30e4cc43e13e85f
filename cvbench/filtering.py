"""Keeps the samples that a classifier trained on real data finds convincing (GaFi, arXiv 2305.10118, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from cvbench.contracts import Sampler
from cvbench.datasets import gather
from cvbench.errors import NotApplicable
from cvbench.fidelity.probe import Probe
from cvbench.samples import IntArray, LabelledImages, labelled, proportional_counts, shuffled_labels
from cvbench.seeds import derive_seed

ROUNDS = 10  # of drawing
SURPLUS = 1.3  # times as many are drawn as would fill a class, by the share of it that was kept so far
LEAST_KEPT = 0.1  # of a class's samples: with fewer, the generator is not worth its filter


@dataclass(frozen=True)
class Filtered:
    """Another sampler's samples whose own class has at least ``confidence`` by the probe.

    ``class_counts`` are the train split's. The classes keep their proportions: each is drawn until it is full.
    """

    source: Sampler
    probe: Probe
    confidence: float
    class_counts: IntArray

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[LabelledImages]:
        """As :meth:`Sampler.sample`; raises :class:`NotApplicable` when a class is not full after ``ROUNDS`` rounds."""
        wanted = proportional_counts(self.class_counts, count) if class_counts is None else class_counts
        kept: list[LabelledImages] = []
        missing, tried = wanted.copy(), np.zeros_like(wanted)
        for number in range(ROUNDS):
            if not missing.any():
                break
            rate = np.where(tried > 0, (wanted - missing) / np.maximum(tried, 1), 1.0).clip(LEAST_KEPT)
            asked = np.ceil(missing * SURPLUS / rate).astype(np.int64)
            tried += asked
            drawn = self._draw(asked, derive_seed(seed, "round", number))
            places = self._convincing(drawn, missing)
            kept.append(drawn.select(places))
            missing = missing - np.bincount(drawn.labels[places], minlength=len(missing))
        if missing.any():
            name = self.probe.spec.classes[int(np.flatnonzero(missing)[0])]
            raise NotApplicable(
                f"too few samples of class {name!r} reach the filter's confidence {self.confidence:g}: "
                "lower the filter, or give the generator more steps"
            )
        yield self._in_order(gather(kept, self.probe.spec), wanted, seed)

    def _draw(self, counts: IntArray, seed: int) -> LabelledImages:
        chunks = self.source.sample(int(counts.sum()), seed=seed, class_counts=counts)
        return gather((labelled(chunk) for chunk in chunks), self.probe.spec)

    def _convincing(self, drawn: LabelledImages, missing: IntArray) -> IntArray:
        """Places of convincing samples, no more per class than are missing."""
        own = self.probe.probabilities(drawn.images)[np.arange(len(drawn)), drawn.labels]
        convincing = np.flatnonzero(own >= self.confidence)
        return np.concatenate(
            [convincing[drawn.labels[convincing] == label][:most] for label, most in enumerate(missing)]
        )

    def _in_order(self, kept: LabelledImages, wanted: IntArray, seed: int) -> LabelledImages:
        """In an order that says nothing about class or round."""
        by_class = np.argsort(kept.labels, kind="stable")
        labels = shuffled_labels(wanted, derive_seed(seed, "labels"))
        places = np.empty(len(labels), np.int64)
        places[np.argsort(labels, kind="stable")] = by_class
        return kept.select(places)
