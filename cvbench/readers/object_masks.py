"""One mask file per object: ``<id>/images/*.png`` and ``<id>/masks/*.png``, as Kaggle's nuclei come; also in a tar."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from cvbench.errors import DataError
from cvbench.readers.findings import Findings
from cvbench.readers.masks import opened, same_size
from cvbench.readers.pictures import entries, folders_in, pictures_in, text_lines
from cvbench.readers.places import find_place
from cvbench.readers.scenes import SPLITS, Listing, Scene, SceneOptions, SceneReader
from cvbench.samples import AnnotationKind
from cvbench.scenes import Instance

if TYPE_CHECKING:
    from tarfile import TarFile

MOST_BYTES = 64 << 30  # that a tar may unpack to


@dataclass(frozen=True)
class ObjectMasksOptions(SceneOptions):
    """And ``name``: what the objects are."""

    name: str = "object"


class ObjectMasks(SceneReader):
    """A folder per picture, with a mask file for each of its objects; all of one class."""

    summary = "one mask file per object: <id>/images/*.png and <id>/masks/*.png, in a folder or a tar in it"
    licence = "the user's own"
    Options = ObjectMasksOptions

    def listed(self, root: Path, findings: Findings) -> Listing:
        options: ObjectMasksOptions = self.options
        folders = {folder.name: folder for folder in sample_folders(_unpacked_in(root))}
        if not folders:
            raise DataError("has no <id>/images/ folders", where=str(root), hint="nor a tar of them")
        splits = _split_lists(root, folders, findings)
        scenes = []
        for name, folder in folders.items():
            pictures = list(pictures_in(folder / "images"))
            if len(pictures) != 1:
                findings.problem(folder / "images", f"holds {len(pictures)} pictures", "there must be one")
                continue
            masks = tuple(pictures_in(folder / "masks")) if (folder / "masks").is_dir() else ()
            if not masks:
                findings.note(pictures[0], "has no masks: background")
            if not splits or name in splits:
                scenes.append(Scene(splits.get(name, ""), pictures[0], partial(_objects, masks), masks))
        return Listing(AnnotationKind.INSTANCES, (options.name,), tuple(scenes))

    @classmethod
    def recognises(cls, root: Path) -> bool:
        return cls is ObjectMasks and (any(True for _ in sample_folders(root)) or bool(_tars_of_samples(root)))


@dataclass(frozen=True)
class NucleiOptions(ObjectMasksOptions):
    """As for any object masks."""

    name: str = "nucleus"


class Nuclei(ObjectMasks):
    """Stage 1 of Kaggle's 2018 Data Science Bowl, or a part of it."""

    summary = "nuclei of the 2018 Data Science Bowl, a mask each; pictures of several sizes: set size"
    licence = "CC0"
    Options = NucleiOptions

    def place(self, root: Path | None) -> Path:
        return find_place("nuclei", root, download=False, can_download=False, also=("nuclei_dsb2018_small",))


def sample_folders(root: Path) -> Iterator[Path]:
    """The folders of single pictures, in the root or one level down (``stage1_train``), by name."""
    for folder in (root, *folders_in(root)):
        samples = [path for path in folders_in(folder) if (path / "images").is_dir()]
        if any((path / "masks").is_dir() for path in samples):  # stage1_test has none at all
            yield from samples


def _objects(masks: Sequence[Path], height: int, width: int, findings: Findings) -> list[Instance]:
    instances = []
    for file in masks:
        try:
            image = opened(file)
            same_size(image, height, width, file)
            instances.append(Instance(0, np.asarray(image.convert("L") if image.mode != "1" else image) > 0))
        except DataError as error:
            findings.blame(error)
    return instances


def _split_lists(root: Path, folders: dict[str, Path], findings: Findings) -> dict[str, str]:
    """Id → split, as ``train_ids.txt``, ``val_ids.txt`` and ``test_ids.txt`` say; empty without them."""
    found: dict[str, str] = {}
    for split in SPLITS:
        file = root / f"{split}_ids.txt"
        for name in " ".join(text_lines(file)).split() if file.is_file() else ():
            if name not in folders:
                findings.problem(file, f"names {name!r}, which is not there", "add it, or remove the line")
            elif found.setdefault(name, split) != split:
                findings.problem(file, f"names {name!r}, which is in {found[name]} too", "remove it from one of them")
    return found


# -------------------------------------------------------------------------------------------- the tar


def _tars_of_samples(root: Path) -> list[Path]:
    return [path for path in entries(root) if path.name.endswith((".tar", ".tar.gz", ".tgz")) and path.is_file()]


def _unpacked_in(root: Path) -> Path:
    """The folder itself, or, of one with a tar and no samples beside it, what is in the tar, unpacked in the cache."""
    tars = [] if any(True for _ in sample_folders(root)) else _tars_of_samples(root)
    if len(tars) > 1:
        raise DataError(f"holds {len(tars)} tars", where=str(root), hint="keep one, or unpack them")
    return unpacked(tars[0]) if tars else root


def unpacked(archive: Path) -> Path:
    """The files of a tar in a folder of the cache, unpacked once.

    Raises :class:`DataError` for an archive that is damaged, or has names that leave the folder, or is too large.
    """
    import tarfile

    from cvbench.store import default_cache

    facts = archive.stat()
    key = hashlib.sha256(f"{archive.name}\0{facts.st_size}\0{facts.st_mtime_ns}".encode()).hexdigest()[:32]
    place = default_cache() / "unpacked" / key
    if place.is_dir():
        return place
    torn = place.with_name(f"{key}.{os.getpid()}.part")
    try:
        torn.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as tar:
            _unpack(tar, torn, archive)
        torn.replace(place)
    except (tarfile.TarError, EOFError, OSError) as error:
        if not place.is_dir():  # it is when another process was quicker
            words = " ".join(str(error).split())[:150]
            raise DataError(f"cannot be unpacked ({words})", where=str(archive), hint="fetch it again") from None
    finally:
        shutil.rmtree(torn, ignore_errors=True)
    return place


def _unpack(tar: TarFile, folder: Path, archive: Path) -> None:
    """Plain files alone: links, devices, owners and modes stay behind."""
    room = MOST_BYTES
    for member in tar:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise DataError(f"has the name {member.name!r}, which leaves the folder", where=str(archive))
        room -= member.size
        if room < 0:
            raise DataError(f"unpacks to more than {MOST_BYTES >> 30} GiB", where=str(archive))
        content = tar.extractfile(member) if member.isfile() else None
        if content is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("wb") as file:
                shutil.copyfileobj(content, file)
