"""COCO's JSON: boxes, polygons and run-length masks of many pictures in one file per split."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.errors import DataError
from cvbench.readers.findings import Findings
from cvbench.readers.image_folder import SPLIT_NAMES
from cvbench.readers.objects import Box, polygons_mask
from cvbench.readers.pictures import EXTENSIONS, entries
from cvbench.readers.rle import mask_of
from cvbench.readers.scenes import Listing, Scene, SceneOptions, SceneReader
from cvbench.samples import AnnotationKind, FloatArray
from cvbench.scenes import Instance

Record = Mapping[str, Any]
GLANCE = 1 << 20  # bytes


@dataclass(frozen=True)
class _Picture:
    """A picture's record, its annotations, and what its categories are called here."""

    file: Path
    record: Record
    own: Sequence[Record]
    numbers: Mapping[Any, int]


@dataclass(frozen=True)
class CocoOptions(SceneOptions):
    """And ``boxes``: take the boxes alone where there are masks too."""

    boxes: bool = False


class Coco(SceneReader):
    """One JSON file per split, or one in all that a seed splits."""

    summary = "COCO JSON: annotations/*train*.json and pictures, or train/_annotations.coco.json; instances or boxes"
    licence = "the user's own"
    Options = CocoOptions

    def listed(self, root: Path, findings: Findings) -> Listing:
        options: CocoOptions = self.options
        files = dict(annotation_files(root))
        if not files:
            hint = "annotations/instances_train.json, train/_annotations.coco.json or annotations.json"
            raise DataError("has no COCO file", where=str(root), hint=hint)
        read = {split: _File(root, split, file, findings) for split, file in files.items()}
        names = next(iter(read.values())).names
        for one in read.values():
            if one.names != names:
                hint = "the files must have the same categories"
                raise DataError("has other categories than its fellow", where=str(one.file), hint=hint)
        masked = (
            not options.boxes and all(one.masked for one in read.values()) and any(one.objects for one in read.values())
        )
        kind = AnnotationKind.INSTANCES if masked else AnnotationKind.BOXES
        return Listing(kind, names, tuple(scene for one in read.values() for scene in one.scenes(masked, findings)))

    @classmethod
    def recognises(cls, root: Path) -> bool:
        return any(_looks_like_coco(file) for _, file in annotation_files(root))


def _looks_like_coco(file: Path) -> bool:
    with file.open("rb") as stream:
        start = stream.read(GLANCE)
    return any(key in start for key in (b'"images"', b'"annotations"', b'"categories"'))


def annotation_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Split ("" for all in one) and file, in the layouts that are known."""
    places = [folder for folder in (root / "annotations", root) if folder.is_dir()]
    there = [path for folder in places for path in entries(folder) if path.suffix == ".json" and path.is_file()]
    there = [path for path in there if path.name not in ("about.json", "classes.json")]
    split = False
    for name, usual in SPLIT_NAMES.items():
        inner = [root / one / "_annotations.coco.json" for one in usual]
        by_name = [path for one in usual for path in there if one in path.stem.lower()]
        found = next((path for path in (*inner, *by_name) if path.is_file()), None)
        if found is not None:
            split = True
            yield name, found
    if not split and len(there) == 1:
        yield "", there[0]


class _File:
    """One file's content, its ids looked up, its faults told."""

    def __init__(self, root: Path, split: str, file: Path, findings: Findings) -> None:
        self.root, self.split, self.file = root, split, file
        content = _json(file)
        categories = _by_id(content["categories"], "category", file, findings)
        self.numbers = {key: place for place, key in enumerate(sorted(categories, key=_order))}
        self.names = tuple(str(categories[key].get("name", key)) for key in self.numbers)
        if not self.names or len(set(self.names)) < len(self.names):
            raise DataError("names no category, or one twice", where=str(file))
        self.pictures = _by_id(content["images"], "picture", file, findings)
        self.objects = _by_id(content["annotations"], "annotation", file, findings)
        self.masked = all(_has_mask(thing) for thing in self.objects.values())
        self.own: dict[Any, list[Record]] = {key: [] for key in self.pictures}
        for key, thing in self.objects.items():
            if thing.get("image_id") not in self.own:
                what = f"annotation {key} is of picture {thing.get('image_id')!r}, which is not there"
                findings.problem(file, what, "add the picture, or remove the annotation")
            elif thing.get("category_id") not in self.numbers:
                what = f"annotation {key} is of category {thing.get('category_id')!r}, which is not there"
                findings.problem(file, what, f"the categories are {', '.join(map(str, list(self.numbers)[:20]))}")
            else:
                self.own[thing["image_id"]].append(thing)

    def scenes(self, masked: bool, findings: Findings) -> Iterator[Scene]:
        used: dict[Path, Any] = {}
        for key, picture in self.pictures.items():
            try:
                found = self._picture(str(picture.get("file_name", "")), key)
            except DataError as error:
                findings.blame(error)
                continue
            if found in used:
                what = f"pictures {used[found]} and {key} have the file {picture['file_name']!r}"
                findings.problem(self.file, what, "keep one of them, with the annotations of both")
                continue
            used[found] = key
            if not self.own[key]:
                findings.note(found, "has no annotation: background")
            told = _Picture(self.file, picture, self.own[key], self.numbers)
            read = partial(_masks if masked else _boxes, told)
            yield Scene(self.split, found, read, (self.file,))

    def _picture(self, name: str, key: Any) -> Path:
        folders = [
            *(self.root / known for known in SPLIT_NAMES.get(self.split, ())),
            *(self.root / "images" / known for known in SPLIT_NAMES.get(self.split, ())),
            self.root / self.file.stem.removeprefix("instances_"),
            self.root / "images",
            self.file.parent,
            self.root,
        ]
        for folder in folders:
            place = folder / name
            if name and place.is_file():
                if not place.resolve().is_relative_to(self.root.resolve()):
                    raise DataError(f"picture {key} leaves the folder: {name!r}", where=str(self.file))
                if place.suffix.lower() not in EXTENSIONS:
                    raise DataError(f"picture {key} is no picture file: {name!r}", where=str(self.file))
                return place
        hint = "its name is looked for beside the JSON, in the root, in images/ and in the split's folder"
        raise DataError(f"picture {key} is not there: {name!r}", where=str(self.file), hint=hint)


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DataError(f"broken JSON ({error})", where=str(file), hint="write or fetch it again") from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(file)) from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(
                f"has no list {key!r}", where=str(file), hint="COCO's JSON has images, annotations, categories"
            )
    return dict(content)


