"""What objects are pasted on: real pictures as they are, real pictures with their objects painted over, textures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from cvbench.contracts import Progress
from cvbench.decoding import read_picture
from cvbench.errors import DataError, NotApplicable
from cvbench.samples import AnnotationKind, DatasetSpec, Pictures, UInt8Array
from cvbench.scenes import BACKGROUND, IGNORED, BoxedImages, InstanceImages, SegmentedImages
from cvbench_generators.scenes.pieces import whole_pixels

INPAINT_RADIUS = 3  # pixels around the hole that OpenCV's method looks at
GROWN = 2  # pixels: an object's mask is grown before it is painted over, for the blur of its edge
CROPS = 8  # of each texture, at different places and scales
ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


def void_label(spec: DatasetSpec) -> int:
    """What a pixel of no class has in a semantic mask: the class ``background``, else it is ignored."""
    return spec.classes.index(BACKGROUND) if BACKGROUND in spec.classes else IGNORED


def inpainted(train: Pictures, objects: InstanceImages, progress: Progress) -> Pictures:
    """The pictures with all objects painted over (Telea, J. Graphics Tools 9(1), 2004), which nothing annotates then.

    In a semantic mask the place of an object is background, or ignored where there is no such class.
    """
    holes = _holes(train, objects)
    images = np.empty_like(train.images)
    for place, hole in enumerate(holes):
        progress(place, len(train), "painting objects over")
        clear = cv2.inpaint(np.ascontiguousarray(train.images[place]), hole, INPAINT_RADIUS, cv2.INPAINT_TELEA)
        images[place] = clear.reshape(images[place].shape)
    if isinstance(train, SegmentedImages):
        return replace(train, images=images, masks=np.where(holes > 0, np.uint8(void_label(train.spec)), train.masks))
    return _without_objects(train.spec, images)


def _holes(train: Pictures, objects: InstanceImages) -> UInt8Array:
    """uint8 (N, H, W): not 0 where an object is. Of boxes it is the whole box: GrabCut has not seen them all."""
    holes = np.zeros(train.images.shape[:3], np.uint8)
    boxed = train if isinstance(train, BoxedImages) else objects
    for place, hole in enumerate(holes):
        own = boxed.objects(place)
        for number in range(own.start, own.stop):
            x1, y1, x2, y2 = whole_pixels(boxed.boxes[number])
            hole[y1:y2, x1:x2] |= boxed.cut_mask(number) if isinstance(boxed, InstanceImages) else np.bool_(True)
        cv2.dilate(hole, np.ones((2 * GROWN + 1, 2 * GROWN + 1), np.uint8), dst=hole)
    return holes


def textures(folder: Path, spec: DatasetSpec, seed: int) -> Pictures:
    """Crops of the folder's pictures at the spec's size, in its colours, which nothing annotates.

    Raises :class:`DataError` for a folder without pictures and a picture that cannot be read, and
    :class:`NotApplicable` for semantic masks without a class ``background``.
    """
    if spec.kind is AnnotationKind.MASK and void_label(spec) == IGNORED:
        raise NotApplicable(f"a texture has no class here: a semantic mask needs the class {BACKGROUND!r} for it")
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in ENDINGS)
    if not files:
        raise DataError("no pictures to use as backgrounds", where=str(folder), hint="backgrounds: real needs none")
    rng = np.random.default_rng(seed)
    crops = [_crop(picture, spec, rng) for picture in (read_picture(file, 3) for file in files) for _ in range(CROPS)]
    images = np.stack(crops).reshape(-1, spec.height, spec.width, spec.channels)
    if spec.kind is AnnotationKind.MASK:
        return SegmentedImages(spec, images, np.full(images.shape[:3], void_label(spec), np.uint8))
    return _without_objects(spec, images)


def _crop(picture: UInt8Array, spec: DatasetSpec, rng: np.random.Generator) -> UInt8Array:
    """A part of the spec's proportions: the greatest that fits, or down to half of its side."""
    most = min(picture.shape[0] / spec.height, picture.shape[1] / spec.width)
    zoom = most * rng.uniform(0.5, 1)
    high, wide = max(1, int(zoom * spec.height)), max(1, int(zoom * spec.width))
    top, left = rng.integers(picture.shape[0] - high + 1), rng.integers(picture.shape[1] - wide + 1)
    part = picture[top : top + high, left : left + wide]
    shrinks = cv2.INTER_AREA if zoom > 1 else cv2.INTER_LINEAR
    sized = cv2.resize(part, (spec.width, spec.height), interpolation=shrinks)
    return np.asarray(cv2.cvtColor(sized, cv2.COLOR_RGB2GRAY) if spec.channels == 1 else sized, np.uint8)


def _without_objects(spec: DatasetSpec, images: UInt8Array) -> Pictures:
    pictures = range(len(images))
    if spec.kind is AnnotationKind.INSTANCES:
        return InstanceImages.of_instances(spec, images, [[] for _ in pictures])
    return BoxedImages.of(spec, images, [np.zeros((0, 4)) for _ in pictures], [np.zeros(0, np.int64) for _ in pictures])
