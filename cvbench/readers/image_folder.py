"""Folders of pictures, one folder per class: ``root/train/<class>/*`` and ``root/test/…``, or ``root/<class>/*``.

Pictures are decoded once, into one array in the cache; the key is the listing's names, sizes and times, and what
decodes.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from cvbench.contracts import Finding, Reader, Splits
from cvbench.errors import DataError, counted
from cvbench.readers.decoded import decoded_once, listing_key
from cvbench.readers.findings import summed_up
from cvbench.readers.items import Item, named
from cvbench.readers.pictures import (
    EXTENSIONS,
    conversions,
    decode,
    entries,
    folders_in,
    grey_among_rgb,
    pictures_in,
    unequal,
)
from cvbench.readers.places import WHICH_FOLDER
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, DatasetSpec, IntArray, LabelledImages, UInt8Array, labelled
from cvbench.seeds import derive_seed

PICTURE_FOLDERS = ("images", "imgs", "image")  # of pictures whose annotation lies elsewhere
SPLIT_NAMES = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


@dataclass(frozen=True)
class ImageFolderOptions:
    """``size``: pictures are resized to size × size. ``channels``: 1 or 3, else as the files say.

    ``test_fraction`` and ``split_seed`` split a folder that has no ``train`` and ``test`` of its own.
    """

    size: Annotated[int, Gt(0)] | None = None
    channels: Annotated[int, Ge(1)] | None = None
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2
    split_seed: int = 0


class ImageFolder(Reader):
    """Any folder of pictures sorted into classes."""

    summary = "a folder per class: root/train/<class>/*.png and root/test/…, or root/<class>/* split by a seed"
    licence = "the user's own"
    Options = ImageFolderOptions

    def open(self, root: Path | None) -> Splits:
        options: ImageFolderOptions = self.options
        if root is None:
            raise DataError("needs a folder", where="image-folder", hint=WHICH_FOLDER)
        if options.channels not in (None, 1, 3):
            raise DataError(f"channels must be 1 (grey) or 3 (RGB), not {options.channels}", where=str(root))
        for fault in layout_faults(root):
            raise fault
        parts = split_folders(root)
        classes = [folder.name for folder in folders_in(parts.get("train", root))]
        if parts:
            opened = {split: self._decoded(root, folder, classes) for split, folder in parts.items()}
            return Splits(opened["train"], opened["test"], opened.get("val"))
        whole = self._decoded(root, root, classes)
        test, train = self._drawn(whole.labels)
        for label in np.setdiff1d(whole.labels, whole.labels[train]):
            raise DataError(
                f"class {classes[label]!r} has so few pictures ({whole.class_counts()[label]}) that all fall to test",
                where=str(root),
                hint="add pictures, or divide them into train/ and test/ yourself",
            )
        return Splits(whole.select(train), whole.select(test))

    def _drawn(self, labels: IntArray) -> tuple[IntArray, IntArray]:
        """Places of the test and of the train pictures of a folder that does not tell them apart."""
        options: ImageFolderOptions = self.options
        seed = derive_seed(options.split_seed, "image folder split")
        return split_real(labels, fraction=options.test_fraction, per_class=None, seed=seed)

    def _decoded(self, root: Path, folder: Path, classes: Sequence[str]) -> LabelledImages:
        """All pictures of a split as one array, from the cache if they were decoded before."""
        listed = [
            (file, label)
            for label, name in enumerate(classes)
            if (folder / name).is_dir()
            for file in pictures_in(folder / name)
        ]
        if not listed:
            raise DataError("its class folders hold no pictures", where=str(folder), hint="<class>/*.png")
        key = self._listing_key(root, classes, listed)
        return labelled(decoded_once(key, lambda: self._pictures(root.name, classes, listed)))

    def _pictures(self, name: str, classes: Sequence[str], listed: Sequence[tuple[Path, int]]) -> LabelledImages:
        images = self._decode_all([file for file, _ in listed])
        spec = DatasetSpec(name, AnnotationKind.LABEL, tuple(classes), *images.shape[1:])
        return LabelledImages(spec, images, np.array([label for _, label in listed], dtype=np.int64))

    def _listing_key(self, root: Path, classes: Sequence[str], listed: Sequence[tuple[Path, int]]) -> str:
        options: ImageFolderOptions = self.options
        return listing_key(
            [root.name, options.size, options.channels, *classes],
            [(file.relative_to(root).as_posix(), label, file) for file, label in listed],
        )

    def _decode_all(self, files: Sequence[Path]) -> UInt8Array:
        options: ImageFolderOptions = self.options
        with ThreadPoolExecutor() as pool:
            pictures = list(pool.map(lambda file: decode(file, options.size, options.channels), files))
        sizes = {picture.shape[:2] for picture in pictures}
        if len(sizes) > 1:
            raise unequal(sizes, files[0].parent.parent)
        channels = max(picture.shape[2] for picture in pictures)
        return np.stack([np.broadcast_to(p, (*p.shape[:2], channels)) for p in pictures])

    @classmethod
    def recognises(cls, root: Path) -> bool:
        folders = folders_in(split_folders(root).get("train", root))
        if any(folder.name in PICTURE_FOLDERS for folder in folders):  # beside it are masks, whatever they are called
            return False
        return any(True for folder in folders for _ in pictures_in(folder))

    def check(self, root: Path) -> Iterator[Finding]:
        findings, _ = self.inspect(root)
        yield from findings
        if not any(finding.level == "problem" for finding in findings):
            yield from super().check(root)

    def inspect(self, root: Path | None) -> tuple[list[Finding], list[Item]]:
        """What is wrong, converted or left out, file by file, and every picture that can be read; never raises."""
        if root is None:
            return [Finding("problem", "image-folder", "needs a folder", WHICH_FOLDER)], []
        look = _Look(self.options)
        try:
            for fault in layout_faults(root):
                look.blame(fault)
            for split, folder in (split_folders(root) or {"": root}).items():
                for class_folder in folders_in(folder) if folder.is_dir() else []:
                    for file in pictures_in(class_folder):
                        look.at(file, split, root)
            if len(look.sizes) > 1:
                look.blame(unequal(look.sizes, root))
            look.findings += look.conversions(root)
            for file in left_out(root):
                look.findings.append(Finding("note", str(file), "not a picture file: left out"))
            look.findings += elsewhere(root)
        except DataError as error:  # a folder that cannot be listed
            look.blame(error)
        if any(not item.split for item in look.items):
            test = set(self._drawn(np.unique([item.label for item in look.items], return_inverse=True)[1])[0].tolist())
            look.items = [replace(i, split="test" if place in test else "train") for place, i in enumerate(look.items)]
        return list(summed_up(look.findings, str(root))), look.items


class _Look:
    """What is seen of a folder on the way through its files."""

    def __init__(self, options: ImageFolderOptions) -> None:
        self.options = options
        self.findings: list[Finding] = []
        self.items: list[Item] = []
        self.sizes: set[tuple[int, ...]] = set()
        self.converted: Counter[str] = Counter()
        self.channels: dict[str, Counter[int]] = {}

    def blame(self, fault: DataError) -> None:
        self.findings.append(Finding("problem", fault.where, fault.what, fault.hint))

    def at(self, file: Path, split: str, root: Path) -> None:
        try:
            picture = decode(file, self.options.size, self.options.channels)
        except DataError as error:
            self.blame(error)
            return
        self.sizes.add(picture.shape[:2])
        self.converted.update(conversions(file))
        self.channels.setdefault(split, Counter())[picture.shape[2]] += 1
        colours = np.broadcast_to(picture, (*picture.shape[:2], 3))  # grey among RGB is read as RGB
        digest = hashlib.blake2b(repr(colours.shape).encode() + colours.tobytes(), digest_size=16).hexdigest()
        self.items.append(Item(split, file.parent.name, file.relative_to(root).as_posix(), digest))

    def conversions(self, root: Path) -> Iterator[Finding]:
        for what, number in self.converted.items():
            yield Finding("note", str(root), f"{counted(number, 'picture')} {what}")
        for split, channels in self.channels.items():
            for what in grey_among_rgb(channels):
                yield Finding("note", str(split_folders(root).get(split, root)), what)


def layout_faults(root: Path) -> Iterator[DataError]:
    """What is wrong with the folders, before any picture is looked at."""
    if not root.is_dir():
        yield DataError("there is no such folder", where=str(root), hint="set root:")
        return
    parts = split_folders(root)
    train = parts.get("train", root)
    folders = folders_in(train)
    classes = {folder.name for folder in folders}
    if not folders:
        yield DataError("has no class folders", where=str(train), hint="its pictures belong into <class>/*.png")
    if parts and "test" not in parts:
        hint = "add one, or move the class folders one level up to have them split by a seed"
        yield DataError("has a train folder but no test folder", where=str(root), hint=hint)
    for folder in folders:
        if not any(pictures_in(folder)):
            yield DataError("this class folder holds no pictures", where=str(folder), hint="fill or remove it")
    for split, part in parts.items():
        for folder in folders_in(part):
            if folder.name not in classes:
                hint = "remove it, or add training pictures of that class"
                yield DataError(f"{split} has a class {folder.name!r} that train lacks", where=str(part), hint=hint)


def left_out(root: Path) -> Iterator[Path]:
    """What lies in the class folders and is not taken for a picture: other names, links that lead nowhere."""
    for folder in split_folders(root).values() or [root]:
        for class_folder in folders_in(folder) if folder.is_dir() else []:
            for path in entries(class_folder):
                if not path.is_dir() and not (path.is_file() and path.suffix.lower() in EXTENSIONS):
                    yield path


def elsewhere(root: Path) -> Iterator[Finding]:
    """Pictures that lie where none is looked for: beside the class folders, or deeper in them."""
    looked_into = {inner for folder in split_folders(root).values() or [root] for inner in folders_in(folder)}
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        pictures = [name for name in sorted(files) if Path(name).suffix.lower() in EXTENSIONS and name[0] != "."]
        if pictures and Path(folder) not in looked_into:
            what = f"{counted(len(pictures), 'picture')} left out, for this is no class folder: {named(pictures)}"
            yield Finding("note", folder, what)


def split_folders(root: Path) -> dict[str, Path]:
    """Which of train, val and test the folder has, by their usual names."""
    found: dict[str, Path] = {}
    for split, names in SPLIT_NAMES.items():
        for name in names:
            if (root / name).is_dir():
                found.setdefault(split, root / name)
    return found if "train" in found else {}
