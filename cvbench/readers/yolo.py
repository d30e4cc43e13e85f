"""YOLO's format: a ``data.yaml``, pictures in ``images/``, and beside them ``labels/*.txt`` with a line per object.

A line is ``class x y width height`` (the centre) or ``class x y x y …`` (an outline), as shares of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cvbench.errors import DataError
from cvbench.readers.findings import Findings
from cvbench.readers.objects import Box, polygons_mask
from cvbench.readers.pictures import EXTENSIONS, pictures_in, text_lines
from cvbench.readers.scenes import SPLITS, Listing, Scene, SceneOptions, SceneReader
from cvbench.samples import AnnotationKind, FloatArray
from cvbench.scenes import Instance

FILES = ("data.yaml", "data.yml", "dataset.yaml")
MOST_YAML = 1 << 20  # bytes
BEYOND = 1.01  # a share above this is no share; below, it is rounding


@dataclass(frozen=True)
class YoloOptions(SceneOptions):
    """And ``boxes``: take the outlines' boxes alone."""

    boxes: bool = False


@dataclass(frozen=True)
class _Line:
    """One object: its class and its numbers, 4 of a box or 6 and more of an outline."""

    label: int
    numbers: tuple[float, ...]

    @property
    def outlined(self) -> bool:
        return len(self.numbers) > 4

    def points(self, height: int, width: int) -> FloatArray:
        """(k, 2) x and y in pixels: of the outline, or of the box's corners."""
        if self.outlined:
            return np.array(self.numbers, np.float64).reshape(-1, 2) * (width, height)
        x, y, wide, high = self.numbers
        return np.array([(x - wide / 2, y - high / 2), (x + wide / 2, y + high / 2)]) * (width, height)


class Yolo(SceneReader):
    """Boxes, or instances when every object has an outline."""

    summary = "YOLO: data.yaml, images/ and labels/*.txt; boxes, or instances when every line is an outline"
    licence = "the user's own"
    Options = YoloOptions

    def listed(self, root: Path, findings: Findings) -> Listing:
        options: YoloOptions = self.options
        file = next((root / name for name in FILES if (root / name).is_file()), None)
        if file is None:
            raise DataError("has no data.yaml", where=str(root))
        content = _content(file)
        names = _names(content, file)
        found: list[tuple[str, Path, Path | None, list[_Line]]] = []
        places = {split: list(_places(content, split, root, file)) for split in SPLITS if content.get(split)}
        for split, own in places.items():
            if split != "train" and _resolved(own) == _resolved(places.get("train", [])):
                findings.note(file, f"{split} names the same pictures as train: it is no split")
            else:
                for picture in _pictures(own, findings, root):
                    labels = _labels_of(picture)
                    lines = _lines(labels, len(names), findings) if labels.is_file() else []
                    if not lines:
                        findings.note(picture, f"has no {'objects' if labels.is_file() else 'label file'}: background")
                    found.append((split, picture, labels if labels.is_file() else None, lines))
        _orphans(found, findings)
        every = [line for *_, lines in found for line in lines]
        masked = bool(every) and all(line.outlined for line in every) and not options.boxes
        read = _masks if masked else _boxes
        scenes = tuple(
            Scene(split, picture, partial(read, labels or picture, lines), (labels,) if labels else ())
            for split, picture, labels, lines in found
        )
        return Listing(AnnotationKind.INSTANCES if masked else AnnotationKind.BOXES, names, scenes)

    @classmethod
    def recognises(cls, root: Path) -> bool:
        return any((root / name).is_file() for name in FILES)


