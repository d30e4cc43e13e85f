"""Picture by picture, what a data set holds, and which pictures are there more than once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from cvbench.clips import Clip, Clips
from cvbench.contracts import Finding, Splits
from cvbench.samples import AnnotationKind, Dataset, LabelledImages
from cvbench.scenes import BoxedImages, SegmentedImages

NAMED = 3  # of those that a finding is about; the rest is a number


@dataclass(frozen=True)
class Extent:
    """How much there is of a clip: how many frames and tracks; ``size`` is height and width."""

    frames: int
    tracks: int
    size: tuple[int, int]


@dataclass(frozen=True)
class Item:
    """One picture that can be read: its split, its class, its file (or place in the split) and a hash of its pixels.

    ``holds``: of a picture with a scene, which has no class of its own: class → pixels of a mask, or objects.
    ``kind``: of its annotation. ``extent``: of a clip.
    """

    split: str
    label: str
    name: str
    digest: str
    holds: Mapping[str, int] | None = None
    kind: AnnotationKind = AnnotationKind.LABEL
    extent: Extent | None = None


@runtime_checkable
class Itemised(Protocol):
    """A reader that can tell its pictures apart even where others of them are broken."""

    def inspect(self, root: Path | None) -> tuple[list[Finding], list[Item]]:
        """What :meth:`~cvbench.contracts.Reader.check` finds, and every picture that can be read; never raises."""


def items_of(splits: Splits) -> list[Item]:
    """The samples of data that is open, named by their places: ``train[0]``; clips by their names."""
    parts = {"train": splits.train, "val": splits.val, "test": splits.test}
    items: list[Item] = []
    for split, data in parts.items():
        if isinstance(data, Clips):
            items += (item_of(clip, data.spec.classes, split) for clip in data.clips)
        elif data is not None:
            items += (
                Item(split, label, f"{split}[{place}]", digest, holds, data.spec.kind)
                for place, ((label, holds), digest) in enumerate(zip(_contents(data), data.item_hashes(), strict=True))
            )
    return items


def item_of(clip: Clip, classes: Sequence[str], split: str) -> Item:
    """A clip by its name, with the boxes of each class that it holds."""
    counts = np.bincount(clip.tracks.labels, minlength=len(classes)).tolist()
    extent = Extent(len(clip), len(np.unique(clip.tracks.ids)), clip.shape[:2])
    holds = dict(zip(classes, counts, strict=True))
    return Item(split, "", clip.name, clip.digest, holds, AnnotationKind.TRACKS, extent)


def _contents(data: Dataset) -> Iterator[tuple[str, Mapping[str, int] | None]]:
    """Each picture's class, or what its scene holds."""
    classes = data.spec.classes
    if isinstance(data, LabelledImages):
        yield from ((classes[label], None) for label in data.labels)
    elif isinstance(data, SegmentedImages):
        for mask in data.masks:
            counts = np.bincount(mask.ravel(), minlength=len(classes))
            yield "", {name: int(counts[label]) for label, name in enumerate(classes)}
    elif isinstance(data, BoxedImages):
        for place in range(len(data)):
            counts = np.bincount(data.labels[data.objects(place)], minlength=len(classes))
            yield "", {name: int(counts[label]) for label, name in enumerate(classes)}


def repeats(items: Sequence[Item], root: str) -> Iterator[Finding]:
    """Pictures that are there more than once. Across splits, or under two classes, that is a problem."""
    same: dict[str, list[Item]] = {}
    for item in items:
        same.setdefault(item.digest, []).append(item)
    groups = [group for group in same.values() if len(group) > 1]
    for split, other, hint in (
        ("test", "train", "take them out of one of the two: a model is tested on what it has learnt"),
        ("test", "val", "take them out of one of the two: a model is tested on what chose its weights"),
        ("val", "train", "take them out of one of the two: weights are chosen by what they have learnt"),
    ):
        pairs = [
            (item.name, next(copy.name for copy in group if copy.split == other))
            for group in groups
            if any(item.split == other for item in group)
            for item in group
            if item.split == split
        ]
        if pairs:
            what = f"{_pictures(len(pairs), split)} also in {other}: {named([f'{a} = {b}' for a, b in pairs])}"
            yield Finding("problem", root, what, hint)
    torn = [group for group in groups if len({item.label for item in group}) > 1]
    if torn:
        pairs = [(group[0].name, next(i.name for i in group if i.label != group[0].label)) for group in torn]
        what = f"{_pictures(len(torn))} under more than one class: {named([f'{a} = {b}' for a, b in pairs])}"
        yield Finding("problem", root, what, "only one class can be right")
    plain = [
        copy.name
        for group in groups
        for place, copy in enumerate(group)
        if any((copy.split, copy.label) == (earlier.split, earlier.label) for earlier in group[:place])
    ]
    if plain:
        of = " in the same class" if any(item.label for item in items) else ""
        yield Finding("note", root, f"{_pictures(len(plain))} there once more{of}: {named(plain)}")


def named(names: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _pictures(number: int, split: str = "") -> str:
    return f"{number:,} {split} picture{' is' if number == 1 else 's are'}".replace("  ", " ")
