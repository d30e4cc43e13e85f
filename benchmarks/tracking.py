"""Frames per second of every tracker, and of the harness around it: `python benchmarks/tracking.py`.

One row per tracker of the task `sot`, untrained (weights change the speed of `atom` alone: where it has lost the object
it does not fit a box): frames/s of the tracker alone, and what share of a pass's wall time is the tracker's, goes into
reading frames, and is the harness's own. With `--data`, a folder of VOT sequences.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from cvbench_tasks.sot import SingleObjectTracking
from cvbench_tasks.sot.sequences import Trajectory
from rich.console import Console
from rich.table import Table

from cvbench.clips import Clips, Frames
from cvbench.contracts import Workplace
from cvbench.errors import NotApplicable
from cvbench.plugins import make_options
from cvbench.readers.moving_digits import MovingDigits, MovingDigitsOptions
from cvbench.readers.vot import Vot
from cvbench.samples import UInt8Array

ASIDE = ("static", "yolo_csrt")  # no time at all; CSRT's, but for the frames in which it looks


def passes(name: str, clips: Clips) -> tuple[list[Trajectory], float]:
    """The tracker's trajectories, and the wall seconds of predicting and scoring as a cell does."""
    task = SingleObjectTracking()
    with tempfile.TemporaryDirectory() as folder:
        options = make_options(task.model_options(name), {})
        model = task.model(name, clips.spec, options=options, seed=0, workplace=Workplace(Path(folder)))
        began = time.perf_counter()
        found = list(model.predict(clips))
        task.score(found, clips)
        return found, time.perf_counter() - began


class Timed:
    """A clip's frames, which add up the seconds that reading them in order takes."""

    def __init__(self, frames: Frames | UInt8Array) -> None:
        self.frames, self.seconds = frames, 0.0

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, place: int) -> UInt8Array:
        return self.frames[place]

    def __iter__(self) -> Iterator[UInt8Array]:
        frames = iter(self.frames)
        while True:
            began = time.perf_counter()
            frame = next(frames, None)
            self.seconds += time.perf_counter() - began
            if frame is None:
                return
            yield frame


def measured(clips: Clips, title: str) -> Table:
    """A row per tracker; trackers that this installation lacks say so."""
    table = Table("tracker", "frames/s", "tracker", "reading", "harness", title=title)
    for info in SingleObjectTracking().models():
        if info.name in ASIDE:
            continue
        try:
            passes(info.name, clips.select([0]))  # imports and first calls
            timed = [Timed(clip.frames) for clip in clips.clips]
            watched = [replace(clip, frames=own) for clip, own in zip(clips.clips, timed, strict=True)]
            found, wall = passes(info.name, replace(clips, clips=tuple(watched)))
        except NotApplicable as error:
            table.add_row(info.name, str(error), "", "", "")
            continue
        tracker, reading = sum(float(one.seconds.sum()) for one in found), sum(own.seconds for own in timed)
        frames = sum(len(one.seconds) for one in found)
        shares = (tracker / wall, reading / wall, (wall - tracker - reading) / wall)
        table.add_row(info.name, f"{frames / tracker:,.0f}", *(f"{share:.1%}" for share in shares))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of VOT sequences; without it, moving digits")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.data:
        clips, title = Vot(Vot.Options(test_fraction=0.5)).open(arguments.data).test, str(arguments.data.name)
    else:
        options = MovingDigitsOptions(train=1, test=4, length=60, objects=1)
        clips, title = MovingDigits(options).open(None).test, "moving-digits, 96×96, grey"
    assert isinstance(clips, Clips)
    Console().print(measured(clips, title))


if __name__ == "__main__":
    main()
