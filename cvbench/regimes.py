"""How the training data of a cell is put together: data sets in, stages of training out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvbench.contracts import Augmentation
from cvbench.errors import DataError
from cvbench.samples import Dataset, IntArray, proportional_counts

FINETUNE_SYNTHETIC_SHARE = 0.5  # of the steps; the rest is spent on the real data


@dataclass(frozen=True)
class Stage:
    """One stretch of training: this data, for this share of the cell's step budget."""

    data: Any
    share: float


@dataclass(frozen=True)
class TrainingData:
    """What a cell trains on, stage after stage; the shares sum to one, so every regime takes equal steps."""

    stages: tuple[Stage, ...]
    augmentation: Augmentation = Augmentation.ORDINARY


def _real(real: Any, synthetic: Any, refresh: int) -> TrainingData:
    return TrainingData((Stage(real, 1.0),))


def _augment(real: Any, synthetic: Any, refresh: int) -> TrainingData:
    return TrainingData((Stage(real, 1.0),), Augmentation.STRONG)


def _synthetic(real: Any, synthetic: Any, refresh: int) -> TrainingData:
    return TrainingData((Stage(synthetic, 1.0),))


def _mixed(real: Any, synthetic: Any, refresh: int) -> TrainingData:
    """One pass shows every synthetic sample once and every real one as often as there were refreshes."""
    again = real.select(np.tile(np.arange(len(real)), refresh)) if refresh > 1 else real
    return TrainingData((Stage(again.join(synthetic), 1.0),))


def _finetune(real: Any, synthetic: Any, refresh: int) -> TrainingData:
    first = FINETUNE_SYNTHETIC_SHARE
    return TrainingData((Stage(synthetic, first), Stage(real, 1.0 - first)))


_COMPOSERS: dict[str, Callable[[Any, Any, int], TrainingData]] = {
    "real": _real,
    "augment": _augment,
    "synthetic": _synthetic,
    "mixed": _mixed,
    "finetune": _finetune,
}


def compose(regime: str, real: Dataset, synthetic: Dataset | None, *, refresh: int = 1) -> TrainingData:
    """The stages of a regime. ``synthetic`` is None for ``real`` and ``augment`` alone.

    ``refresh``: how many synthetic sets, one after another, the samples stand for. The share of synthetic samples
    in a batch is that of one set.
    """
    return _COMPOSERS[regime](real, synthetic, refresh)


def split_real(
    strata: IntArray, *, fraction: float | None, per_class: int | None = None, samples: int | None = None, seed: int
) -> tuple[IntArray, IntArray]:
    """Places of the real samples that a cell may use, and of those it holds back; both ascending.

    Stratified: every group keeps its proportion of the ``fraction`` (at least one sample) or of so many ``samples``,
    or gives ``per_class``. Nested: with one seed, the smaller share is part of the larger.
    Raises :class:`DataError` when there are fewer samples than asked for.
    """
    rng = np.random.default_rng(seed)
    kept: list[IntArray] = []
    groups, sizes = np.unique(strata, return_counts=True)
    if samples is not None and samples > len(strata):
        raise DataError(f"asks for {samples} samples, there are {len(strata)} training samples", hint="ask for fewer")
    parts = proportional_counts(sizes, samples) if samples is not None else sizes
    for group, part in zip(groups, parts, strict=True):
        members = rng.permutation(np.flatnonzero(strata == group))
        if per_class is not None and len(members) < per_class:
            raise DataError(
                f"real_per_class asks for {per_class}, class {group} has {len(members)} training samples",
                hint="ask for fewer",
            )
        if per_class is not None:
            wanted = per_class
        else:
            wanted = int(part) if samples is not None else max(1, round(len(members) * (fraction or 0)))
        kept.append(members[:wanted])
    chosen = np.sort(np.concatenate(kept))
    held_back = np.setdiff1d(np.arange(len(strata)), chosen, assume_unique=True)
    return chosen.astype(np.int64), held_back.astype(np.int64)
