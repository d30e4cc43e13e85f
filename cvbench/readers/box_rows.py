"""Ground truth of single-object tracking: a text with one box per frame, as OTB, GOT-10k and VOT write it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cvbench.clips import Tracks
from cvbench.errors import DataError
from cvbench.readers.findings import Findings
from cvbench.readers.pictures import text_lines
from cvbench.samples import FloatArray

TARGET = 1  # the id of the one object
VOT_CODES = (0, 1, 2)  # VOT writes a single number where there is no region: unknown, start, failure
LEAST_POINTS = 3  # of a polygon
INSTEAD = (0, 0, 1, 1)  # of a line that is told as a problem: its sequence is not used


def read_boxes(file: Path, findings: Findings) -> FloatArray:
    """float64 (frames, 4): x1, y1, x2, y2 of each line; NaN where the object is absent.

    A line is x, y, width, height; or the points of a polygon (6 numbers or more), for which its axis-aligned box
    stands: one of the two in all lines. Commas, semicolons, tabs or spaces separate. Absent are lines of NaN alone,
    boxes without area and VOT's codes. What is no such line is a problem; when it is not raised, a box stands there.
    Raises :class:`DataError` for a file without lines.
    """
    lines = read_lines(file)
    boxes = np.full((len(lines), 4), np.nan)
    numbers: dict[int, int] = {}  # line → how many of them, where there is a region
    flat = 0
    for place, line in enumerate(lines):
        try:
            values = line_numbers(line, file, place + 1)
            box = _box(values, file, place + 1)
        except DataError as error:
            findings.blame(error)
            boxes[place] = INSTEAD
            continue
        if box is None:
            continue
        if box[2] > box[0] and box[3] > box[1]:
            boxes[place] = box
        else:
            flat += any(values)
        if any(values):
            numbers[place + 1] = len(values)
    triangles = sum(count == 2 * LEAST_POINTS for count in numbers.values())
    findings.note_count(file, flat, "box", "of no area: the object is taken as absent there")
    findings.note_count(file, triangles, "polygon", "of 3 points: the box around it stands")
    _refuse_a_mixture(numbers, file, findings)
    return boxes


def single_track(
    boxes: FloatArray, frames: int, file: Path, findings: Findings, visibility: FloatArray | None = None
) -> Tracks:
    """The track of the one object from :func:`read_boxes`; ``visibility`` is 0..1 (frames,).

    A problem is when lines and frames differ in number, and when the object is absent from the first frame.
    """
    if len(boxes) != frames:
        hint = "every frame has a line, NaN where the object is absent"
        findings.problem(file, f"{len(boxes)} lines for {frames} frames", hint)
    there = ~np.isnan(boxes[:frames, 0])
    if not there[:1].all():
        what = "the object is absent from the first frame, in which trackers are shown it"
        findings.problem(file, what, "begin the sequence where it is seen")
    places = np.flatnonzero(there)
    seen = visibility[places] if visibility is not None else None
    return Tracks.of(places, np.full(len(places), TARGET), boxes[places], visibility=seen)


def read_flags(file: Path, frames: int) -> FloatArray:
    """float64 (frames,): the number on each line. Raises :class:`DataError` for another number of lines."""
    values = [line_numbers(line, file, number) for number, line in enumerate(read_lines(file), start=1)]
    if len(values) != frames or any(len(own) != 1 for own in values):
        raise DataError(f"{len(values)} lines for {frames} frames; a line has one number", where=str(file))
    return np.concatenate(values)


def read_lines(file: Path) -> list[str]:
    """The lines of a text, without empty ones at its end. Raises :class:`DataError` when there is none."""
    lines = text_lines(file)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise DataError("is empty", where=str(file), hint="a ground truth has a line per frame")
    return lines


def line_numbers(line: str, file: Path, number: int) -> FloatArray:
    """float64 (k,), k ≥ 1: the line's numbers. Raises :class:`DataError` for anything else, VOT's masks too."""
    parts: Sequence[str] = [part for part in re.split(r"[,;\s]+", line.strip()) if part]
    try:
        values = np.array([float(part) for part in parts])
    except ValueError:
        mask = " is a mask: boxes and polygons are read" if line.startswith("m") else " are not numbers"
        raise DataError(f"{line.strip()[:40]!r}{mask}", where=f"{file}:{number}") from None
    if not len(values):
        raise DataError("is empty", where=f"{file}:{number}", hint="write NaN where the object is absent")
    return values


def _box(values: FloatArray, file: Path, number: int) -> FloatArray | None:
    """x1, y1, x2, y2; None where the line says that the object is absent."""
    if np.isnan(values).all() or (len(values) == 1 and values[0] in VOT_CODES):
        return None
    if not np.isfinite(values).all():
        what = f"{'infinite' if np.isinf(values).any() else 'NaN'} beside other numbers"
        raise DataError(what, where=f"{file}:{number}", hint="where the object is absent all numbers are NaN")
    if len(values) == 4:
        x, y, width, height = values
        return np.array([x, y, x + width, y + height])
    if len(values) % 2 or len(values) < 2 * LEAST_POINTS:
        what = f"{len(values)} numbers: a box has 4, a polygon 2 for each of its 3 or more points"
        raise DataError(what, where=f"{file}:{number}")
    points = values.reshape(-1, 2)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


def _refuse_a_mixture(numbers: Mapping[int, int], file: Path, findings: Findings) -> None:
    """Boxes among polygons, or polygons among boxes, are a problem each; of lines and how many numbers they have."""
    boxes = [line for line, count in numbers.items() if count == 4]
    polygons = [line for line, count in numbers.items() if count != 4]
    if boxes and polygons:
        few, others = (boxes, "polygons") if len(boxes) < len(polygons) else (polygons, "boxes")
        for line in few:
            what = f"{numbers[line]} numbers, a {'box' if few is boxes else 'polygon'}: the other lines are {others}"
            findings.problem(f"{file}:{line}", what, "bring all lines to one of the two")
