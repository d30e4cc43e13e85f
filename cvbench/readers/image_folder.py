"""Folders of pictures, one folder per class: ``root/train/<class>/*`` and ``root/test/…``, or ``root/<class>/*``.

Pictures are decoded once, into one array in the cache; the key is the listing's names, sizes and times.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Lt

from cvbench.contracts import Finding, Reader, Splits
from cvbench.errors import DataError
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages, UInt8Array, load_dataset
from cvbench.seeds import derive_seed

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})
SPLIT_NAMES = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
MOST_PIXELS = 100_000_000  # of one picture; more is a decompression bomb


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
        if root is None or not root.is_dir():
            raise DataError("there is no such folder", where=str(root or "image-folder"), hint="set root:")
        options: ImageFolderOptions = self.options
        if options.channels not in (None, 1, 3):
            raise DataError(f"channels must be 1 (grey) or 3 (RGB), not {options.channels}", where=str(root))
        parts = split_folders(root)
        if "train" not in parts:
            whole = self._decoded(root, class_folders(root))
            seed = derive_seed(options.split_seed, "image folder split")
            test, train = split_real(whole.labels, fraction=options.test_fraction, per_class=None, seed=seed)
            return Splits(whole.select(train), whole.select(test))
        if "test" not in parts:
            raise DataError("has a train folder but no test folder", where=str(root))
        classes = [folder.name for folder in class_folders(parts["train"])]
        for split, folder in parts.items():
            strange = [c.name for c in class_folders(folder) if c.name not in classes]
            if strange:
                raise DataError(f"{split} has a class {strange[0]!r} that train lacks", where=str(folder))
        opened = {split: self._decoded(root, [folder / name for name in classes]) for split, folder in parts.items()}
        return Splits(opened["train"], opened["test"], opened.get("val"))

    def _decoded(self, root: Path, folders: Sequence[Path]) -> LabelledImages:
        """All pictures of these class folders as one array, from the cache if they were decoded before."""
        from cvbench.store import default_cache

        if not folders:
            raise DataError("has no class folders", where=str(root), hint="root/<class>/*.png")
        listed = [(file, label) for label, folder in enumerate(folders) for file in pictures_in(folder)]
        if not listed:
            raise DataError("its class folders hold no pictures", where=str(folders[0].parent))
        place = default_cache() / "decoded" / self._listing_key(root, listed)
        try:
            return load_dataset(place)
        except (OSError, ValueError, KeyError, DataError):
            shutil.rmtree(place, ignore_errors=True)
        images = self._decode_all([file for file, _ in listed])
        names = tuple(folder.name for folder in folders)
        spec = DatasetSpec(root.name, AnnotationKind.LABEL, names, *images.shape[1:])
        data = LabelledImages(spec, images, np.array([label for _, label in listed], dtype=np.int64))
        torn = place.with_name(f"{place.name}.{os.getpid()}.part")
        torn.mkdir(parents=True, exist_ok=True)
        try:
            data.save(torn)
            torn.replace(place)
        finally:
            shutil.rmtree(torn, ignore_errors=True)
        return load_dataset(place)

    def _listing_key(self, root: Path, listed: Sequence[tuple[Path, int]]) -> str:
        digest = hashlib.sha256(json.dumps(asdict(self.options), sort_keys=True).encode())
        for file, label in listed:
            facts = file.stat()
            line = f"{file.relative_to(root).as_posix()}\0{label}\0{facts.st_size}\0{facts.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
        return digest.hexdigest()[:32]

    def _decode_all(self, files: Sequence[Path]) -> UInt8Array:
        options: ImageFolderOptions = self.options
        with ThreadPoolExecutor() as pool:
            pictures = list(pool.map(lambda file: decode(file, options.size, options.channels), files))
        sizes = Counter(picture.shape[:2] for picture in pictures)
        if len(sizes) > 1:
            raise DataError(
                f"pictures of {len(sizes)} sizes, from {'x'.join(map(str, min(sizes)))} to "
                f"{'x'.join(map(str, max(sizes)))} (height x width)",
                where=str(files[0].parent.parent),
                hint="set the option size to bring them to one",
            )
        channels = max(picture.shape[2] for picture in pictures)
        return np.stack([np.broadcast_to(p, (*p.shape[:2], channels)) for p in pictures])

    @classmethod
    def recognises(cls, root: Path) -> bool:
        folders = class_folders(split_folders(root).get("train", root))
        return any(True for folder in folders for _ in pictures_in(folder))

    def check(self, root: Path) -> Iterator[Finding]:
        problems = 0
        parts: Mapping[str, Path] = split_folders(root) or {"": root}
        for folder in parts.values():
            for class_folder in class_folders(folder):
                files = list(pictures_in(class_folder))
                if not files:
                    yield Finding("problem", str(class_folder), "this class folder holds no pictures")
                    problems += 1
                for other in sorted(class_folder.iterdir()):
                    if other.is_file() and other.suffix.lower() not in EXTENSIONS:
                        yield Finding("note", str(other), "not a picture by its name: left out")
                for file in files:
                    try:
                        decode(file, None, None)
                    except DataError as error:
                        problems += 1
                        yield Finding("problem", error.where, error.what, error.hint)
        if not problems:
            yield from super().check(root)


def split_folders(root: Path) -> dict[str, Path]:
    """Which of train, val and test the folder has, by their usual names."""
    found: dict[str, Path] = {}
    for split, names in SPLIT_NAMES.items():
        for name in names:
            if (root / name).is_dir():
                found.setdefault(split, root / name)
    return found if "train" in found else {}


def class_folders(folder: Path) -> list[Path]:
    """Its folders in the order of their names; hidden ones are left out."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def pictures_in(folder: Path) -> Iterator[Path]:
    """Its files that are pictures by their names, in order."""
    return (
        path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in EXTENSIONS and path.is_file() and not path.name.startswith(".")
    )


def decode(file: Path, size: int | None, channels: int | None) -> UInt8Array:
    """uint8 (H, W, 1 or 3): turned as its EXIF says, transparency over white, 16 bits scaled down to 8.

    Raises :class:`DataError` naming a file that is empty, cut short, not a picture, or too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    where = str(file)
    try:
        if file.stat().st_size == 0:
            raise DataError("an empty file", where=where, hint="remove or replace it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened: Any = Image.open(file)
            if opened.width * opened.height > MOST_PIXELS:
                raise DataError(f"{opened.width}x{opened.height} pixels are too many", where=where)
            picture: Any = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I") or picture.mode == "F":
            picture = Image.fromarray((np.asarray(picture).astype(np.float64) / 257).clip(0, 255).astype(np.uint8))
        if picture.mode in ("RGBA", "LA", "PA", "P"):
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
        grey = channels == 1 if channels else picture.mode in ("L", "1")
        picture = picture.convert("L" if grey else "RGB")
        if size is not None:
            picture = picture.resize((size, size), Image.Resampling.BILINEAR)
        array = np.asarray(picture, dtype=np.uint8)
        return array[..., None] if array.ndim == 2 else array
    except UnidentifiedImageError:
        raise DataError("not a picture that can be read", where=where, hint="remove or replace it") from None
    except Image.DecompressionBombError:
        raise DataError("has too many pixels", where=where) from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        words = " ".join(str(error).split())[:150]
        raise DataError(f"damaged or cut short ({words})", where=where, hint="remove or replace it") from None
