"""MOTChallenge's text: a line per box, of a ground truth or of a tracker's result.

``frame, id, left, top, width, height, flag, class, visibility`` (MOT16 and later), ``frame, id, left, top, width,
height, flag, x, y, z`` (MOT15); a result has its confidence in place of the flag. Frames and pixels count from 1, in
:class:`~cvbench.clips.Tracks` from 0. A text needs no frames: metrics read results and ground truth from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cvbench.clips import Tracks
from cvbench.errors import DataError, counted
from cvbench.readers.box_rows import line_numbers, read_lines
from cvbench.readers.findings import Findings
from cvbench.samples import FloatArray, IntArray

LEAST_COLUMNS = 6
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

    Raises :class:`DataError` for a line that cannot be read, and an id that is twice in a frame.
    """
    findings = findings or Findings(strict=True)
    rows, lines = _rows(file)
    flag = rows[:, 6] if rows.shape[1] > 6 else np.ones(len(rows))
    kinds = rows[:, 7].astype(np.int64) if rows.shape[1] == MOT16_COLUMNS else np.full(len(rows), PEDESTRIAN)
    seen = rows[:, 8].clip(0, 1) if rows.shape[1] == MOT16_COLUMNS else np.ones(len(rows))
    if classes:
        wrong = (kinds < 1) | (kinds > len(classes))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            what = f"class {kinds[first]}: labels.txt names 1 to {len(classes)}"
            raise DataError(what, where=f"{file}:{lines[first]}")
        kept, ignored, labels = np.ones(len(rows), np.bool_), flag == 0, kinds - 1
    else:
        ignored, labels = np.isin(kinds, distractors), np.zeros(len(rows), np.int64)
        kept = ((kinds == PEDESTRIAN) & (flag != 0)) | ignored
        _tell_what_is_left_out(kinds[~kept], file, findings)
    flat = (rows[:, 4] <= 0) | (rows[:, 5] <= 0)
    findings.note_count(file, int((flat & kept).sum()), "box", "of no area: left out")
    kept &= ~flat
    _refuse_repeats(rows, lines, file)
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
    """A tracker's boxes, of class 0. Raises :class:`DataError` as :func:`read_truth` does."""
    rows, lines = _rows(file)
    _refuse_repeats(rows, lines, file)
    sound = (rows[:, 4] > 0) & (rows[:, 5] > 0)
    count = int(sound.sum())
    return _tracks(rows[sound], np.zeros(count, np.int64), np.ones(count), np.zeros(count, np.bool_))


def is_mot_text(file: Path) -> bool:
    """Whether its first line has the columns of MOTChallenge's, which no box or polygon of one object has."""
    return len(line_numbers(read_lines(file)[0], file, 1)) in (7, MOT16_COLUMNS, 10)


def _rows(file: Path) -> Lines:
    """float64 (M, columns) in the file's order."""
    texts = [(number, line) for number, line in enumerate(read_lines(file), start=1) if line.strip()]
    rows = [line_numbers(line, file, number) for number, line in texts]
    for (number, _), row in zip(texts, rows, strict=True):
        where = f"{file}:{number}"
        if len(row) < LEAST_COLUMNS or len(row) != len(rows[0]):
            raise DataError(
                f"{len(row)} columns; frame, id, left, top, width and height are needed, and as many in every line",
                where=where,
            )
        if not np.isfinite(row[:LEAST_COLUMNS]).all():
            raise DataError("NaN or infinite; a frame without the object has no line", where=where)
        if row[0] < 1 or row[0] != int(row[0]):
            raise DataError(f"frame {row[0]:g}: frames count from 1", where=where)
    return np.stack(rows), np.array([number for number, _ in texts])


def _refuse_repeats(rows: FloatArray, lines: IntArray, file: Path) -> None:
    pairs, first, counts = np.unique(rows[:, :2].astype(np.int64), axis=0, return_index=True, return_counts=True)
    if (counts > 1).any():
        frame, own = pairs[counts > 1][0].tolist()
        if own < 0:
            raise DataError("ids are −1: these are detections, not tracks", where=str(file))
        line = lines[first[counts > 1][0]]
        raise DataError(f"the id {own} is twice in frame {frame}, first here", where=f"{file}:{line}")


def _tracks(rows: FloatArray, labels: IntArray, seen: FloatArray, ignored: np.ndarray) -> Tracks:
    left_top = rows[:, 2:4] - 1
    boxes = np.concatenate([left_top, left_top + rows[:, 4:6]], axis=1)
    return Tracks.of(rows[:, 0].astype(np.int64) - 1, rows[:, 1].astype(np.int64), boxes, labels, seen, ignored)
