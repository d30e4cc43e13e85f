"""MOTChallenge's text: a line per box, of a ground truth or of a tracker's result.

``frame, id, left, top, width, height, flag, class, visibility`` (MOT16 and later), ``frame, id, left, top, width,
height, flag, x, y, z`` (MOT15); a result has its confidence in place of the flag. Frames and pixels count from 1, in
:class:`~cvbench.clips.Tracks` from 0. A text needs no frames: metrics read results and ground truth from it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvbench.clips import Tracks
from cvbench.errors import DataError, counted
from cvbench.readers.box_rows import line_numbers, read_lines
from cvbench.readers.findings import Findings
from cvbench.samples import BoolArray, FloatArray, IntArray

LEAST_COLUMNS = 6
NO_ID = -1  # in a det.txt. 0 is an id: trackers, and sets written like MOTChallenge's, count from it
MOT16_COLUMNS = 9
PEDESTRIAN = 1
DISTRACTORS = (2, 7, 8, 12)  # person on vehicle, static person, distractor, reflection: neither hit nor miss
MOT20_DISTRACTORS = (*DISTRACTORS, 6)  # and vehicles without a motor
Lines = tuple[FloatArray, IntArray]  # (M, columns) and each row's line in the file


def read_truth(
    file: Path,
    classes: Sequence[str] = (),
    findings: Findings | None = None,
    distractors: Sequence[int] = DISTRACTORS,
) -> Tracks:
    """The objects of a ``gt.txt``, as the benchmark's own evaluation takes them.

    Without ``classes``, of MOT16 and later: pedestrians that the flag says count; distractors are ``ignored``, all
    else (vehicles, occluders, rows with flag 0) is left out. TrackEval lets these take a detection first, which is
    then a false positive even beside a distractor: the one difference. Of MOT15: all rows but those with flag 0. With
    ``classes`` (CVAT's ``labels.txt``) class k is the k-th of them and rows with flag 0 are ``ignored``.

    A line that cannot be read and an id that is twice in a frame are problems: raised, or told to ``findings`` and
    left out. Raises :class:`DataError` for a text without lines, and for detections, which have no ids.
    """
    findings = findings or Findings(strict=True)
    rows, lines = _rows(file, findings)
    flag = rows[:, 6] if rows.shape[1] > 6 else np.ones(len(rows))
    kinds = rows[:, 7].astype(np.int64) if rows.shape[1] == MOT16_COLUMNS else np.full(len(rows), PEDESTRIAN)
    seen = rows[:, 8].clip(0, 1) if rows.shape[1] == MOT16_COLUMNS else np.ones(len(rows))
    if classes:
        kept, ignored, labels = (kinds >= 1) & (kinds <= len(classes)), flag == 0, kinds - 1
        for place in np.flatnonzero(~kept):
            findings.problem(f"{file}:{lines[place]}", f"class {kinds[place]}: labels.txt names 1 to {len(classes)}")
    else:
        ignored, labels = np.isin(kinds, distractors), np.zeros(len(rows), np.int64)
        kept = ((kinds == PEDESTRIAN) & (flag != 0)) | ignored
        _tell_what_is_left_out(kinds[~kept], file, findings)
    flat = (rows[:, 4] <= 0) | (rows[:, 5] <= 0)
    findings.note_count(file, int((flat & kept).sum()), "box", "of no area: left out")
    kept &= ~flat & ~_repeats(rows, lines, file, findings)
    return _tracks(rows[kept], labels[kept], seen[kept], ignored[kept])


def _tell_what_is_left_out(kinds: IntArray, file: Path, findings: Findings) -> None:
    """``kinds`` (k,): the classes of the rows that do not count."""
    if len(kinds):
        told = [
            f"{counted(rows, 'row')} {'with flag 0' if kind == PEDESTRIAN else f'of class {kind}'}"
            for kind, rows in zip(*(column.tolist() for column in np.unique(kinds, return_counts=True)), strict=True)
        ]
        findings.note(file, f"left out: {', '.join(told)}; counted: class {PEDESTRIAN}")


def read_result(file: Path) -> Tracks:
    """A tracker's boxes, of class 0; an empty text is of one that found nothing.

    Raises :class:`DataError` for all that is a problem in a ground truth too.
    """
    if file.is_file() and not file.stat().st_size:
        return Tracks.of(np.zeros(0), np.zeros(0), np.zeros((0, 4)))
    findings = Findings(strict=True)
    rows, lines = _rows(file, findings)
    _repeats(rows, lines, file, findings)
    sound = (rows[:, 4] > 0) & (rows[:, 5] > 0)
    count = int(sound.sum())
    return _tracks(rows[sound], np.zeros(count, np.int64), np.ones(count), np.zeros(count, np.bool_))


def is_mot_text(file: Path) -> bool:
    """Whether its first line has the columns of MOTChallenge's, which no box or polygon of one object has."""
    return len(line_numbers(read_lines(file)[0], file, 1)) in (7, MOT16_COLUMNS, 10)


def _rows(file: Path, findings: Findings) -> Lines:
    """The rows in the file's order; what is none is a problem, and left out."""
    rows: list[FloatArray] = []
    numbers: list[int] = []
    for number, line in enumerate(read_lines(file), start=1):
        if line.strip():
            try:
                rows.append(line_numbers(line, file, number))
                numbers.append(number)
            except DataError as error:
                findings.blame(error)
    columns = max(Counter(map(len, rows)).most_common(1)[0][0], LEAST_COLUMNS) if rows else LEAST_COLUMNS
    for number, row in zip(numbers, rows, strict=True):
        if len(row) != columns:
            needed = "frame, id, left, top, width and height are needed, and as many in every line"
            findings.problem(f"{file}:{number}", f"{len(row)} columns; {needed}")
    whole = [place for place, row in enumerate(rows) if len(row) == columns]
    table = np.array([rows[place] for place in whole]).reshape(-1, columns)
    lines = np.array([numbers[place] for place in whole], np.int64)
    if len(table) and (table[:, 1] == NO_ID).all():
        hint = "a ground truth has each object's own id; det.txt has −1"
        raise DataError("all ids are −1: these look like detections, not tracks", where=str(file), hint=hint)
    frame, own = table[:, 0], table[:, 1]
    sound = np.isfinite(table[:, :LEAST_COLUMNS]).all(axis=1)
    sound &= (frame >= 1) & (frame == np.floor(frame)) & (own >= 0) & (own == np.floor(own))
    for place in np.flatnonzero(~sound):
        findings.problem(f"{file}:{lines[place]}", _fault(table[place]))
    return table[sound], lines[sound]


def _fault(row: FloatArray) -> str:
    """What is wrong with a row that is not sound."""
    frame, own = row[:2]
    if not np.isfinite(row[:LEAST_COLUMNS]).all():
        return "NaN or infinite; a frame without the object has no line"
    if frame < 1 or frame != int(frame):
        return f"frame {frame:.15g}: frames count from 1, in whole numbers"
    return f"id {own:.15g}: an id is a whole number and not negative"


def _repeats(rows: FloatArray, lines: IntArray, file: Path, findings: Findings) -> BoolArray:
    """bool (M,): the rows whose frame and id an earlier one has; each is a problem."""
    _, first, same = np.unique(rows[:, :2].astype(np.int64), axis=0, return_index=True, return_inverse=True)
    earlier = first[same.reshape(-1)]
    repeated: BoolArray = earlier != np.arange(len(rows))
    for place in np.flatnonzero(repeated):
        frame, own = rows[place, :2].astype(np.int64)
        what = f"the id {own} is twice in frame {frame}: here and in line {lines[place]}"
        findings.problem(f"{file}:{lines[earlier[place]]}", what, "leave one of the two")
    return repeated


def _tracks(rows: FloatArray, labels: IntArray, seen: FloatArray, ignored: BoolArray) -> Tracks:
    left_top = rows[:, 2:4] - 1
    boxes = np.concatenate([left_top, left_top + rows[:, 4:6]], axis=1)
    return Tracks.of(rows[:, 0].astype(np.int64) - 1, rows[:, 1].astype(np.int64), boxes, labels, seen, ignored)