def _by_id(records: Sequence[Any], what: str, file: Path, findings: Findings) -> dict[Any, Record]:
    found: dict[Any, Record] = {}
    for place, record in enumerate(records):
        key = record.get("id") if isinstance(record, dict) else None
        if not isinstance(key, int | str):
            findings.problem(file, f"{what} number {place} has no id", "give each a number of its own")
        elif key in found:
            findings.problem(file, f"there are two of the {what} id {key!r}", "give each its own")
        else:
            found[key] = record
    return found


def _order(key: int | str) -> tuple[bool, int, str]:
    """Numbers by size, then texts."""
    return (True, 0, key) if isinstance(key, str) else (False, key, "")


def _has_mask(thing: Record) -> bool:
    outline = thing.get("segmentation")
    return bool(outline) and isinstance(outline, list | dict)


def _same_size(picture: _Picture, height: int, width: int, findings: Findings) -> bool:
    said = picture.record.get("height"), picture.record.get("width")
    if not all(isinstance(side, int) for side in said) or said == (height, width):
        return True
    what = f"says that picture {picture.record['id']} is {said[0]}x{said[1]}, it is {height}x{width} (height x width)"
    findings.problem(picture.file, what, "turned by EXIF, or scaled since? Mend the picture or the file")
    return False


def _boxes(picture: _Picture, height: int, width: int, findings: Findings) -> list[Box]:
    _same_size(picture, height, width, findings)
    boxes: list[Box] = []
    written: list[float] = []
    for thing in picture.own:
        box = thing.get("bbox")
        if not isinstance(box, list) or len(box) != 4 or not all(isinstance(v, int | float) for v in box):
            what = f"annotation {thing['id']} has no bbox [x, y, width, height]"
            findings.problem(picture.file, what, "mend or remove it")
            continue
        x, y, wide, high = map(float, box)
        written += (x, y, wide, high)
        boxes.append(Box(picture.numbers[thing["category_id"]], (x, y, x + wide, y + high), bool(thing.get("iscrowd"))))
    if all(0 <= value <= 1 for value in written) and any(value % 1 for value in written):
        what = f"the boxes of picture {picture.record['id']} look like shares of it"
        findings.problem(picture.file, what, "COCO's are in pixels")
    return boxes


def _masks(picture: _Picture, height: int, width: int, findings: Findings) -> list[Instance]:
    if not _same_size(picture, height, width, findings):
        return []
    instances = []
    for thing in picture.own:
        where = f"{picture.file}: annotation {thing['id']}"
        outline = thing["segmentation"]
        try:
            if isinstance(outline, list):
                mask = polygons_mask([_points(flat, where) for flat in outline], height, width, where, findings)
            else:
                mask = mask_of(_counts(outline, where), height, width, where)
            instances.append(Instance(picture.numbers[thing["category_id"]], mask, bool(thing.get("iscrowd"))))
        except DataError as error:
            findings.blame(error)
    return instances


def _points(flat: Any, where: str) -> FloatArray:
    if not isinstance(flat, list) or not all(isinstance(v, int | float) for v in flat) or len(flat) % 2:
        raise DataError("a polygon is not a list of x, y, x, y, …", where=where, hint="mend or remove it")
    return np.array(flat, np.float64).reshape(-1, 2)


def _counts(outline: Mapping[str, Any], where: str) -> list[int] | str:
    counts = outline.get("counts")
    if not isinstance(counts, list | str):
        raise DataError("its segmentation is neither polygons nor run lengths", where=where)
    return counts
