"""COCO's JSON: boxes, polygons and run-length masks of many pictures in one file per split."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.errors import DataError, counted
from cvbench.readers.findings import Findings
from cvbench.readers.image_folder import SPLIT_NAMES
from cvbench.readers.items import named
from cvbench.readers.objects import ROUNDING, Box, polygons_mask
from cvbench.readers.pictures import EXTENSIONS, entries
from cvbench.readers.rle import mask_of
from cvbench.readers.scenes import Annotation, Listing, Scene, SceneOptions, SceneReader
from cvbench.samples import AnnotationKind, BoolArray, FloatArray
from cvbench.scenes import Instance, tight_box

Record = Mapping[str, Any]
GLANCE = 1 << 20  # bytes
Key = int | float | str  # some tools write 7.0 for 7
FAR = 2  # pixels: a box may be off its mask by as much, however small the object


@dataclass(frozen=True)
class _Picture:
    """A picture's record, its annotations, and what its categories are called here."""

    file: Path
    record: Record
    own: Sequence[Record]
    numbers: Mapping[Any, int]


Reads = Callable[[_Picture, int, int, Findings], Annotation]


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
        read = _alike(root, files, findings)
        objects, masks = sum(len(one.objects) for one in read), sum(one.masks for one in read)
        masked = 0 < masks == objects and not options.boxes
        if 0 < masks < objects and not options.boxes:
            bare = [f"annotation {key}" for one in read for key, thing in one.objects.items() if not _has_mask(thing)]
            lack = f"{objects - masks:,} {'has' if objects - masks == 1 else 'have'} none ({named(bare)})"
            findings.note(root, f"{masks:,} of {objects:,} objects have masks, {lack}: read as boxes")
        how = _masks if masked else _boxes if options.boxes else _boxes_beside_masks
        kind = AnnotationKind.INSTANCES if masked else AnnotationKind.BOXES
        return Listing(kind, read[0].names, tuple(scene for one in read for scene in one.scenes(how, findings)))

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
    there.sort(
        key=lambda path: not path.stem.startswith("instances")
    )  # before captions and keypoints of the same split
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


def _alike(root: Path, files: Mapping[str, Path], findings: Findings) -> list[_File]:
    """The files that can be read and have the first's categories. Raises :class:`DataError` where there is none."""
    read: list[_File] = []
    faults: list[DataError] = []
    for split, file in files.items():
        try:
            one = _File(root, split, file, findings)
            if read and one.names != read[0].names:
                hint = "the files must have the same categories"
                raise DataError("has other categories than its fellow", where=str(file), hint=hint)
            read.append(one)
        except DataError as error:
            faults.append(error)
    for fault in faults if read else faults[:-1]:
        findings.blame(fault)
    if not read:
        raise faults[-1]
    return read


class _File:
    """One file's content, its ids looked up, its faults told."""

    def __init__(self, root: Path, split: str, file: Path, findings: Findings) -> None:
        self.root, self.split, self.file = root, split, file
        content = _json(file)
        if isinstance(videos := content.get("videos"), list) and videos:
            _tell_of(len(videos), split, file, findings)
        categories = _by_id(content["categories"], "category", file, findings)
        self.numbers = {key: place for place, key in enumerate(sorted(categories, key=_order))}
        self.names = tuple(str(categories[key].get("name", key)) for key in self.numbers)
        if not self.names or len(set(self.names)) < len(self.names):
            raise DataError("names no category, or one twice", where=str(file))
        self.pictures = _by_id(content["images"], "picture", file, findings)
        self.objects = _by_id(content["annotations"], "annotation", file, findings)
        self.masks = sum(_has_mask(thing) for thing in self.objects.values())
        self.own: dict[Any, list[Record]] = {key: [] for key in self.pictures}
        texts = {str(key) for key in self.own}
        for key, thing in self.objects.items():
            picture, category = thing.get("image_id"), thing.get("category_id")
            if not isinstance(picture, Key) or picture not in self.own:
                what = f"annotation {key} is of picture {picture!r}, which is not there"
                alike = "ids are texts in one place and numbers in the other: write both as numbers"
                findings.problem(
                    file, what, alike if str(picture) in texts else "add the picture, or remove the annotation"
                )
            elif not isinstance(category, Key) or category not in self.numbers:
                what = f"annotation {key} is of category {category!r}, which is not there"
                findings.problem(file, what, f"the categories are {', '.join(map(str, list(self.numbers)[:20]))}")
            else:
                self.own[picture].append(thing)

    def scenes(self, how: Reads, findings: Findings) -> Iterator[Scene]:
        if how is not _masks:
            self._look_for_corners(findings)
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
            yield Scene(self.split, found, partial(how, told), (self.file,))

    def _look_for_corners(self, findings: Findings) -> None:
        """Boxes that reach out of their pictures, most of them, and would not if they were x1, y1, x2, y2."""
        boxes = corners = 0
        for key, picture in self.pictures.items():
            if not all(isinstance(picture.get(side), int) for side in ("height", "width")):
                continue
            right, lower = picture["width"] + ROUNDING, picture["height"] + ROUNDING
            for x, y, a, b in (thing["bbox"] for thing in self.own[key] if _sound(thing.get("bbox"))):
                boxes += 1
                corners += (x + a > right or y + b > lower) and x < a <= right and y < b <= lower
        if 2 * corners > boxes:
            what = f"{corners:,} of {counted(boxes, 'box')} reach out of their pictures"
            findings.problem(self.file, what, "are these x1, y1, x2, y2? COCO's are x, y, width, height")

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


