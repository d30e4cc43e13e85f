"""The real data of a run, opened once per process and held against the fingerprint that the plan saw."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from cvbench.contracts import Splits
from cvbench.datasets import blinded
from cvbench.errors import DataError
from cvbench.jobs import DataRef, RealPart
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, Dataset, IntArray


@dataclass(frozen=True)
class OpenedData:
    """A data set's splits, with what is worth working out only once."""

    splits: Splits

    @cached_property
    def fingerprint(self) -> str:
        """One fingerprint for train, val and test together."""
        parts = (self.splits.train, self.splits.val, self.splits.test)
        return "-".join(part.fingerprint[:20] if part is not None else "none" for part in parts)

    @cached_property
    def train_fingerprint(self) -> str:
        """The train split's."""
        return self.splits.train.fingerprint

    @cached_property
    def blind_test(self) -> Dataset:
        """The test split without what is to be found in it: what every model of the run is given."""
        return blinded(self.splits.test)

    @cached_property
    def test_hashes(self) -> frozenset[str]:
        """Content hashes of the test pictures."""
        return frozenset(self.splits.test.item_hashes())

    @cached_property
    def test_pictures_in_train(self) -> int:
        """How many distinct test pictures are also training pictures."""
        return len(self.test_hashes & set(self.splits.train.item_hashes()))


def open_data(data: DataRef) -> OpenedData:
    """The splits; raises :class:`DataError` when they are no longer what the plan saw."""
    options = json.dumps(data.options, sort_keys=True)
    opened = _open(data.reader, data.argument, data.root, options, data.val_fraction, data.kind)
    if data.fingerprint and opened.fingerprint != data.fingerprint:
        raise DataError("the data changed while the suite ran", where=data.label, hint="run it again")
    return opened


def real_part(part: RealPart) -> Dataset:
    """The real training samples that a cell uses."""
    train = open_data(part.data).splits.train
    kept, _ = _drawn(part, train)
    return train if len(kept) == len(train) else train.select(kept)


def held_back(part: RealPart) -> Dataset:
    """The real training samples that a cell does not use."""
    train = open_data(part.data).splits.train
    return train.select(_drawn(part, train)[1])


def _drawn(part: RealPart, train: Dataset) -> tuple[IntArray, IntArray]:
    return split_real(
        train.strata(), fraction=part.fraction, per_class=part.per_class, samples=part.samples, seed=part.seed
    )


@lru_cache(maxsize=2)
def _open(
    reader: str, argument: str, root: str | None, options: str, val_fraction: float, kind: AnnotationKind | None
) -> OpenedData:
    from cvbench.datasets import as_kind
    from cvbench.readers import open_dataset

    splits = open_dataset(reader, argument, Path(root) if root else None, json.loads(options), val_fraction)
    if kind is None:
        return OpenedData(splits)
    val = as_kind(splits.val, kind) if splits.val is not None else None
    return OpenedData(Splits(as_kind(splits.train, kind), as_kind(splits.test, kind), val))
