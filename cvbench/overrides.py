"""``--set key=value``: changes to a suite before it is checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvbench.errors import UserError, near_names
from cvbench.yaml_source import KeyPath, Source, parse_value, written


@dataclass(frozen=True)
class Overridden(Source):
    """A source some of whose values were given on the command line."""

    def where(self, path: KeyPath) -> str:
        """As a source tells it; ``--set ratios`` alone where the place names the whole key already."""
        said = super().where(path)
        place = said.removesuffix(f": {written(path)}")
        given = place.removeprefix("--set ").split(".") if place.startswith("--set ") else []
        return place if len(given) == len(path) and given[-1:] == [str(part) for part in path[-1:]] else said


def overridden(source: Source, overrides: Sequence[str]) -> Source:
    """The source with each ``key=value`` put in; what was put in stands at ``--set key``.

    A key is dotted; a part of it inside a list is a number or an entry's label: ``generators.flow.budget.steps``.
    Raises :class:`UserError` for a text without a key or a value, and for a place that is not there.
    """
    data, places = source.data, dict(source.places)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals or not key:
            raise UserError("must be KEY=VALUE", where=f"--set {override}")
        where = f"--set {key}"
        put = _put(data, key, parse_value(value, where), where)
        places = {path: place for path, place in places.items() if path[: len(put)] != put} | {put: where}
    return Overridden(source.name, data, places)


def _put(data: dict[str, Any], key: str, value: Any, where: str) -> KeyPath:
    """Change the data in place; the path of what is new, mappings made on the way included."""
    path: KeyPath = ()
    new: KeyPath | None = None
    place: Any = data
    *parents, last = key.split(".")
    for part in parents:
        step = _step(place, part, where)
        path = (*path, step)
        if isinstance(place, dict) and place.get(step) is None:
            place[step] = {}
            new = new or path
        if isinstance(place[step], str):
            place[step] = {"name": place[step]}
        place = place[step]
    step = _step(place, last, where)
    place[step] = value
    return new or (*path, step)


def _step(place: Any, part: str, where: str) -> Any:
    """A key of a mapping; a place in a list, by number or by an entry's label."""
    if isinstance(place, dict):
        return part
    if not isinstance(place, list):
        raise UserError(f"{part!r} is inside something that is neither a mapping nor a list", where=where)
    labels = [str(entry.get("as", entry.get("name"))) if isinstance(entry, dict) else str(entry) for entry in place]
    for called in (labels, [Path(label).name for label in labels]):  # a folder's label is its last part
        if part in called:
            return called.index(part)
    if part.isdecimal() and int(part) < len(place):
        return int(part)
    raise UserError(f"there is no entry {part!r}", where=where, hint=near_names(part, labels))