def _tell_of(videos: int, split: str, file: Path, findings: Findings) -> None:
    """Frames of videos are single pictures here. Raises :class:`DataError` where a seed would draw them apart."""
    if not split:
        what = f"holds {counted(videos, 'video')}: a seed would draw frames of one apart"
        hint = "clips are read from MOTChallenge's and OTB's folders (--format mot or otb); or make a file per split"
        raise DataError(what, where=str(file), hint=hint)
    findings.note(file, "holds videos: their frames are read as single pictures, without tracks")


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
        box: Any = thing.get("bbox")
        name = f"annotation {thing['id']}"
        if not _is_box(box):
            findings.problem(picture.file, f"{name} has no bbox [x, y, width, height]", "mend or remove it")
            continue
        if not _sound(box):
            fault = "a negative size" if np.isfinite(box).all() else "a coordinate that is no number"
            what = f"{name} has {fault}: bbox {box}"
            findings.problem(picture.file, what, "it is x, y, width, height; mend or remove it")
            continue
        x, y, wide, high = map(float, box)
        written += (x, y, wide, high)
        boxes.append(Box(picture.numbers[thing["category_id"]], (x, y, x + wide, y + high), bool(thing.get("iscrowd"))))
    if all(0 <= value <= 1 for value in written) and any(value % 1 for value in written):
        what = f"the boxes of picture {picture.record['id']} look like shares of it"
        findings.problem(picture.file, what, "COCO's are in pixels")
    return boxes


def _is_box(box: Any) -> bool:
    return isinstance(box, list) and len(box) == 4 and all(isinstance(value, int | float) for value in box)


def _sound(box: Any) -> bool:
    """Whether it is four finite numbers, the size not negative."""
    return _is_box(box) and bool(np.isfinite(box).all()) and min(box[2:]) >= 0


def _boxes_beside_masks(picture: _Picture, height: int, width: int, findings: Findings) -> list[Box]:
    """The boxes; the masks that some objects have are not taken, and yet must be whole."""
    _filled(picture, height, width, findings)
    return _boxes(picture, height, width, findings)


def _masks(picture: _Picture, height: int, width: int, findings: Findings) -> list[Instance]:
    return _filled(picture, height, width, findings) if _same_size(picture, height, width, findings) else []


def _filled(picture: _Picture, height: int, width: int, findings: Findings) -> list[Instance]:
    """The objects that have a mask."""
    instances = []
    for thing in filter(_has_mask, picture.own):
        where = f"{picture.file}: annotation {thing['id']}"
        outline = thing["segmentation"]
        try:
            if isinstance(outline, list):
                mask = polygons_mask([_points(flat, where) for flat in outline], height, width, where, findings)
            else:
                mask = mask_of(_counts(outline, height, width, where), height, width, where)
            if _sound(thing.get("bbox")) and _far_apart(thing["bbox"], mask):
                findings.note(where, "its bbox and its segmentation are far apart: one of them is wrong")
            instances.append(Instance(picture.numbers[thing["category_id"]], mask, bool(thing.get("iscrowd"))))
        except DataError as error:
            findings.blame(error)
    return instances


def _far_apart(box: Sequence[float], mask: BoolArray) -> bool:
    """Whether x, y, width, height and the mask's own box share less than half of what they cover together."""
    if not mask.any():
        return False
    own = np.array(tight_box(mask), np.float64)
    given = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]]).clip(0, [*mask.shape[::-1]] * 2)
    if np.abs(own - given).max() <= FAR:
        return False
    shared = (np.minimum(own, given)[2:] - np.maximum(own, given)[:2]).clip(0).prod()
    areas = sum((one[2:] - one[:2]).prod() for one in (own, given))
    return bool(shared < (areas - shared) / 2)


def _points(flat: Any, where: str) -> FloatArray:
    if not isinstance(flat, list) or not all(isinstance(v, int | float) for v in flat) or len(flat) % 2:
        raise DataError("a polygon is not a list of x, y, x, y, …", where=where, hint="mend or remove it")
    return np.array(flat, np.float64).reshape(-1, 2)


def _counts(outline: Mapping[str, Any], height: int, width: int, where: str) -> list[int] | str:
    counts, size = outline.get("counts"), outline.get("size", [height, width])
    if not isinstance(counts, list | str):
        raise DataError("its segmentation is neither polygons nor run lengths", where=where)
    if size != [height, width]:
        said = "x".join(map(str, size)) if isinstance(size, list) else repr(size)
        hint = "height comes first" if size == [width, height] else "write it again for this picture's size"
        raise DataError(f"its run lengths have the size {said}, its picture {height}x{width}", where=where, hint=hint)
    return counts