def _content(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > MOST_YAML:
            raise DataError(f"more than {MOST_YAML:,} bytes", where=str(file), hint="it cannot be a data.yaml")
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        words = " ".join(str(error).split())[:200]
        raise DataError(f"not plain YAML ({words})", where=str(file)) from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if not isinstance(content, dict):
        raise DataError("must be a mapping of keys to values", where=str(file))
    return content


def _names(content: Mapping[str, Any], file: Path) -> tuple[str, ...]:
    names = content.get("names")
    if isinstance(names, Mapping):
        if set(names) != set(range(len(names))):
            numbers = ", ".join(map(str, names))
            raise DataError(f"its names are numbered {numbers}", where=str(file), hint="number them 0, 1, …")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataError("has no names", where=str(file), hint="names: [cat, dog]")
    classes = tuple(map(str, names))
    if len(set(classes)) < len(classes):
        raise DataError("names a class twice", where=str(file))
    if content.get("nc", len(classes)) != len(classes):
        what = f"nc is {content['nc']}, there are {len(classes)} names"
        raise DataError(what, where=str(file), hint="mend one of them")
    return classes


def _places(content: Mapping[str, Any], split: str, root: Path, file: Path) -> Iterator[Path]:
    """The folders or lists of a split. ``path:`` counts when it is there and inside the folder of the file."""
    ground = root
    if content.get("path"):
        given = (root / str(content["path"])).resolve()
        if given.is_dir() and given.is_relative_to(root.resolve()):
            ground = given
    written = content[split]
    for name in written if isinstance(written, list | tuple) else [written]:
        text = str(name)
        usual = text[3:] if text.startswith("../") else text  # as some tools export it
        candidates = [path for path in (ground / text, ground / usual, root / usual) if path.exists()]
        place = next((path for path in candidates if _inside(path, root)), None)
        if place is not None:
            yield place
        elif candidates:
            raise DataError(f"{split} leaves the folder: {text!r}", where=str(file), hint="move the pictures into it")
        else:
            hint = "write it as a path from the folder of the file"
            raise DataError(f"{split} is not there: {text!r}", where=str(file), hint=hint)


def _resolved(paths: Sequence[Path]) -> set[Path]:
    return {path.resolve() for path in paths}


def _inside(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root.resolve())


def _pictures(places: Sequence[Path], findings: Findings, root: Path) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            for folder in sorted((place, *(path for path in place.rglob("*") if path.is_dir()))):
                yield from pictures_in(folder)
            continue
        for line in text_lines(place):
            picture = next((p for p in (place.parent / line.strip(), root / line.strip()) if p.is_file()), None)
            if not line.strip():
                continue
            if picture is None or not _inside(picture, root) or picture.suffix.lower() not in EXTENSIONS:
                findings.problem(place, f"names {line.strip()!r}, which is no picture in the folder", "mend the line")
            else:
                yield picture


def _labels_of(picture: Path) -> Path:
    """``…/images/a/b.jpg`` → ``…/labels/a/b.txt``; beside the picture without a folder ``images``."""
    parts = list(picture.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return Path(*parts).with_suffix(".txt")


def _orphans(found: Sequence[tuple[str, Path, Path | None, list[_Line]]], findings: Findings) -> None:
    """Label files beside those that were read, which belong to no picture."""
    used = {labels for _, _, labels, _ in found}
    for folder in sorted({_labels_of(picture).parent for _, picture, _, _ in found}):
        for file in sorted(folder.glob("*.txt")) if folder.name != "images" and folder.is_dir() else ():
            if file not in used and file.name not in ("classes.txt", "train.txt", "val.txt", "test.txt"):
                findings.problem(file, "has no picture", "add it, or remove the label file")


def _lines(file: Path, classes: int, findings: Findings) -> list[_Line]:
    lines = []
    for number, text in enumerate(file.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        if not text.strip():
            continue
        where = f"{file}:{number}"
        try:
            label, *numbers = map(float, text.split())
        except ValueError:
            findings.problem(where, f"holds what is no number: {text.strip()[:60]!r}", "class x y width height")
            continue
        shares = np.array(numbers)
        if len(numbers) != 4 and (len(numbers) < 6 or len(numbers) % 2):
            what = f"has {len(numbers)} numbers after the class"
            findings.problem(where, what, "a box has 4, an outline at least three points: 6, 8, …")
        elif not np.isfinite([label, *numbers]).all():
            findings.problem(where, "has a coordinate that is no number", "mend or remove the line")
        elif label != int(label) or not 0 <= label < classes:
            findings.problem(where, f"has the class {label:g}, there are {classes} (0 to {classes - 1})", "mend it")
        elif (np.abs(shares) > BEYOND).any():
            what = f"has {shares[np.abs(shares) > BEYOND][0]:g}, which is no share of the picture"
            findings.problem(where, what, "YOLO's coordinates run from 0 to 1; are these pixels?")
        elif len(numbers) == 4 and (shares[2:] < 0).any():
            findings.problem(where, "has a negative size", "mend or remove the line")
        else:
            lines.append(_Line(int(label), tuple(numbers)))
    return lines


def _boxes(file: Path, lines: Sequence[_Line], height: int, width: int, findings: Findings) -> list[Box]:
    boxes = []
    for line in lines:
        points = line.points(height, width)
        (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        boxes.append(Box(line.label, (x1, y1, x2, y2)))
    return boxes


def _masks(file: Path, lines: Sequence[_Line], height: int, width: int, findings: Findings) -> list[Instance]:
    masks = (polygons_mask([line.points(height, width)], height, width, file, findings) for line in lines)
    return [Instance(line.label, mask) for line, mask in zip(lines, masks, strict=True)]
