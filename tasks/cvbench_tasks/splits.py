"""What a test split may ask of what was trained on, whatever the annotation."""

from __future__ import annotations

from cvbench.errors import DataError
from cvbench.samples import DatasetSpec


def check_classes(train: set[int], test: set[int], spec: DatasetSpec) -> None:
    """Raise :class:`DataError` when a class, as an index, is in the test split and not in train."""
    if missing := sorted(test - train):
        named = ", ".join(repr(spec.classes[label]) for label in missing[:5])
        raise DataError(f"the test split has a class that train lacks: {named}", where=spec.name)
