"""Where a named data set lies: its ``root:``, ``CVBENCH_DATA/<name>``, or the cache folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from cvbench.errors import DataError

WHICH_FOLDER = "name it: root: in a suite, or cvbench check-data FOLDER --reader NAME"


def cached_place(name: str) -> Path:
    """Where a named set is kept when cvbench fetches it."""
    from cvbench.store import default_cache

    return default_cache() / "data" / name


def usual_places(name: str) -> list[Path]:
    """Where a named set is looked for when no root is given, in this order."""
    shared = os.environ.get("CVBENCH_DATA")
    return [*([Path(shared) / name] if shared else []), cached_place(name)]


def find_place(
    name: str, root: Path | None, *, download: bool, can_download: bool = True, also: Sequence[str] = ()
) -> Path:
    """The folder that holds the set, under its name or one it is also known by.

    Raises :class:`DataError` that lists where it was looked for.
    """
    places = [root] if root else [place for known in (name, *also) for place in usual_places(known)]
    for place in places:
        if place.is_dir() and any(place.iterdir()):
            return place
    if download and can_download and root is None:
        return cached_place(name)
    hint = "set root: or CVBENCH_DATA to a folder that has it"
    if can_download and not download:
        hint += ", or the option download: true where there is a network"
    raise DataError(f"no data set {name!r} in {' or '.join(map(str, places))}", where=name, hint=hint)
