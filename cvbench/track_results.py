"""What a run's trackers answer to the test clips, as the texts that benchmarks score."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.answers import predicted
from cvbench.clip_showing import clips_alone
from cvbench.clips import Clip, Clips, Tracks
from cvbench.contracts import Progress, Task, counting
from cvbench.errors import NotApplicable, UserError
from cvbench.formats import TrackFormat
from cvbench.plugins import load_task
from cvbench.readers.videos import Letterboxed
from cvbench.run_folder import RunFolder
from cvbench.samples import AnnotationKind, FloatArray
from cvbench.showing import file_name, trained_on
from cvbench.store import Store

Text = tuple[Path, str]  # where, below the folder of all results, and what
FIRST_PIXEL = {TrackFormat.mot: 1, TrackFormat.otb: 1, TrackFormat.got10k: 0, TrackFormat.vot: 0}
VOT_START = "1"  # stands for the first frame's box, which the tracker was given


def results_of_run(
    run: RunFolder, store: Store, seed: int | None, form: TrackFormat, progress: Progress
) -> Iterator[list[Text]]:
    """Of each trained tracker of one seed its answers to the whole test split: a text per clip, in a folder of its own.

    Raises :class:`UserError` for a seed that the run has not, a task without clips, one of many objects where the
    format holds one, and two trackers or clips whose names give one file.
    """
    told: set[Path] = set()
    task = load_task(run.suite["task"])
    if task.kind is not AnnotationKind.TRACKS:
        raise UserError(f"is a run of {run.suite['task']}: it has no tracks", where=str(run.path))
    for record, items, found in predicted(run, store, seed, None):
        place, clips = record.coordinates, clips_alone(items, str(run.path))
        name = file_name(place.dataset, place.real, place.model, *trained_on(place), f"seed{place.seed}")
        texts = list(result_texts(task, counting(found, len(clips), "tracking", progress), clips, name, form))
        for file, _ in texts:
            if file in told:
                hint = "rename one: in a file's name they are the same"
                raise UserError(f"two trackers or clips would be written as {file}", where=str(run.path), hint=hint)
            told.add(file)
        yield texts


def result_texts(
    task: Task, predictions: Iterable[Any], clips: Clips, tracker: str, form: TrackFormat
) -> Iterator[Text]:
    """One tracker's predictions of the clips as a benchmark's own toolkit lays them out; numbers in full.

    Frames count from 1, boxes are in the pixels of the clip's own files. Raises :class:`UserError` for predictions of
    many objects where the format holds one.
    """
    if form is TrackFormat.mot:
        answers = clips_alone(task.answers(predictions, clips), tracker)
        yield from (text for clip in answers.clips for text in _mot_texts(clip, clips.spec.classes, tracker))
        return
    try:
        found = task.trajectories(predictions, clips)
    except NotApplicable as error:
        raise UserError(str(error), where=f"--format {form.value}", hint="use mot") from None
    for clip, (boxes, seconds) in zip(clips.clips, found, strict=True):
        name, lines = _name(clip), [",".join(row) for row in _rows(clip, boxes, form)]
        if form is TrackFormat.otb:
            yield Path(tracker) / f"{name}.txt", _joined(lines)
            continue
        place = Path(tracker) / name
        lines[0] = VOT_START if form is TrackFormat.vot else lines[0]
        yield place / f"{name}_001.txt", _joined(lines)
        if form is TrackFormat.got10k:
            yield place / f"{name}_time.txt", _joined([f"{one:.8f}" for one in seconds.tolist()])


def _mot_texts(clip: Clip, classes: tuple[str, ...], tracker: str) -> Iterator[Text]:
    """``<tracker>/data/<clip>.txt`` as TrackEval looks for it. It holds one class: of several, each is a tracker's."""
    for label, name in enumerate(classes):
        own = clip.tracks.select(clip.tracks.labels == label)
        folder = tracker if len(classes) == 1 else f"{tracker}-{file_name(name)}"
        yield Path(folder) / "data" / f"{_name(clip)}.txt", _joined(_mot_lines(clip, own))


def _mot_lines(clip: Clip, tracks: Tracks) -> list[str]:
    """``frame,id,left,top,width,height,score,-1,-1,-1``; tracks have no scores: each counts."""
    rows = _rows(clip, tracks.boxes.astype(np.float64), TrackFormat.mot)
    keys = zip((tracks.frames + 1).tolist(), tracks.ids.tolist(), strict=True)
    return [f"{frame},{one},{','.join(row)},1,-1,-1,-1" for (frame, one), row in zip(keys, rows, strict=True)]


def _rows(clip: Clip, boxes: FloatArray, form: TrackFormat) -> list[list[str]]:
    """Left, top, width and height of boxes (k, 4), in the pixels of the clip's files, to the last digit.

    The reader's ``size`` may have scaled these.
    """
    own = clip.frames.fit.own_boxes(boxes) if isinstance(clip.frames, Letterboxed) else boxes
    rows = np.hstack([own[:, :2] + FIRST_PIXEL[form], own[:, 2:] - own[:, :2]])
    return [[np.format_float_positional(value, trim="-") for value in row] for row in rows]


def _name(clip: Clip) -> str:
    """The clip's name as benchmarks know it; nothing in it that a file's name may not have."""
    return re.sub(r"[^\w.()\[\] +-]+", "_", clip.name)


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
