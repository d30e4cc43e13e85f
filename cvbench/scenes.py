"""Pictures with something in them: a class per pixel, boxes, or instances with a mask each.

Coordinates are pixels from the top left corner; a box is x1, y1, x2, y2, its right and lower edges outside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from cvbench.errors import DataError
from cvbench.samples import (
    AnnotationKind,
    AnyArray,
    BoolArray,
    Dataset,
    DatasetSpec,
    IntArray,
    Pictures,
    UInt8Array,
    joined_images,
)

Float32Array = npt.NDArray[np.float32]

IGNORED = 255  # in a semantic mask: neither trained on nor scored
BACKGROUND = "background"


class _Scenes(Pictures):
    """Pictures without a class of their own: a random part of them is drawn from all alike."""

    def strata(self) -> IntArray:
        return np.zeros(len(self), np.int64)


# ---------------------------------------------------------------------------------- a class per pixel


@dataclass(frozen=True)
class SegmentedImages(_Scenes):
    """Pictures with a class per pixel: ``masks`` is uint8 (N, H, W), indices into ``spec.classes`` or ``IGNORED``."""

    masks: UInt8Array

    def __post_init__(self) -> None:
        super().__post_init__()
        spec, masks = self.spec, self.masks
        if not isinstance(masks, np.ndarray) or masks.dtype != np.uint8 or masks.shape != self.images.shape[:3]:
            raise DataError(f"masks must be uint8 {self.images.shape[:3]}, one per picture", where=spec.name)
        for place, mask in enumerate(masks):
            strange = np.setdiff1d(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)), [IGNORED])
            if len(strange) and strange[-1] >= len(spec.classes):
                raise DataError(
                    f"the mask of picture {place} has the value {strange[-1]}, there are {len(spec.classes)} classes",
                    where=spec.name,
                )

    def annotation(self) -> Mapping[str, AnyArray]:
        return {"masks": self.masks}

    @classmethod
    def concatenated(cls, parts: Sequence[SegmentedImages], spec: DatasetSpec) -> SegmentedImages:
        none = np.zeros((0, spec.height, spec.width), np.uint8)
        return cls(spec, joined_images(parts, spec), np.concatenate([none, *(part.masks for part in parts)]))


def segmented(data: Dataset) -> SegmentedImages:
    """The data, if it is pictures with a class per pixel. Raises :class:`DataError` for any other."""
    if not isinstance(data, SegmentedImages):
        raise DataError("needs pictures of equal size with a class per pixel", where=data.spec.name)
    return data


# ----------------------------------------------------------------------------------------------- boxes


@dataclass(frozen=True)
class BoxedImages(_Scenes):
    """Pictures with any number of objects each, their boxes one after another.

    ``starts`` int64 (N + 1,): picture i has the objects ``starts[i]`` to ``starts[i + 1]``. ``boxes`` float32 (M, 4)
    in pixels, ``labels`` int64 (M,) indices into ``spec.classes``, ``crowd`` bool (M,): a group or a difficult case,
    neither a hit nor a miss. Raises :class:`DataError` for a box that is empty or not inside its picture.
    """

    starts: IntArray
    boxes: Float32Array
    labels: IntArray
    crowd: BoolArray

    def __post_init__(self) -> None:
        super().__post_init__()
        where, count = self.spec.name, len(self.boxes)
        for name, dtype, shape in (
            ("starts", np.int64, (len(self.images) + 1,)),
            ("boxes", np.float32, (count, 4)),
            ("labels", np.int64, (count,)),
            ("crowd", np.bool_, (count,)),
        ):
            array = getattr(self, name)
            if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
                raise DataError(f"{name} must be {np.dtype(dtype)} {shape}", where=where)
        if self.starts[0] != 0 or self.starts[-1] != count or (np.diff(self.starts) < 0).any():
            raise DataError(f"starts must rise from 0 to {count}", where=where)
        if count and not (self.labels.min() >= 0 and self.labels.max() < len(self.spec.classes)):
            least, most = self.labels.min(), self.labels.max()
            raise DataError(
                f"labels run from {least} to {most}, there are {len(self.spec.classes)} classes", where=where
            )
        x1, y1, x2, y2 = self.boxes.T
        inside = (x1 >= 0) & (y1 >= 0) & (x2 <= self.spec.width) & (y2 <= self.spec.height) & (x1 < x2) & (y1 < y2)
        if not inside.all():  # NaN is not inside either
            bad = int(np.flatnonzero(~inside)[0])
            picture = int(np.searchsorted(self.starts, bad, side="right")) - 1
            raise DataError(
                f"a box of picture {picture} is {self.boxes[bad].tolist()}: empty, or not inside "
                f"{self.spec.width}x{self.spec.height}",
                where=where,
            )

    @classmethod
    def of(
        cls,
        spec: DatasetSpec,
        images: UInt8Array,
        boxes: Sequence[AnyArray],
        labels: Sequence[AnyArray],
        crowd: Sequence[AnyArray] | None = None,
    ) -> BoxedImages:
        """From a (k, 4) array of boxes, a (k,) array of labels and, if given, of crowd flags per picture."""
        count = sum(map(len, labels))
        return BoxedImages(
            spec,
            images,
            starts=_starts([len(own) for own in labels]),
            boxes=_flat([np.reshape(own, (-1, 4)) for own in boxes], np.zeros((0, 4), np.float32)),
            labels=_flat(labels, np.zeros(0, np.int64)),
            crowd=np.zeros(count, np.bool_) if crowd is None else _flat(crowd, np.zeros(0, np.bool_)),
        )

    def annotation(self) -> Mapping[str, AnyArray]:
        return {"starts": self.starts, "boxes": self.boxes, "labels": self.labels, "crowd": self.crowd}

    def objects(self, place: int) -> slice:
        """Where the objects of the picture at this place are in ``boxes``, ``labels`` and ``crowd``."""
        return slice(int(self.starts[place]), int(self.starts[place + 1]))

    def class_counts(self) -> IntArray:
        """(K,) how many objects each class has."""
        return np.bincount(self.labels, minlength=len(self.spec.classes)).astype(np.int64)

    def annotation_at(self, places: IntArray) -> Mapping[str, AnyArray]:
        chosen = _members(self.starts, places)
        return {
            "starts": _starts(np.diff(self.starts)[places]),
            "boxes": self.boxes[chosen],
            "labels": self.labels[chosen],
            "crowd": self.crowd[chosen],
        }

    @classmethod
    def concatenated(cls, parts: Sequence[BoxedImages], spec: DatasetSpec) -> BoxedImages:
        return cls(spec, joined_images(parts, spec), **_joined_objects(parts))


def boxed(data: Dataset) -> BoxedImages:
    """The data, if it is pictures with boxes. Raises :class:`DataError` for any other."""
    if not isinstance(data, BoxedImages):
        raise DataError("needs pictures with boxes", where=data.spec.name)
    return data


# -------------------------------------------------------------------------------------------- instances


@dataclass(frozen=True)
class Instance:
    """One object: ``mask`` is bool (H, W) over the whole picture."""

    label: int
    mask: BoolArray
    crowd: bool = False


@dataclass(frozen=True)
class InstanceImages(BoxedImages):
    """Pictures with any number of objects each, every one with a mask; its box is the tight one around the mask.

    ``bits`` uint8 (sum of the boxes' areas,): the masks' parts inside their boxes, 0 or 1, row by row, one after
    another. Masks may overlap. Build it with :meth:`of_instances`.
    """

    bits: UInt8Array

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.array_equal(self.boxes, np.round(self.boxes)):
            raise DataError("the boxes of instances must be whole pixels", where=self.spec.name)
        if self.bits.dtype != np.uint8 or self.bits.shape != (int(self._bit_starts[-1]),):
            raise DataError("bits must be uint8, one per pixel of every box", where=self.spec.name)

    @cached_property
    def _bit_starts(self) -> IntArray:
        sides = (self.boxes[:, 2:] - self.boxes[:, :2]).astype(np.int64)
        return _starts(sides.prod(axis=1))

    @classmethod
    def of_instances(
        cls, spec: DatasetSpec, images: UInt8Array, instances: Sequence[Sequence[Instance]]
    ) -> InstanceImages:
        """From the instances of each picture. Raises :class:`DataError` for a mask that is empty or of another size."""
        boxes, bits = [], []
        for place, own in enumerate(instances):
            for one in own:
                if one.mask.shape != (spec.height, spec.width) or not one.mask.any():
                    raise DataError(
                        f"a mask of picture {place} is empty or not {spec.height}x{spec.width}", where=spec.name
                    )
                box = tight_box(one.mask)
                boxes.append(np.array(box, np.float32))
                bits.append(one.mask[box[1] : box[3], box[0] : box[2]].astype(np.uint8).ravel())
        every = [one for own in instances for one in own]
        return cls(
            spec,
            images,
            starts=_starts([len(own) for own in instances]),
            boxes=np.stack(boxes) if boxes else np.zeros((0, 4), np.float32),
            labels=np.array([one.label for one in every], np.int64),
            crowd=np.array([one.crowd for one in every], np.bool_),
            bits=_flat(bits, np.zeros(0, np.uint8)),
        )

    def annotation(self) -> Mapping[str, AnyArray]:
        return {**super().annotation(), "bits": self.bits}

    def cut_mask(self, number: int) -> BoolArray:
        """bool (h, w): the mask of the object with this number (0..M - 1), within its box."""
        x1, y1, x2, y2 = self.boxes[number].astype(int)
        own = self.bits[self._bit_starts[number] : self._bit_starts[number + 1]]
        return own.reshape(y2 - y1, x2 - x1).astype(np.bool_)

    def masks(self, place: int) -> BoolArray:
        """bool (k, H, W): the masks of the objects of the picture at this place."""
        own = self.objects(place)
        whole = np.zeros((own.stop - own.start, self.spec.height, self.spec.width), np.bool_)
        for mask, number in zip(whole, range(own.start, own.stop), strict=True):
            x1, y1, x2, y2 = self.boxes[number].astype(int)
            mask[y1:y2, x1:x2] = self.cut_mask(number)
        return whole

    def annotation_at(self, places: IntArray) -> Mapping[str, AnyArray]:
        starts = self._bit_starts
        own = [self.bits[starts[number] : starts[number + 1]] for number in _members(self.starts, places)]
        return {**super().annotation_at(places), "bits": _flat(own, np.zeros(0, np.uint8))}

    @classmethod
    def concatenated(cls, parts: Sequence[BoxedImages], spec: DatasetSpec) -> InstanceImages:
        bits = _flat([part.bits for part in parts if isinstance(part, InstanceImages)], np.zeros(0, np.uint8))
        return cls(spec, joined_images(parts, spec), **_joined_objects(parts), bits=bits)


def tight_box(mask: BoolArray) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 around the true pixels of a (H, W) mask that has some."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def boxes_alone(data: InstanceImages) -> BoxedImages:
    """The same objects without their masks."""
    spec = replace(data.spec, kind=AnnotationKind.BOXES)
    return BoxedImages(spec, data.images, data.starts, data.boxes, data.labels, data.crowd)


def painted(data: InstanceImages) -> SegmentedImages:
    """A class per pixel: ``background`` is class 0, a later object covers an earlier one, crowds are ignored.

    Raises :class:`DataError` for more classes than a byte holds, and for a class of objects ``background``.
    """
    classes = (BACKGROUND, *data.spec.classes)
    if len(classes) > IGNORED:
        what = f"{len(data.spec.classes)} classes and the background do not fit into a mask of one byte"
        raise DataError(what, where=data.spec.name, hint=f"at most {IGNORED - 1}")
    if BACKGROUND in data.spec.classes:
        what = f"has a class of objects {BACKGROUND!r}, which in a mask is what is no object"
        raise DataError(what, where=data.spec.name, hint="rename it, or remove it from the classes")
    masks = np.zeros(data.images.shape[:3], np.uint8)
    for place in range(len(data)):
        own = data.objects(place)
        for number in range(own.start, own.stop):
            x1, y1, x2, y2 = data.boxes[number].astype(int)
            value = IGNORED if data.crowd[number] else int(data.labels[number]) + 1
            masks[place, y1:y2, x1:x2][data.cut_mask(number)] = value
    return SegmentedImages(replace(data.spec, kind=AnnotationKind.MASK, classes=classes), data.images, masks)


# ------------------------------------------------------------------------------- runs of unequal length


def _starts(lengths: Sequence[int] | IntArray) -> IntArray:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(np.asarray(lengths, dtype=np.int64))])


def _members(starts: IntArray, places: IntArray) -> IntArray:
    """The numbers that the runs at these places hold, run after run."""
    lengths = np.diff(starts)[places]
    first = np.repeat(starts[places] - _starts(lengths)[:-1], lengths)
    return first + np.arange(int(lengths.sum()), dtype=np.int64)


def _flat(parts: Sequence[AnyArray], none: AnyArray) -> AnyArray:
    """All parts in one array of the type of ``none``, which is what there is without any."""
    return np.concatenate([none, *parts]).astype(none.dtype, copy=False)


def _joined_objects(parts: Sequence[BoxedImages]) -> dict[str, AnyArray]:
    return {
        "starts": _starts([int(length) for part in parts for length in np.diff(part.starts)]),
        "boxes": _flat([part.boxes for part in parts], np.zeros((0, 4), np.float32)),
        "labels": _flat([part.labels for part in parts], np.zeros(0, np.int64)),
        "crowd": _flat([part.crowd for part in parts], np.zeros(0, np.bool_)),
    }
