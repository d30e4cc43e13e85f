"""What holds for data sets of every kind: which class holds a kind, reading one back, gathering its chunks."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

import numpy as np

from cvbench.clips import Clips
from cvbench.errors import DataError
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec, LabelledImages, Pictures, labelled
from cvbench.scenes import BoxedImages, InstanceImages, SegmentedImages, boxes_alone, painted

DatasetT = TypeVar("DatasetT", bound=Dataset)

CLASSES: dict[AnnotationKind, type[Dataset]] = {
    AnnotationKind.LABEL: LabelledImages,
    AnnotationKind.MASK: SegmentedImages,
    AnnotationKind.BOXES: BoxedImages,
    AnnotationKind.INSTANCES: InstanceImages,
    AnnotationKind.TRACKS: Clips,
}


def load_dataset(folder: Path) -> Dataset:
    """The data set that :meth:`Dataset.save` wrote; its pictures are memory-mapped, not read."""
    spec = DatasetSpec.from_json(json.loads((folder / "dataset.json").read_text()))
    return CLASSES[spec.kind].load(folder, spec)


def gather(chunks: Iterable[DatasetT], spec: DatasetSpec) -> DatasetT:
    """All chunks of a sampler as one data set under ``spec``; the chunks are of the spec's kind."""
    return cast(DatasetT, CLASSES[spec.kind].concatenated(list(chunks), spec))


def with_labels(data: Dataset) -> LabelledImages:
    """Pictures with one class each; scenes have none of their own and are all of the class ``scene``.

    Raises :class:`DataError` for anything but pictures.
    """
    if isinstance(data, Pictures) and not isinstance(data, LabelledImages):
        spec = replace(data.spec, kind=AnnotationKind.LABEL, classes=("scene",))
        return LabelledImages(spec, data.images, np.zeros(len(data), np.int64))
    return labelled(data)


def as_kind(data: Dataset, kind: AnnotationKind) -> Dataset:
    """The data with the annotation that a task asks for: instances serve as boxes or, painted, as a semantic mask.

    Raises :class:`DataError` for a kind that this data cannot give.
    """
    if data.spec.kind is kind:
        return data
    if isinstance(data, InstanceImages) and kind is AnnotationKind.BOXES:
        return boxes_alone(data)
    if isinstance(data, InstanceImages) and kind is AnnotationKind.MASK:
        return painted(data)
    what = f"is annotated with {data.spec.kind.value}, {kind.value} is needed"
    raise DataError(what, where=data.spec.name, hint="`cvbench check-data` tells how it was read, and why")


def blinded(data: Dataset) -> Dataset:
    """The same pictures or frames without what is to be found in them: what a model is given to be scored on.

    Of clips the first frame's boxes stay, for single-object tracking is given one of them.
    """
    if isinstance(data, LabelledImages):
        return replace(data, labels=np.zeros_like(data.labels))
    if isinstance(data, SegmentedImages):
        return replace(data, masks=np.zeros_like(data.masks))
    if isinstance(data, InstanceImages):
        return InstanceImages.of_instances(data.spec, data.images, [[]] * len(data))
    if isinstance(data, BoxedImages):
        nothing = [np.zeros((0, 4))] * len(data)
        return BoxedImages.of(data.spec, data.images, nothing, [np.zeros(0)] * len(data))
    assert isinstance(data, Clips)
    return data.with_tracks(clip.tracks.select(clip.tracks.frames == 0) for clip in data.clips)
