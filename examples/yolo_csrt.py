"""YOLO finds, CSRT follows: `python examples/yolo_csrt.py`, minutes on a CPU.

Trains a YOLO on the train clips, follows the object of the test clips with CSRT alone and with CSRT that YOLO starts
again where it is lost, scores both, and writes a video of each with the true box dashed. Without `--data` a digit moves
among others that nobody asks for. Needs the extra `yolo` and OpenCV's contrib build.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from cvbench_tasks.sot import SingleObjectTracking
from cvbench_tasks.sot.sequences import Trajectory

from cvbench.clip_drawing import write_clip
from cvbench.clips import Clips, as_clips
from cvbench.contracts import Augmentation, Budget, Workplace
from cvbench.errors import CvbenchError
from cvbench.plan import open_entry
from cvbench.plugins import make_options
from cvbench.suite_reading import dataset_entry

RATE = 10  # frames per second of the videos


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a folder of sequences that `cvbench check-data` takes")
    parser.add_argument("--steps", type=int, default=300, help="of YOLO's training, 16 frames each")
    parser.add_argument("--out", type=Path, default=Path("followed"))
    given = parser.parse_args()
    try:
        compare(given.data, given.steps, given.out)
    except CvbenchError as error:
        sys.exit(f"error: {error}")


def compare(data: str | None, steps: int, out: Path) -> None:
    """Print both trackers' scores, and write what they follow in the first test clip below ``out``."""
    entry = dataset_entry(data) if data else dataset_entry("moving-digits", ["objects=1"])
    _, opened = open_entry(entry)
    test = as_clips(opened.splits.test)
    out.mkdir(parents=True, exist_ok=True)
    for name in ("csrt", "yolo_csrt"):
        found = followed(name, as_clips(opened.splits.train), test, steps)
        scores = SingleObjectTracking().score(found, test).values
        print(f"{name:10} success {scores['success']:6.1%}  AO {scores['AO']:6.1%}  lost {scores['failures']:.2f}×")
        first = test.clips[0]
        answer = replace(first, tracks=found[0].tracks())
        write_clip(answer, test.spec.classes, out / f"{name}.mp4", rate=RATE, truth=first.tracks)
    print(f"videos are in {out}")


def followed(name: str, train: Clips, test: Clips, steps: int) -> list[Trajectory]:
    """What a model of the task ``sot`` says of each test clip, trained on the train clips if it learns."""
    task = SingleObjectTracking()
    with tempfile.TemporaryDirectory() as folder:
        workplace = Workplace(Path(folder))
        options = make_options(task.model_options(name), {})
        model = task.model(name, train.spec, options=options, seed=0, workplace=workplace)
        model.train(
            train,
            None,
            budget=Budget(steps, batch_size=16),
            augmentation=Augmentation.ORDINARY,
            seed=0,
            progress=lambda done, total, _: print(f"\r{done}/{total} ", end="", file=sys.stderr, flush=True),
            workplace=workplace,
        )
        return list(model.predict(test))


if __name__ == "__main__":
    main()
