"""Two domains without pairs, for CycleGAN: source pictures with labels, and the target pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image
from torchvision.datasets import ImageFolder

from cvbench.corruptions import Corruption
from cvbench.decoding import read_picture
from cvbench.errors import DataError, NotApplicable, counted
from cvbench.samples import DatasetSpec, LabelledImages, UInt8Array

if TYPE_CHECKING:
    from cvbench_generators.translation import CycleGANOptions

MOST_SIZES = 3  # of pictures, that a note names


@dataclass(frozen=True)
class Domains:
    """``source`` pictures become the source domain through ``corruption``, or are it where that is None."""

    source: LabelledImages
    corruption: Corruption | None
    target: UInt8Array
    note: str


def two_domains(train: LabelledImages, options: CycleGANOptions, seed: int) -> Domains:
    """The options' source domain, and the train split (or the half of it that is no source) as target.

    Raises :class:`NotApplicable` when a class has one picture only and so cannot be halved, :class:`DataError` for a
    folder that is missing, empty, unreadable or of other classes.
    """
    if options.source_folder is not None:
        source, changed = folder_pictures(Path(options.source_folder), train.spec)
        note = "; ".join([f"source: {counted(len(source), 'picture')} of {options.source_folder}", *changed])
        return Domains(source, None, train.images, note)
    halves: tuple[list[int], list[int]] = ([], [])
    rng, pictures = np.random.default_rng(seed), np.array(train.item_hashes())
    for label in np.flatnonzero(train.class_counts()):
        members = np.flatnonzero(train.labels == label)
        _, which = np.unique(pictures[members], return_inverse=True)  # equal pictures lie in one half
        chosen = rng.permutation(which.max() + 1)
        if len(chosen) < 2:
            raise NotApplicable(
                f"cyclegan halves the training pictures, and class {train.spec.classes[label]!r} has only one"
            )
        first = np.isin(which, chosen[: len(chosen) // 2])
        halves[0].extend(members[first])
        halves[1].extend(members[~first])
    note = f"source: half of the training pictures ({len(halves[0])}), {options.corruption}; target: the other half"
    return Domains(train.select(halves[0]), options.corruption, train.select(halves[1]).images, note)


def folder_pictures(folder: Path, spec: DatasetSpec) -> tuple[LabelledImages, list[str]]:
    """An image folder's pictures in the spec's size and channels, its classes matched by name; what that changed."""
    try:
        found = ImageFolder(str(folder))
    except OSError as error:
        raise DataError(
            f"not a folder with one sub-folder of pictures per class ({error})", where=str(folder)
        ) from None
    if set(found.classes) != set(spec.classes):
        odd = sorted(set(found.classes) ^ set(spec.classes))[0]
        has, lacks = ("it", "the training data") if odd in found.classes else ("the training data", "it")
        raise DataError(
            f"its classes are not the training data's: {has} has a class {odd!r}, {lacks} has none",
            where=str(folder),
            hint="cyclegan keeps labels, so both need the same class names",
        )
    images = np.empty((len(found), spec.height, spec.width, spec.channels), np.uint8)
    sizes: Counter[tuple[int, ...]] = Counter()
    recoloured = 0
    for place, (path, _) in enumerate(found.samples):
        picture = read_picture(Path(path), spec.channels)
        resized = cv2.resize(picture, (spec.width, spec.height), interpolation=cv2.INTER_AREA)
        images[place] = resized.reshape(images.shape[1:])
        sizes[picture.shape[:2]] += 1
        with suppress(OSError, Image.DecompressionBombError):  # OpenCV reads what Pillow does not: left uncounted
            recoloured += _is_grey(path) != (spec.channels == 1)
    numbers = np.array([spec.classes.index(name) for name in found.classes], dtype=np.int64)
    changed = list(_changes(sizes, recoloured, spec))
    return LabelledImages(spec, images, numbers[np.array(found.targets, dtype=np.int64)]), changed


def _is_grey(path: str) -> bool:
    with Image.open(path) as opened:  # reads the header alone
        return opened.mode in ("1", "L", "LA") or opened.mode.startswith("I")


def _changes(sizes: Counter[tuple[int, ...]], recoloured: int, spec: DatasetSpec) -> Iterator[str]:
    """How many pictures were resized, and from what (height, width), and how many were of other colours."""
    others = Counter({size: number for size, number in sizes.items() if size != (spec.height, spec.width)})
    if others:
        named = ", ".join(f"{high}x{wide}" for (high, wide), _ in others.most_common(MOST_SIZES))
        more = f" and {counted(len(others) - MOST_SIZES, 'other size')}" if len(others) > MOST_SIZES else ""
        yield f"{others.total():,} resized to {spec.height}x{spec.width} from {named}{more} (height x width)"
    if recoloured:
        yield f"{recoloured:,} made grey" if spec.channels == 1 else f"{recoloured:,} were grey"
