"""Class lists of data sets: names, and the colours that stand for them in masks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvbench.errors import DataError, near_names
from cvbench.scenes import IGNORED

FILES = ("classes.json", "classes.txt")
HINT = (
    "set the option classes, or write classes.txt (a name a line, the first is value 0) or classes.json "
    '({"background": 0, "thing": 255} for masks of two greys, {"sky": [128, 128, 128], …} for masks in colours)'
)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ClassList:
    """``names``: of the values 0, 1, … in a mask. ``colours``: of each name, when masks are read by colour or grey."""

    names: tuple[str, ...]
    colours: tuple[Colour, ...] = ()


def class_files(root: Path) -> tuple[Path, ...]:
    """Those that are there: what masks are read as depends on them."""
    return tuple(file for file in (root / name for name in FILES) if file.is_file())


def class_list(root: Path, given: Sequence[str]) -> ClassList | None:
    """The names given, else what ``classes.json`` or ``classes.txt`` in the folder says, else None.

    Raises :class:`DataError` for a file that is no class list, and for a name that is there twice.
    """
    if given:
        return _sound(ClassList(tuple(given)), "the option classes")
    for file in class_files(root):
        try:
            text = file.read_text(encoding="utf-8-sig")  # with the mark that Notepad writes
            found = _of_json(json.loads(text)) if file.suffix == ".json" else _of_lines(text)
        except (ValueError, TypeError) as error:  # JSON's and UTF-8's own are ValueErrors
            hint = 'a list of names, or a mapping {"background": 0, "thing": [255, 255, 255]} to greys or colours'
            raise DataError(f"no class list ({error})", where=str(file), hint=hint) from None
        return _sound(found, str(file))
    return None


def _of_lines(text: str) -> ClassList:
    return ClassList(tuple(line.strip() for line in text.splitlines() if line.strip()))


def _of_json(content: Any) -> ClassList:
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return ClassList(tuple(content))
    if not isinstance(content, Mapping):
        raise ValueError("neither a list of names nor a mapping")
    colours = [tuple(colour) if isinstance(colour, list) else (colour,) * 3 for colour in content.values()]
    if any(len(c) != 3 or any(type(v) is not int or not 0 <= v <= 255 for v in c) for c in colours):
        raise ValueError("a colour is three whole numbers from 0 to 255, a grey is one")
    if len(set(colours)) < len(colours):
        raise ValueError("a colour stands for two classes")
    return ClassList(tuple(content), tuple((r, g, b) for r, g, b in colours))


def _sound(classes: ClassList, where: str) -> ClassList:
    if not classes.names:
        raise DataError("names no class", where=where)
    if repeated := sorted({name for name in classes.names if classes.names.count(name) > 1}):
        raise DataError(f"names {repeated[0]!r} twice", where=where)
    return classes


def without(classes: ClassList, ignored: Sequence[str], where: str) -> tuple[str, ...]:
    """The names that are left. Raises :class:`DataError` for an ignored one that is not there, or none left."""
    for name in ignored:
        if name not in classes.names:
            hint = near_names(name, classes.names)
            raise DataError(f"the option ignore names {name!r}, which is no class", where=where, hint=hint)
    left = tuple(name for name in classes.names if name not in ignored)
    if not left:
        raise DataError("the option ignore leaves no class", where=where)
    return left


def names_in_masks(classes: ClassList, ignored: Sequence[str], where: str) -> tuple[str, ...]:
    """As :func:`without`; raises :class:`DataError` for more classes than a mask of bytes tells apart, too."""
    if len(classes.names) > IGNORED:
        raise DataError(f"{len(classes.names)} classes do not fit a mask of {IGNORED} values", where=where)
    return without(classes, ignored, where)
