"""What data is here: the kinds of annotation, the description of a data set, and the data set itself.

Pictures of equal size travel as one uint8 array (N, H, W, C), memory-mapped when they come from disk.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from cvbench.errors import DataError

UInt8Array = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


class AnnotationKind(StrEnum):
    """What a sample is annotated with; a task asks for one kind, a generator says which it can make."""

    LABEL = "label"
    BOXES = "boxes"
    MASK = "mask"
    INSTANCES = "instances"
    TRACKS = "tracks"


@dataclass(frozen=True)
class DatasetSpec:
    """What a plugin may know about a data set before it sees a picture.

    ``classes`` are names, a class's index is its place. ``height`` and ``width`` are in pixels;
    ``channels`` is 1 (grey) or 3 (RGB).
    """

    name: str
    kind: AnnotationKind
    classes: tuple[str, ...]
    height: int
    width: int
    channels: int

    def to_json(self) -> dict[str, object]:
        """Plain data for a manifest."""
        return asdict(self) | {"kind": self.kind.value, "classes": list(self.classes)}

    @classmethod
    def from_json(cls, data: dict[str, object]) -> DatasetSpec:
        """The inverse of :meth:`to_json`."""
        fields = dict(data)
        fields["kind"] = AnnotationKind(str(fields["kind"]))
        fields["classes"] = tuple(fields["classes"])  # type: ignore[arg-type]
        return cls(**fields)  # type: ignore[arg-type]


class Dataset(ABC):
    """Annotated samples in a fixed order. What a regime, a store or a reader needs of any kind of data."""

    spec: DatasetSpec

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def select(self, indices: IntArray | Sequence[int]) -> Self:
        """The samples at these places, in this order; places may repeat."""

    @abstractmethod
    def strata(self) -> IntArray:
        """(N,) a group number per sample; random subsets keep the groups' proportions."""

    @abstractmethod
    def item_hashes(self) -> list[str]:
        """A content hash per sample's *picture* (not its annotation): equal pictures, equal hashes."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 over all content, order included; the same on every machine and at every path."""

    @abstractmethod
    def join(self, other: Self) -> Self:
        """This data followed by the other, which must have the same classes and picture shape."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write into an existing folder; :func:`load_dataset` reads it back."""


@dataclass(frozen=True)
class LabelledImages(Dataset):
    """Pictures of equal size with one class each.

    ``images`` is uint8 (N, H, W, C), 0..255, RGB or grey; ``labels`` is int64 (N,), indices into
    ``spec.classes``. Raises :class:`DataError` when they do not fit each other or the spec.
    """

    spec: DatasetSpec
    images: UInt8Array
    labels: IntArray

    def __post_init__(self) -> None:
        spec, images, labels = self.spec, self.images, self.labels
        shape = (spec.height, spec.width, spec.channels)
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
            got = f"{getattr(images, 'dtype', type(images).__name__)} {getattr(images, 'shape', '')}"
            raise DataError(f"pictures must be one uint8 array (N, H, W, C), not {got}", where=spec.name)
        if images.shape[1:] != shape:
            raise DataError(f"pictures are {images.shape[1:]}, the spec says {shape}", where=spec.name)
        if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.shape != (len(images),):
            raise DataError(f"labels must be int64 ({len(images)},), one per picture", where=spec.name)
        if len(labels) and not (labels.min() >= 0 and labels.max() < len(spec.classes)):
            raise DataError(
                f"labels run from {labels.min()} to {labels.max()}, there are {len(spec.classes)} classes",
                where=spec.name,
            )

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, indices: IntArray | Sequence[int]) -> LabelledImages:
        places = np.asarray(indices, dtype=np.int64)
        return replace(self, images=np.asarray(self.images)[places], labels=self.labels[places])

    def strata(self) -> IntArray:
        return self.labels

    def class_counts(self) -> IntArray:
        """(K,) how many pictures each class has."""
        return np.bincount(self.labels, minlength=len(self.spec.classes)).astype(np.int64)

    def item_hashes(self) -> list[str]:
        return [hashlib.blake2b(i.tobytes(), digest_size=16).hexdigest() for i in self.images]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over spec (without its name), pictures and labels."""
        spec = self.spec.to_json() | {"name": ""}
        digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode())
        digest.update(np.ascontiguousarray(self.images).data)
        digest.update(np.ascontiguousarray(self.labels).data)
        return digest.hexdigest()

    def join(self, other: LabelledImages) -> LabelledImages:
        if replace(other.spec, name="") != replace(self.spec, name=""):
            raise DataError(f"cannot be joined with {other.spec}: {self.spec}", where=self.spec.name)
        return replace(
            self,
            images=np.concatenate([self.images, other.images]),
            labels=np.concatenate([self.labels, other.labels]),
        )

    def save(self, folder: Path) -> None:
        np.save(folder / "images.npy", self.images, allow_pickle=False)
        np.save(folder / "labels.npy", self.labels, allow_pickle=False)
        (folder / "dataset.json").write_text(json.dumps(self.spec.to_json(), indent=1))


def load_dataset(folder: Path) -> LabelledImages:
    """The data set that :meth:`Dataset.save` wrote; its pictures are memory-mapped, not read."""
    spec = DatasetSpec.from_json(json.loads((folder / "dataset.json").read_text()))
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    return LabelledImages(spec, images, np.load(folder / "labels.npy", allow_pickle=False))


def labelled(data: Dataset) -> LabelledImages:
    """The data, if it is pictures of equal size with one class each. Raises :class:`DataError` for any other."""
    if not isinstance(data, LabelledImages):
        raise DataError("needs pictures of equal size with one class each", where=data.spec.name)
    return data


def gather(chunks: Iterable[LabelledImages], spec: DatasetSpec) -> LabelledImages:
    """All chunks of a sampler as one data set under ``spec``."""
    parts = list(chunks)
    shape = (0, spec.height, spec.width, spec.channels)
    return LabelledImages(
        spec,
        np.concatenate([np.zeros(shape, np.uint8), *(p.images for p in parts)]),
        np.concatenate([np.zeros(0, np.int64), *(p.labels for p in parts)]),
    )


def proportional_counts(weights: IntArray | FloatArray | Sequence[float], count: int) -> IntArray:
    """(K,) whole numbers that sum to ``count``, as near to the weights' proportions as can be.

    Largest remainders; ties go to the lower index, so the answer never depends on a seed.
    """
    exact = np.asarray(weights, dtype=np.float64)
    exact = exact / exact.sum() * count
    whole = np.floor(exact).astype(np.int64)
    leftovers = np.argsort(whole - exact, kind="stable")[: count - int(whole.sum())]
    whole[leftovers] += 1
    return np.asarray(whole, dtype=np.int64)


def shuffled_labels(counts: IntArray, seed: int) -> IntArray:
    """(sum of counts,) class indices with exactly these counts, in an order drawn from ``seed``."""
    labels: IntArray = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    np.random.default_rng(seed).shuffle(labels)
    return labels
