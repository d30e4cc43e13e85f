"""What data is here: the kinds of annotation, the description of a data set, and pictures with one class each.

Pictures of equal size travel as one uint8 array (N, H, W, C), memory-mapped when they come from disk. Pictures
with masks, boxes or instances are in :mod:`cvbench.scenes`, what holds for every kind in :mod:`cvbench.datasets`.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from cvbench.errors import DataError

UInt8Array = npt.NDArray[np.uint8]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]


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

    @classmethod
    @abstractmethod
    def concatenated(cls, parts: Sequence[Self], spec: DatasetSpec) -> Self:
        """The parts, one after another, under ``spec``; there may be none."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write into an existing folder; :func:`cvbench.datasets.load_dataset` reads it back."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, spec: DatasetSpec) -> Self:
        """The inverse of :meth:`save`; pictures are memory-mapped, not read."""

    def under(self, spec: DatasetSpec) -> Self:
        """The same samples under this spec. Raises :class:`DataError` when they do not fit it."""
        return self.concatenated([self], spec)

    def join(self, other: Self) -> Self:
        """This data followed by the other. Raises :class:`DataError` for other classes or another picture shape."""
        if replace(other.spec, name="") != replace(self.spec, name=""):
            raise DataError(f"cannot be joined with {other.spec}: {self.spec}", where=self.spec.name)
        return self.concatenated([self, other], self.spec)


@dataclass(frozen=True)
class Pictures(Dataset):
    """Pictures of equal size: ``images`` is uint8 (N, H, W, C), 0..255, RGB or grey.

    What annotates them is a subclass's. Raises :class:`DataError` when they do not fit the spec.
    """

    spec: DatasetSpec
    images: UInt8Array

    def __post_init__(self) -> None:
        spec, images = self.spec, self.images
        shape = (spec.height, spec.width, spec.channels)
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 4:
            got = f"{getattr(images, 'dtype', type(images).__name__)} {getattr(images, 'shape', '')}"
            raise DataError(f"pictures must be one uint8 array (N, H, W, C), not {got}", where=spec.name)
        if images.shape[1:] != shape:
            raise DataError(f"pictures are {images.shape[1:]}, the spec says {shape}", where=spec.name)

    def __len__(self) -> int:
        return len(self.images)

    def under(self, spec: DatasetSpec) -> Self:
        return replace(self, spec=spec)  # checked anew, not copied

    @abstractmethod
    def annotation(self) -> Mapping[str, AnyArray]:
        """The arrays that annotate the pictures, by name: what is saved and fingerprinted beside them."""

    def annotation_at(self, places: IntArray) -> Mapping[str, AnyArray]:
        """The annotation of the pictures at these places; here the arrays have an entry per picture."""
        return {name: array[places] for name, array in self.annotation().items()}

    def select(self, indices: IntArray | Sequence[int]) -> Self:
        places = np.asarray(indices, dtype=np.int64)
        changed: dict[str, Any] = {"images": np.asarray(self.images)[places], **self.annotation_at(places)}
        return replace(self, **changed)

    def item_hashes(self) -> list[str]:
        return [hashlib.blake2b(i.tobytes(), digest_size=16).hexdigest() for i in self.images]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over spec (without its name), pictures and annotation."""
        spec = self.spec.to_json() | {"name": ""}
        digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode())
        for array in (self.images, *self.annotation().values()):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        for name, array in {"images": self.images, **self.annotation()}.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        (folder / "dataset.json").write_text(json.dumps(self.spec.to_json(), indent=1))

    @classmethod
    def load(cls, folder: Path, spec: DatasetSpec) -> Self:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        names = [part.name for part in fields(cls) if part.name not in ("spec", "images")]
        return cls(spec, images, **{name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in names})


def joined_images(parts: Sequence[Pictures], spec: DatasetSpec) -> UInt8Array:
    """The parts' pictures in one array (N, H, W, C)."""
    none = np.zeros((0, spec.height, spec.width, spec.channels), np.uint8)
    return np.concatenate([none, *(part.images for part in parts)])


@dataclass(frozen=True)
class LabelledImages(Pictures):
    """Pictures of equal size with one class each: ``labels`` is int64 (N,), indices into ``spec.classes``.

    Raises :class:`DataError` when they do not fit the pictures or the spec.
    """

    labels: IntArray

    def __post_init__(self) -> None:
        super().__post_init__()
        spec, images, labels = self.spec, self.images, self.labels
        if not isinstance(labels, np.ndarray) or labels.dtype != np.int64 or labels.shape != (len(images),):
            raise DataError(f"labels must be int64 ({len(images)},), one per picture", where=spec.name)
        if len(labels) and not (labels.min() >= 0 and labels.max() < len(spec.classes)):
            raise DataError(
                f"labels run from {labels.min()} to {labels.max()}, there are {len(spec.classes)} classes",
                where=spec.name,
            )

    def annotation(self) -> Mapping[str, AnyArray]:
        return {"labels": self.labels}

    def strata(self) -> IntArray:
        return self.labels

    def class_counts(self) -> IntArray:
        """(K,) how many pictures each class has."""
        return np.bincount(self.labels, minlength=len(self.spec.classes)).astype(np.int64)

    @classmethod
    def concatenated(cls, parts: Sequence[LabelledImages], spec: DatasetSpec) -> LabelledImages:
        labels = np.concatenate([np.zeros(0, np.int64), *(part.labels for part in parts)])
        return cls(spec, joined_images(parts, spec), labels)


def labelled(data: Dataset) -> LabelledImages:
    """The data, if it is pictures of equal size with one class each. Raises :class:`DataError` for any other."""
    if not isinstance(data, LabelledImages):
        raise DataError("needs pictures of equal size with one class each", where=data.spec.name)
    return data


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
