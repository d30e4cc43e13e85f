"""Pascal VOC: ``JPEGImages/``, ``Annotations/*.xml``, ``SegmentationClass/``, ``ImageSets/``.

Its boxes count pixels from 1 and include their last one: xmin 1 and xmax 3 are the first three columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np

from cvbench.errors import DataError, near_names
from cvbench.readers.class_lists import ClassList, class_files, class_list, names_in_masks, without
from cvbench.readers.findings import Findings
from cvbench.readers.masks import class_mask, opened, same_size
from cvbench.readers.objects import Box
from cvbench.readers.pictures import entries, pictures_in, text_lines
from cvbench.readers.places import find_place
from cvbench.readers.scenes import SPLITS, Listing, Scene, SceneOptions, SceneReader
from cvbench.samples import AnnotationKind
from cvbench.scenes import BACKGROUND, IGNORED, Instance

Part = Literal["boxes", "mask", "instances"]
VOC_2012 = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
)
MOST_XML = 16 << 20  # bytes of one file


@dataclass(frozen=True)
class VocOptions(SceneOptions):
    """And ``annotation``: ``boxes`` of the XML files, a class ``mask`` or ``instances``; else boxes where there are.

    ``classes``: names, else those in ``classes.txt`` or ``classes.json``, else those that the XML files have, or of
    masks, where background comes first, Pascal's own. ``ignore``: names left out. ``first_pixel``: 1 as VOC says, 0 for
    files whose boxes count from 0.
    """

    annotation: Part | None = None
    classes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    first_pixel: Literal[0, 1] = 1


class Voc(SceneReader):
    """Pictures with an XML file each, or with masks by class and by object."""

    summary = "Pascal VOC: JPEGImages/ with Annotations/*.xml or SegmentationClass/*.png, splits in ImageSets/"
    licence = "the user's own"
    Options = VocOptions

    def listed(self, root: Path, findings: Findings) -> Listing:
        options: VocOptions = self.options
        part: Part = options.annotation or ("boxes" if (root / "Annotations").is_dir() else _masks_there(root))
        pictures = {file.stem: file for file in pictures_in(root / "JPEGImages")}
        splits = _split_lists(root, "Main" if part == "boxes" else "Segmentation", pictures, findings)
        if part == "boxes":
            return self._with_boxes(root, pictures, splits, findings)
        return self._with_masks(root, part, pictures, splits, findings)

    def _with_boxes(
        self, root: Path, pictures: Mapping[str, Path], splits: Mapping[str, str], findings: Findings
    ) -> Listing:
        options: VocOptions = self.options
        files = {file.stem: file for file in entries(root / "Annotations") if file.suffix.lower() == ".xml"}
        for name in sorted(set(files) - set(pictures)):
            findings.problem(files[name], "has no picture in JPEGImages/", "add it, or remove the XML file")
        trees = {name: _tree(file, findings) for name, file in files.items() if name in pictures}
        given = class_list(root, options.classes)
        found = {_text(thing, "name") for tree in trees.values() if tree is not None for thing in tree.iter("object")}
        classes = given or ClassList(tuple(sorted(found - {""})))
        if not classes.names:
            raise DataError("its XML files hold no objects", where=str(root / "Annotations"))
        names = without(
            ClassList(tuple(name for name in classes.names if name != BACKGROUND)), options.ignore, str(root)
        )
        scenes = []
        for name, picture in pictures.items():
            if splits and name not in splits:
                continue
            if name not in files:
                findings.note(picture, "has no XML file: background")
            tree = trees.get(name)
            boxes = partial(_boxes, files.get(name, picture), tree, names, options)
            scenes.append(Scene(splits.get(name, ""), picture, boxes, (files[name],) if name in files else ()))
        return Listing(AnnotationKind.BOXES, names, tuple(scenes))

    def _with_masks(
        self, root: Path, part: Part, pictures: Mapping[str, Path], splits: Mapping[str, str], findings: Findings
    ) -> Listing:
        options: VocOptions = self.options
        classes = class_list(root, options.classes)
        if classes is None:
            findings.note(root, "has no class list: values are named as in Pascal VOC (1 is aeroplane, 2 bicycle, …)")
            classes = ClassList(tuple(VOC_2012.split()))
        names = names_in_masks(classes, options.ignore, str(root))
        listed = class_files(root)
        folders = ("SegmentationClass",) if part == "mask" else ("SegmentationClass", "SegmentationObject")
        scenes = []
        for name in splits or sorted(file.stem for file in pictures_in(root / folders[0])):
            files = tuple(root / folder / f"{name}.png" for folder in folders)
            if missing := [file for file in files if not file.is_file()]:
                findings.problem(missing[0], "is not there", "add it, or take its name out of ImageSets/")
            elif name not in pictures:
                findings.problem(files[0], "has no picture in JPEGImages/", "add it, or remove the mask")
            elif part == "mask":
                read = partial(class_mask, files[0], classes, options.ignore)
                scenes.append(Scene(splits.get(name, ""), pictures[name], read, (*files, *listed)))
            else:
                objects = partial(_objects, files, classes, options.ignore)
                scenes.append(Scene(splits.get(name, ""), pictures[name], objects, (*files, *listed)))
        if part == "mask":
            return Listing(AnnotationKind.MASK, names, tuple(scenes))
        things = tuple(name for name in names if name != BACKGROUND)
        return Listing(AnnotationKind.INSTANCES, things, tuple(scenes))

    @classmethod
    def recognises(cls, root: Path) -> bool:
        parts = ("Annotations", "SegmentationClass")
        return cls is Voc and (root / "JPEGImages").is_dir() and any((root / part).is_dir() for part in parts)


@dataclass(frozen=True)
class BccdOptions(VocOptions):
    """As for any VOC set; the classes are BCCD's own."""

    classes: tuple[str, ...] = ("RBC", "WBC", "Platelets")


