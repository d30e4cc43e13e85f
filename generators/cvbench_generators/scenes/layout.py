"""How the training pictures lay out their objects: how many, how large, where, and how far they overlap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cvbench.samples import BoolArray, FloatArray, IntArray, UInt8Array
from cvbench.scenes import BoxedImages, Float32Array
from cvbench_generators.scenes.pieces import at_border

OVERLAP_QUANTILE = 0.95  # of the real objects' greatest overlaps: a few wrong boxes do not set the rule
MOST_OVERLAP = 0.75  # of one box in another, though real ones may lie within each other


@dataclass(frozen=True)
class Layouts:
    """Real pictures' objects, picture after picture (P pictures, M objects).

    ``starts`` (P + 1,), ``labels`` (M,); ``boxes`` float32 (M, 4) in pixels; ``touching`` bool (M, 4): the left, upper,
    right and lower border; ``overlap``: how much of the smaller of two boxes may lie in the other; ``looks`` (P, 2C):
    mean and standard deviation of each picture's channels.
    """

    starts: IntArray
    labels: IntArray
    boxes: Float32Array
    touching: BoolArray
    overlap: float
    looks: FloatArray

    def save(self, file: Path) -> None:
        """Write an npz file; :meth:`load` reads it."""
        np.savez(file, **vars(self))

    @classmethod
    def load(cls, file: Path) -> Layouts:
        """The inverse of :meth:`save`."""
        with np.load(file, allow_pickle=False) as arrays:
            return cls(**{**arrays, "overlap": float(arrays["overlap"])})

    def alike(self, looks: FloatArray, share: float) -> IntArray:
        """(k,) the places of this share of the pictures, those nearest to a picture's looks first."""
        distances = np.square(self.looks - looks).sum(axis=1)
        return np.argsort(distances, kind="stable")[: max(1, round(share * len(self.looks)))]


def learnt_layouts(objects: BoxedImages, overlap: float | None) -> Layouts:
    """The layouts of all pictures, crowds left out; ``overlap`` in the place of what the real objects have."""
    kept = ~objects.crowd
    starts = np.concatenate([[0], np.cumsum(kept)])[objects.starts]
    return Layouts(
        starts=starts.astype(np.int64),
        labels=objects.labels[kept],
        boxes=objects.boxes[kept],
        touching=at_border(objects)[kept],
        overlap=_usual_overlap(objects) if overlap is None else overlap,
        looks=looks_of(objects.images),
    )


def looks_of(images: UInt8Array) -> FloatArray:
    """(N, 2C): mean and standard deviation of each channel of each picture."""
    rows = [np.concatenate([image.mean(axis=(0, 1)), image.std(axis=(0, 1))]) for image in images]
    return np.array(rows, np.float64)


def overlaps(box: Float32Array, others: Float32Array) -> FloatArray:
    """(k,) what share of the smaller box a box (4,) and each of the others (k, 4) have in common."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    common = np.clip(sides, 0, None).prod(axis=1)
    own, theirs = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(axis=1)
    return np.asarray(common / np.minimum(own, theirs), np.float64)


def _usual_overlap(objects: BoxedImages) -> float:
    """A high quantile, over the objects, of the greatest overlap with another of the same picture."""
    greatest = [0.0]
    for place in range(len(objects)):
        own = objects.objects(place)
        boxes = objects.boxes[own][~objects.crowd[own]]
        for number, box in enumerate(boxes):
            greatest.append(overlaps(box, np.delete(boxes, number, axis=0)).max(initial=0.0))
    return min(MOST_OVERLAP, float(np.quantile(greatest, OVERLAP_QUANTILE)))
