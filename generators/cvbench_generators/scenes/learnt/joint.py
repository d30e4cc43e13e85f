"""Picture and mask drawn together: the classes of the pixels are more channels of the picture.

Any labelled generator can draw it, rectified flow by default (Liu, Gong & Liu, arXiv 2209.03003). A class is written
in bits, each a channel of 0 or 255 ("analog bits", Chen, Zhang & Hinton, arXiv 2208.04202), read by the nearest code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from cvbench.contracts import Budget, Generator, Progress, Sampler, Workplace
from cvbench.errors import NotApplicable
from cvbench.plugins import load_plugin, make_options
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec, IntArray, LabelledImages, UInt8Array, labelled
from cvbench.scenes import IGNORED, SegmentedImages
from cvbench_generators.saved_sampler import read_back
from cvbench_generators.scenes.learnt import JointOptions

FORMAT = 1


def fit(
    train: Dataset, options: JointOptions, budget: Budget, seed: int, progress: Progress, workplace: Workplace
) -> JointSampler:
    """Fit the generator that draws on pictures with their masks as channels.

    Raises :class:`NotApplicable` for pictures without masks, :class:`UserError` where ``drawn_by`` cannot be given that
    width.
    """
    if not isinstance(train, SegmentedImages):
        raise NotApplicable("joint needs pictures with semantic masks")
    plugin: type[Generator] = load_plugin("generators", options.drawn_by, where="drawn_by")
    own = {} if options.width is None else {"width": options.width}
    drawing = plugin(make_options(plugin.Options, own, where=options.drawn_by)).fit(
        with_mask_channels(train, options.side), budget=budget, seed=seed, progress=progress, workplace=workplace
    )
    notes = (f"picture and mask drawn together by {options.drawn_by}", *drawing.notes)
    height, width = drawn_size(train.spec, options.side)
    if (height, width) != (train.spec.height, train.spec.width):
        notes = (*notes, f"drawn at {width}x{height}, enlarged to {train.spec.width}x{train.spec.height}")
    return JointSampler(drawing, options.drawn_by, train.spec, notes)


@dataclass(frozen=True)
class JointSampler(Sampler):
    """The sampler of the generator ``drawn_by``, whose pictures are taken apart into picture and mask."""

    drawing: Sampler
    drawn_by: str
    spec: DatasetSpec
    notes: tuple[str, ...]

    @property
    def parameter_count(self) -> int:
        return self.drawing.parameter_count

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[SegmentedImages]:
        """As :meth:`Sampler.sample`. Raises :class:`NotApplicable` for ``class_counts``: a scene has no class."""
        if class_counts is not None:
            raise NotApplicable("a scene has pixels of several classes: it cannot be asked for by class")
        for chunk in self.drawing.sample(count, seed=seed):
            yield taken_apart(labelled(chunk), self.spec)

    def widened(self, spread: float) -> JointSampler:
        return replace(self, drawing=self.drawing.widened(spread))

    def save(self, folder: Path) -> None:
        (folder / "drawing").mkdir()
        self.drawing.save(folder / "drawing")
        about = {"format": FORMAT, "drawn_by": self.drawn_by, "spec": self.spec.to_json(), "notes": list(self.notes)}
        (folder / "joint.json").write_text(json.dumps(about, indent=1))


def load(folder: Path, device: str) -> JointSampler:
    """The sampler that was saved there.

    Raises :class:`DataError` for a file that is missing, cut short or of another version.
    """
    with read_back(folder / "joint.json", FORMAT) as about:
        plugin: type[Generator] = load_plugin("generators", about["drawn_by"], where=str(folder))
        spec, notes = DatasetSpec.from_json(about["spec"]), tuple(about["notes"])
    return JointSampler(plugin().load(folder / "drawing", device=device), about["drawn_by"], spec, notes)


# ------------------------------------------------------------------------- masks ↔ channels


def drawn_size(spec: DatasetSpec, side: int) -> tuple[int, int]:
    """Height and width that pictures are learnt and drawn at."""
    shrink = min(1.0, side / max(spec.height, spec.width))
    return max(1, round(shrink * spec.height)), max(1, round(shrink * spec.width))


def codes_of(classes: int) -> UInt8Array:
    """uint8 (K + 1, B), 0 or 255: a code of bits for each class; the last one is for what is ignored."""
    numbers = np.arange(classes + 1, dtype=np.uint16)
    bits = numbers[:, None] >> np.arange(max(1, classes.bit_length())) & 1
    return (bits * 255).astype(np.uint8)


def with_mask_channels(train: SegmentedImages, side: int) -> LabelledImages:
    """Pictures uint8 (N, h, w, C + B) of the one class ``scene``: the mask's bits after the picture's channels."""
    spec, codes = train.spec, codes_of(len(train.spec.classes))
    height, width = drawn_size(spec, side)
    joined = np.empty((len(train), height, width, spec.channels + codes.shape[1]), np.uint8)
    for place, (image, mask) in enumerate(zip(train.images, train.masks, strict=True)):
        picture = cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_AREA)
        small = cv2.resize(np.asarray(mask), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        joined[place, ..., : spec.channels] = picture.reshape(height, width, -1)
        joined[place, ..., spec.channels :] = codes[np.minimum(small, len(spec.classes))]
    one_class = DatasetSpec(spec.name, AnnotationKind.LABEL, ("scene",), height, width, joined.shape[-1])
    return LabelledImages(one_class, joined, np.zeros(len(train), np.int64))


def taken_apart(drawn: LabelledImages, spec: DatasetSpec) -> SegmentedImages:
    """Picture and mask of each drawn picture at the spec's size: bilinear the picture, the mask by nearest pixel."""
    codes, size = codes_of(len(spec.classes)).astype(np.int32), (spec.width, spec.height)
    images = np.empty((len(drawn), spec.height, spec.width, spec.channels), np.uint8)
    masks = np.empty(images.shape[:3], np.uint8)
    for place, picture in enumerate(drawn.images):
        bits = picture[..., spec.channels :].astype(np.int32)
        nearest = np.abs(bits[..., None, :] - codes).sum(axis=-1).argmin(axis=-1)
        mask = np.where(nearest == len(spec.classes), IGNORED, nearest).astype(np.uint8)
        images[place] = cv2.resize(
            np.ascontiguousarray(picture[..., : spec.channels]), size, interpolation=cv2.INTER_LINEAR
        ).reshape(images.shape[1:])
        masks[place] = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return SegmentedImages(spec, images, masks)