class Bccd(Voc):
    """Blood cells under the microscope, with boxes: 205 pictures to train, 87 to validate, 72 to test."""

    summary = "BCCD: 364 pictures of blood cells, 480×640 RGB, boxes of 3 classes"
    licence = "MIT"
    Options = BccdOptions

    def place(self, root: Path | None) -> Path:
        return find_place("bccd", root, download=False, can_download=False)


def _masks_there(root: Path) -> Part:
    if (root / "SegmentationObject").is_dir():
        return "instances"
    if (root / "SegmentationClass").is_dir():
        return "mask"
    raise DataError("has neither Annotations/ nor SegmentationClass/", where=str(root))


def _split_lists(root: Path, sets: str, pictures: Mapping[str, Path], findings: Findings) -> dict[str, str]:
    """Name → split, as ``ImageSets/<sets>/train.txt`` and its fellows say; empty without them."""
    found: dict[str, str] = {}
    for split in SPLITS:
        file = root / "ImageSets" / sets / f"{split}.txt"
        for line in text_lines(file) if file.is_file() else ():
            name = line.split()[0] if line.strip() else ""
            if name and name not in pictures:
                findings.problem(file, f"names {name!r}, which JPEGImages/ lacks", "add it, or remove the line")
            elif name and found.setdefault(name, split) != split:
                findings.problem(file, f"names {name!r}, which is in {found[name]} too", "remove it from one of them")
    return found


# ---------------------------------------------------------------------------------------------- boxes


def _tree(file: Path, findings: Findings) -> Any:
    """The file's root element; None when it is broken and the findings do not stop at that."""
    try:
        if file.stat().st_size > MOST_XML:
            raise DataError(
                f"more than {MOST_XML >> 20} MiB of XML", where=str(file), hint="it cannot be one picture's"
            )
        content = file.read_bytes()
        if b"<!ENTITY" in content:  # they can swell to any size
            raise DataError("defines XML entities", where=str(file), hint="write plain XML")
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        findings.problem(file, f"broken XML ({error})", "write it again")
    except DataError as error:
        findings.blame(error)
    except OSError as error:
        findings.problem(file, f"cannot be read: {error.strerror}")
    return None


def _text(element: Any, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _boxes(
    file: Path, tree: Any, names: tuple[str, ...], options: VocOptions, height: int, width: int, findings: Findings
) -> list[Box]:
    if tree is None:
        return []
    said = _text(tree, "size/height"), _text(tree, "size/width")
    if all(side.isdecimal() and int(side) for side in said) and (int(said[0]), int(said[1])) != (height, width):
        what = f"says that its picture is {'x'.join(said)}, it is {height}x{width} (height x width)"
        findings.problem(file, what, "turned by EXIF, or scaled since? Mend the picture or the file")
    boxes = []
    written: list[float] = []
    for thing in tree.iter("object"):
        name = _text(thing, "name")
        if name in options.ignore:
            continue
        if name not in names:
            findings.problem(file, f"has the class {name!r}", near_names(name, names))
            continue
        try:
            x1, y1, x2, y2 = (float(_text(thing, f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax"))
        except ValueError:
            findings.problem(file, f"a box of {name!r} lacks a coordinate, or one is no number", "mend or remove it")
            continue
        written += (x1, y1, x2, y2)
        first = options.first_pixel
        if (x1, y1) != (x2, y2):  # a stray click has one point for both, whatever pixels are counted from
            x1, y1 = x1 - first, y1 - first
        boxes.append(Box(names.index(name), (x1, y1, x2, y2), _text(thing, "difficult") == "1"))
    if all(0 <= value <= 1 for value in written) and any(value % 1 for value in written):
        findings.problem(file, "its boxes look like shares of the picture", "VOC's are in pixels")
    return boxes


# ------------------------------------------------------------------------------------------ instances


def _objects(
    files: tuple[Path, ...], classes: ClassList, ignored: tuple[str, ...], height: int, width: int, findings: Findings
) -> list[Instance]:
    """Each value of the object mask is an instance; its class is the one that most of its pixels have."""
    by_class = class_mask(files[0], classes, ignored, height, width, findings)
    image = opened(files[1])
    same_size(image, height, width, files[1])
    numbers = np.asarray(image).astype(np.int64)
    names = [name for name in classes.names if name not in ignored]
    things = [name for name in names if name != BACKGROUND]
    instances = []
    for number in np.setdiff1d(numbers, [0, IGNORED]):
        mask = numbers == number
        label = int(np.bincount(by_class[mask], minlength=IGNORED + 1).argmax())
        if label == IGNORED or names[label] == BACKGROUND:
            findings.note(files[1], f"object {number} has no class: left out")
        else:
            instances.append(Instance(things.index(names[label]), mask))
    return instances
