"""idx files, the format of MNIST: ``train-images-idx3-ubyte`` and its three fellows, gzipped or not."""

from __future__ import annotations

import gzip
import math
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

import numpy as np

from cvbench.contracts import Finding, Reader, Splits
from cvbench.errors import DataError
from cvbench.readers.places import find_place
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages, UInt8Array

UNSIGNED_BYTE = 8
PARTS = {"train": ("train-images", "train-labels"), "test": ("t10k-images", "t10k-labels")}
MOST_BYTES = 8 << 30  # a header that promises more is damaged, or not of a data set that fits in memory
CHUNK = 16 << 20


@dataclass(frozen=True)
class IdxOptions:
    """``download``: fetch the named set where there is a network. ``classes``: names, else the numbers."""

    download: bool = False
    classes: tuple[str, ...] = ()


class Idx(Reader):
    """A folder of four idx files."""

    summary = "idx files (MNIST's format), gzipped or not"
    Options = IdxOptions
    name: ClassVar[str] = "idx"
    fetch_from: ClassVar[str] = ""  # torchvision's class that knows where the set is
    classes: ClassVar[tuple[str, ...]] = ()

    def open(self, root: Path | None) -> Splits:
        if root is None and self.name == "idx":
            raise DataError("idx needs a root: the folder that holds the files", where="idx")
        options: IdxOptions = self.options
        place = find_place(self.name, root, download=options.download, can_download=bool(self.fetch_from))
        if not place.is_dir() or not any(place.iterdir()):
            self._download(place)
        pixels = {part: (read_idx(_file(place, x), 3), read_idx(_file(place, y), 1)) for part, (x, y) in PARTS.items()}
        for part, (images, labels) in pixels.items():
            if len(images) != len(labels):
                raise DataError(
                    f"{len(images)} pictures but {len(labels)} labels in the {part} split",
                    where=str(_file(place, PARTS[part][0])),
                    hint="both files must be of the same set",
                )
            if 0 in images.shape:
                raise DataError(f"holds no pictures (shape {images.shape})", where=str(_file(place, PARTS[part][0])))
        names = self._names(max(int(labels.max()) for _, labels in pixels.values()), place)
        train, test = (
            LabelledImages(
                DatasetSpec(self.name, AnnotationKind.LABEL, names, images.shape[1], images.shape[2], 1),
                images[..., None],
                labels.astype(np.int64),
            )
            for images, labels in pixels.values()
        )
        return Splits(train, test)

    def _names(self, highest: int, place: Path) -> tuple[str, ...]:
        names = self.options.classes or self.classes or tuple(str(n) for n in range(highest + 1))
        if highest >= len(names):
            raise DataError(f"a label is {highest}, there are {len(names)} class names", where=str(place))
        return tuple(names)

    def _download(self, place: Path) -> None:
        from torchvision import datasets

        torn = place.with_name(f"{place.name}.{os.getpid()}.part")
        try:
            fetched = getattr(datasets, self.fetch_from)(torn, download=True)
            Path(fetched.raw_folder).replace(place)
        except Exception as error:  # torchvision raises many kinds when a mirror cannot be had
            raise DataError(
                f"cannot be downloaded ({type(error).__name__}: {' '.join(str(error).split())[:200]})",
                where=self.name,
                hint="it needs a network; or set root: or CVBENCH_DATA to a folder that has the files",
            ) from None
        finally:
            shutil.rmtree(torn, ignore_errors=True)

    @classmethod
    def recognises(cls, root: Path) -> bool:
        return cls is Idx and any(_candidates(root, stem) for stems in PARTS.values() for stem in stems)

    def check(self, root: Path) -> Iterator[Finding]:
        before = 0
        for stems in PARTS.values():
            for stem, dimensions in zip(stems, (3, 1), strict=True):
                try:
                    read_idx(_file(root, stem), dimensions)
                except DataError as error:
                    before += 1
                    yield Finding("problem", error.where, error.what, error.hint)
        if not before:
            yield from super().check(root)


class Mnist(Idx):
    """The 70,000 handwritten digits of LeCun, Cortes and Burges."""

    summary = "MNIST: 60,000 + 10,000 handwritten digits, 28×28 grey"
    licence = "CC BY-SA 3.0 (as commonly stated)"
    name = "mnist"
    fetch_from = "MNIST"
    classes = tuple("0123456789")


class FashionMnist(Idx):
    """Zalando's 70,000 pictures of clothes."""

    summary = "Fashion-MNIST: 60,000 + 10,000 pictures of clothes, 28×28 grey"
    licence = "MIT"
    name = "fashion-mnist"
    fetch_from = "FashionMNIST"
    classes = (
        "T-shirt_top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle_boot",
    )


def _candidates(root: Path, stem: str) -> list[Path]:
    dimensions = 3 if stem.endswith("images") else 1
    names = [f"{stem}{dot}idx{dimensions}-ubyte{end}" for dot in "-." for end in ("", ".gz")]
    return [root / name for name in names if (root / name).is_file()]


def _file(root: Path, stem: str) -> Path:
    found = _candidates(root, stem)
    if not found:
        dimensions = 3 if stem.endswith("images") else 1
        raise DataError(f"there is no {stem}-idx{dimensions}-ubyte, gzipped or not", where=str(root))
    return found[0]


def read_idx(file: Path, dimensions: int) -> UInt8Array:
    """The file's bytes in its own shape. Raises :class:`DataError` that names what is wrong with it.

    Format: two zero bytes, the type (8: unsigned byte), the number of dimensions, each dimension as a
    big-endian 32-bit integer, then the values.
    """
    where = str(file)
    try:
        with _unpacked(file) as stream:
            shape = _shape(stream.read(4 + 4 * dimensions), dimensions, where)
            content = _read_at_most(stream, math.prod(shape) + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError("the gzip file is cut short or damaged", where=where, hint="fetch it again") from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=where) from None
    if len(content) != math.prod(shape):
        state = (
            f"cut short: there are {len(content)}" if len(content) < math.prod(shape) else "too long: there are more"
        )
        raise DataError(
            f"the header says {' x '.join(map(str, shape))} = {math.prod(shape)} bytes, the file is {state}",
            where=where,
            hint="fetch it again",
        )
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _unpacked(file: Path) -> BinaryIO:
    return gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb")  # type: ignore[return-value]


def _shape(header: bytes, dimensions: int, where: str) -> tuple[int, ...]:
    if len(header) < 4 + 4 * dimensions:
        raise DataError(f"{len(header)} bytes: too short for an idx header", where=where, hint="fetch it again")
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if header[:4] != magic:
        raise DataError(
            f"wrong magic number {header[:4].hex()}, an idx{dimensions} file of bytes starts with {magic.hex()}",
            where=where,
            hint="fetch it again, or see whether pictures and labels are swapped",
        )
    shape = struct.unpack(f">{dimensions}I", header[4:])
    if math.prod(shape) > MOST_BYTES:
        raise DataError(
            f"the header says {' x '.join(map(str, shape))}, more than {MOST_BYTES >> 30} GiB",
            where=where,
            hint="fetch it again",
        )
    return shape


def _read_at_most(stream: BinaryIO, count: int) -> bytearray:
    """In chunks: one ``read(count)`` would take the memory that a lying header asks for."""
    content = bytearray()
    while len(content) < count and (chunk := stream.read(min(CHUNK, count - len(content)))):
        content += chunk
    return content
