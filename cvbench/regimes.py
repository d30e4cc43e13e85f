"""How the training data of a cell is put together: data sets in, stages of training out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvbench.contracts import Augmentation
from cvbench.errors import DataError
from cvbench.samples import Dataset, IntArray

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


def _real(real: Any, synthetic: Any) -> TrainingData:
    return TrainingData((Stage(real, 1.0),))


def _augment(real: Any, synthetic: Any) -> TrainingData:
    return TrainingData((Stage(real, 1.0),), Augmentation.STRONG)


def _synthetic(real: Any, synthetic: Any) -> TrainingData:
    return TrainingData((Stage(synthetic, 1.0),))


def _mixed(real: Any, synthetic: Any) -> TrainingData:
    return TrainingData((Stage(real.join(synthetic), 1.0),))


def _finetune(real: Any, synthetic: Any) -> TrainingData:
    first = FINETUNE_SYNTHETIC_SHARE
    return TrainingData((Stage(synthetic, first), Stage(real, 1.0 - first)))


_COMPOSERS: dict[str, Callable[[Any, Any], TrainingData]] = {
    "real": _real,
    "augment": _augment,
    "synthetic": _synthetic,
    "mixed": _mixed,
    "finetune": _finetune,
}


def compose(
    regime: str, real: Dataset, synthetic: Dataset | None, *, refresh: int = 1, real_share: float | None = None
) -> TrainingData:
    """The stages of a regime. ``synthetic`` is None for ``real`` and ``augment`` alone.

    ``refresh``: how many synthetic sets, one after another, the samples stand for. The share of synthetic samples
    in a batch is that of one set. ``real_share``: of a mixed batch, on average; every sample is still seen.
    """
    if regime == "mixed" and synthetic is not None:
        real = _repeated(real, len(real) * refresh)
        if real_share is not None:
            real, synthetic = (
                _repeated(real, round(len(synthetic) * real_share / (1 - real_share))),
                _repeated(synthetic, round(len(real) * (1 - real_share) / real_share)),
            )
    return _COMPOSERS[regime](real, synthetic)


def _repeated(data: Dataset, count: int) -> Dataset:
    """The samples again and again until there are ``count``; all of them at least once."""
    return data if count <= len(data) else data.select(np.resize(np.arange(len(data)), count))


def split_real(
    strata: IntArray, *, fraction: float | None, per_class: int | None = None, samples: int | None = None, seed: int
) -> tuple[IntArray, IntArray]:
    """Places of the real samples that a cell may use, and of those it holds back; both ascending.

    Stratified: every group keeps its proportion of the ``fraction`` (at least one sample) or of so many ``samples``,
    or gives ``per_class``. Nested: with one seed, the smaller share is part of the larger, if both are said alike.
    Raises :class:`DataError` when there are fewer samples than asked for.
    """
    rng = np.random.default_rng(seed)
    kept: list[IntArray] = []
    groups, sizes = np.unique(strata, return_counts=True)
    if samples is not None and samples > len(strata):
        raise DataError(f"asks for {samples} samples, there are {len(strata)} training samples", hint="ask for fewer")
    parts = _parts(sizes, samples) if samples is not None else sizes
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


def _parts(sizes: IntArray, count: int) -> IntArray:
    """(K,) how many of each group make up ``count`` samples, by Webster's method; ties go to the lower index.

    Largest remainders would not do: of groups of 6, 6 and 2, they give the last one 2 among 10 samples and 1 among 11
    (the Alabama paradox). Here one more sample never takes another away.
    """
    places = np.concatenate([(np.arange(size) + 0.5) / size for size in sizes])
    first = np.argsort(places, kind="stable")[:count]
    return np.bincount(np.repeat(np.arange(len(sizes)), sizes)[first], minlength=len(sizes)).astype(np.int64)
