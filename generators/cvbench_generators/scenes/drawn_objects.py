"""Objects drawn by a labelled generator: it is fitted on the real objects, each in a small picture with its mask.

The mask is one more channel of that picture, so that what is drawn and its mask come out together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from cvbench.contracts import Generator, Progress, Workplace
from cvbench.errors import NotApplicable
from cvbench.plugins import load_plugin
from cvbench.samples import AnnotationKind, LabelledImages, UInt8Array, labelled
from cvbench.scenes import InstanceImages
from cvbench.seeds import derive_seed
from cvbench_generators.scenes import CutPasteOptions
from cvbench_generators.scenes.objects import whole_objects
from cvbench_generators.scenes.pasting import cutout_of
from cvbench_generators.scenes.pieces import Piece, as_instances

DRAWN = 200  # objects per class: what scenes choose from
LEAST_SHARE = 0.02  # of its picture that a drawn object's mask must fill


def drawn_objects(
    objects: InstanceImages, options: CutPasteOptions, seed: int, progress: Progress, workplace: Workplace
) -> tuple[InstanceImages, tuple[str, ...], int]:
    """``DRAWN`` objects of each class, one per picture; notes for the report; how many parameters were learnt.

    Raises :class:`NotApplicable` where the generator cannot learn from these objects.
    """
    plugin: type[Generator] = load_plugin("generators", options.objects, where="objects")
    crops = cropped(objects, options)
    budget = plugin.default_budget
    if budget is not None and options.object_steps is not None:
        budget = replace(budget, steps=options.object_steps)
    own = replace(workplace, folder=workplace.folder / "objects")
    own.folder.mkdir(parents=True, exist_ok=True)
    sampler = plugin().fit(crops, budget=budget, seed=seed, progress=progress, workplace=own)
    counts = np.where(crops.class_counts() > 0, DRAWN, 0).astype(np.int64)
    drawing = sampler.sample(int(counts.sum()), seed=derive_seed(seed, "draw"), class_counts=counts)
    pairs = [pair for chunk in drawing for pair in _with_masks(labelled(chunk))]
    if not pairs:
        raise NotApplicable(f"{options.objects} has drawn no object with a mask; give it more object_steps")
    side = options.object_side
    spec = replace(objects.spec, height=side, width=side)
    drawn = as_instances(spec, np.stack([image for image, _ in pairs]), [[piece] for _, piece in pairs])
    said = f"objects: drawn by {options.objects}, fitted on {len(crops)} real ones; {len(pairs)} of {counts.sum()} kept"
    notes = (said, *(f"{options.objects}: {note}" for note in sampler.notes))
    return drawn, notes, sampler.parameter_count


def cropped(objects: InstanceImages, options: CutPasteOptions) -> LabelledImages:
    """The whole objects, each alone in a square picture: C channels, its mask (0 or 255) as one more.

    Around an object is one colour, the mean of its surroundings: it stands out as it did, and its soft edge shows
    nothing foreign.
    """
    side, numbers = options.object_side, whole_objects(objects, options.least_pixels)
    crops = np.empty((len(numbers), side, side, objects.spec.channels + 1), np.uint8)
    for crop, number in zip(crops, numbers.tolist(), strict=True):
        layers = cutout_of(objects, number).layers
        outside = layers[..., -1] == 0
        layers[outside] = layers[outside].mean(axis=0).round()
        _put_into(crop, layers)
    spec = replace(objects.spec, kind=AnnotationKind.LABEL, height=side, width=side, channels=crops.shape[-1])
    return LabelledImages(spec, crops, objects.labels[numbers])


def _put_into(crop: UInt8Array, layers: UInt8Array) -> None:
    """The layers (h, w, C + 1) in the middle of the square crop, as large as fits, in their corner's colour."""
    factor = crop.shape[0] / max(layers.shape[:2])
    high, wide = (max(1, round(factor * side)) for side in layers.shape[:2])
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    top, left = (crop.shape[0] - high) // 2, (crop.shape[1] - wide) // 2
    crop[:] = layers[0, 0]
    crop[top : top + high, left : left + wide] = cv2.resize(layers, (wide, high), interpolation=kind)


def _with_masks(drawn: LabelledImages) -> Iterator[tuple[UInt8Array, Piece]]:
    """Each drawn picture without its mask's channel, and its object; without those whose mask is next to nothing."""
    for image, label in zip(drawn.images, drawn.labels.tolist(), strict=True):
        mask = image[..., -1] >= 128
        if mask.mean() >= LEAST_SHARE:
            yield image[..., :-1], Piece(label, 0, 0, mask).tight()
