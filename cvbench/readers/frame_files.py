"""The frames of a video that are picture files in a folder, and how fast they follow each other."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from cvbench.errors import DataError
from cvbench.readers.items import named

PICTURES = {".jpg", ".jpeg", ".png", ".bmp"}
MOST_FPS = 240  # a camera's; a container that says more says its clock


def picture_files(folder: Path) -> tuple[Path, ...]:
    """The pictures of a folder in the order of their numbers.

    Raises :class:`DataError` for a folder without any, names without a number, and numbers that are missing or twice.
    """
    files = frames_of(folder) if folder.is_dir() else []
    if not files:
        raise DataError("no frames: no numbered pictures are there", where=str(folder))
    unnumbered = sorted(file.name for file in files if not re.search(r"\d+$", file.stem))
    if unnumbered:
        raise DataError(f"frames are numbered, these are not: {named(unnumbered)}", where=str(folder))
    files.sort(key=frame_number)
    for before, after in pairwise(files):
        step = frame_number(after) - frame_number(before)
        if step == 0:
            raise DataError(f"{before.name} and {after.name} are the same frame", where=str(folder))
        if step > 1:
            missing = frame_number(before) + 1
            raise DataError(
                f"frame {missing} is missing: {before.name} is followed by {after.name}",
                where=str(folder),
                hint="put it there, or number the frames without a gap",
            )
    return tuple(files)


def frames_of(folder: Path) -> list[Path]:
    """The pictures of a folder, in no order."""
    return [file for file in folder.iterdir() if file.suffix.lower() in PICTURES]


def frame_number(file: Path) -> int:
    """The number that a frame's file name ends with."""
    found = re.search(r"\d+$", file.stem)
    assert found is not None
    return int(found.group())


def frame_rate(told: str | float) -> float | None:
    """Frames per second, if this is one; players and writers have their own where nothing says it."""
    try:
        rate = float(told)
    except ValueError:
        return None
    return rate if 0 < rate <= MOST_FPS else None
