"""Frames per second of every associator, and of the harness around it: `python benchmarks/mot.py`.

One table of the task `tracking`: an untrained detector looks at every frame (weights do not change the speed), then the
associator is given the true boxes, so that it has objects to follow. Shares are of the wall time of predicting.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.tracking import Tracking
from cvbench_tasks.tracking.association import Associator
from rich.console import Console
from rich.table import Table

from cvbench.clips import Clips
from cvbench.contracts import Workplace
from cvbench.errors import NotApplicable
from cvbench.plugins import make_options
from cvbench.readers.moving_digits import MovingDigits, MovingDigitsOptions


class Timed(Associator):
    """An associator and the seconds that it took, added to ``spent``."""

    def __init__(self, inner: Associator, spent: dict[str, float]) -> None:
        self.inner, self.spent = inner, spent

    def update(self, boxes: Any, scores: Any, frame: Any) -> Any:
        began = time.perf_counter()
        told = self.inner.update(boxes, scores, frame)
        self.spent["associator"] += time.perf_counter() - began
        return told


class Looking:
    """A detector whose seconds are added to ``spent``, and which answers with what is there."""

    def __init__(self, inner: Any, clips: Clips, spent: dict[str, float]) -> None:
        self.inner, self.spent = inner, spent
        self.frames = iter([(clip.tracks, frame) for clip in clips.clips for frame in range(len(clip))])

    def predict(self, pictures: Any) -> Iterator[Detections]:
        began = time.perf_counter()
        list(self.inner.predict(pictures))
        self.spent["detector"] += time.perf_counter() - began
        for _ in range(len(pictures)):
            tracks, frame = next(self.frames)
            own = tracks.rows(frame)
            sure = np.full(own.stop - own.start, 0.9, np.float32)
            yield Detections(tracks.boxes[own], sure, tracks.labels[own])


def row(name: str, detector: str, clips: Clips) -> list[str]:
    """One tracker's frames/s and shares; or why it cannot be had here."""
    task, spent = Tracking(), {"associator": 0.0, "detector": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        options = make_options(task.model_options(name), {"detector": detector})
        try:
            model: Any = task.model(name, clips.spec, options=options, seed=0, workplace=Workplace(Path(folder)))
        except NotApplicable as error:
            return [name, str(error), "", "", "", ""]
    fresh = model.fresh
    model.fresh = lambda seed: Timed(fresh(seed), spent)
    model.detector = Looking(model.detector, clips, spent)
    began = time.perf_counter()
    frames = sum(len(clip) for clip, _ in zip(clips.clips, model.predict(clips), strict=True))
    wall = time.perf_counter() - began
    own = wall - sum(spent.values())
    shares = (spent["detector"] / wall, spent["associator"] / wall, own / wall)
    return [name, f"{frames / spent['associator']:,.0f}", f"{frames / wall:,.0f}", *(f"{one:.1%}" for one in shares)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detector", default="yolov8n")
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    options = MovingDigitsOptions(train=1, test=4, length=60, size=(192, 192), objects=arguments.objects)
    clips = MovingDigits(options).open(None).test
    assert isinstance(clips, Clips)
    title = f"moving-digits, 192×192, up to {arguments.objects} at a time, detector {arguments.detector}"
    table = Table("tracker", "associator frames/s", "frames/s", "detector", "associator", "harness", title=title)
    for info in Tracking().models():
        row(info.name, arguments.detector, clips.select([0]))  # imports and first calls
        table.add_row(*row(info.name, arguments.detector, clips))
    Console().print(table)


if __name__ == "__main__":
    main()
