"""Pascal VOC: ``JPEGImages/`` (as PNG), ``Annotations/*.xml``, ``SegmentationClass/``, ``SegmentationObject/``."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from cvbench.contracts import Progress
from cvbench.errors import UserError
from cvbench.scenes import BACKGROUND, IGNORED, BoxedImages, InstanceImages, SegmentedImages, painted
from cvbench.writers.mask_pairs import palette_image
from cvbench.writers.pictures import numbered


def write_voc(data: BoxedImages | SegmentedImages, folder: Path, progress: Progress) -> None:
    """Into an existing folder, without ``ImageSets/``. Boxes count from 1, a crowd is ``difficult``.

    Of instances a pixel belongs to one: the later. Raises :class:`UserError` for more than 254 in a picture.
    """
    classes = (BACKGROUND, *data.spec.classes) if isinstance(data, InstanceImages) else data.spec.classes
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    by_class = painted(data) if isinstance(data, InstanceImages) else data
    for kind, needed in (
        ("Annotations", isinstance(data, BoxedImages)),
        ("SegmentationClass", isinstance(by_class, SegmentedImages)),
        ("SegmentationObject", isinstance(data, InstanceImages)),
    ):
        if needed:
            (folder / kind).mkdir()
    for place, name in numbered(data, folder / "JPEGImages", progress):
        if isinstance(data, BoxedImages):
            _described(data, place, f"{name}.png").write(folder / "Annotations" / f"{name}.xml", encoding="utf-8")
        if isinstance(by_class, SegmentedImages):
            palette_image(by_class.masks[place]).save(folder / "SegmentationClass" / f"{name}.png")
        if isinstance(data, InstanceImages):
            masks = data.masks(place)
            if len(masks) >= IGNORED:
                what = f"picture {place} has {len(masks)} instances, VOC's masks hold {IGNORED - 1}"
                raise UserError(what, where=data.spec.name, hint="use --format coco")
            numbers = np.zeros(data.images.shape[1:3], np.uint8)
            for number, mask in enumerate(masks):
                numbers[mask] = number + 1
            palette_image(numbers).save(folder / "SegmentationObject" / f"{name}.png")


def _described(data: BoxedImages, place: int, file: str) -> ElementTree.ElementTree[ElementTree.Element]:
    root = ElementTree.Element("annotation")
    _leaf(root, "filename", file)
    size = ElementTree.SubElement(root, "size")
    for name, value in (("width", data.spec.width), ("height", data.spec.height), ("depth", data.spec.channels)):
        _leaf(size, name, value)
    own = data.objects(place)
    for number in range(own.start, own.stop):
        thing = ElementTree.SubElement(root, "object")
        _leaf(thing, "name", data.spec.classes[data.labels[number]])
        _leaf(thing, "difficult", int(data.crowd[number]))
        box = ElementTree.SubElement(thing, "bndbox")
        x1, y1, x2, y2 = map(float, data.boxes[number])
        for edge, where in (("xmin", x1 + 1), ("ymin", y1 + 1), ("xmax", x2), ("ymax", y2)):
            _leaf(box, edge, repr(where).removesuffix(".0"))
    ElementTree.indent(root)
    return ElementTree.ElementTree(root)


def _leaf(parent: ElementTree.Element, name: str, value: object) -> None:
    ElementTree.SubElement(parent, name).text = str(value)
