"""What the harness costs a YOLO, and how fast average precision is: `python benchmarks/detection.py`.

One table: the wall time of our cell against ultralytics' own trainer with the same network, pictures, batch, steps
and optimizer, neither scoring on val; and of faster-coco-eval against pycocotools on 5,000 pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from cvbench_tasks.detection import Detection
from cvbench_tasks.detection.coco_ap import ground_truth, results, score
from cvbench_tasks.detection.detections import Detections
from PIL import Image
from rich.console import Console
from rich.table import Table

from cvbench.contracts import Augmentation, Budget, Workplace, silent
from cvbench.plugins import make_options
from cvbench.samples import AnnotationKind, DatasetSpec
from cvbench.scenes import BoxedImages

NETWORK, BATCH, RATE = "yolov8n", 16, 1e-3


def scenes(count: int, side: int) -> BoxedImages:
    """Bright boxes on noise, 1 to 6 a picture, of two classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 80, (count, side, side, 3), dtype=np.uint8)
    boxes, labels = [], []
    for image in images:
        sides = rng.integers(side // 10, side // 3, (rng.integers(1, 7), 2))
        corners = rng.integers(0, side - sides)
        boxes.append(np.concatenate([corners, corners + sides], 1).astype(np.float32))
        labels.append(rng.integers(0, 2, len(sides)))
        for (x1, y1, x2, y2), label in zip(boxes[-1].astype(int), labels[-1], strict=True):
            image[y1:y2, x1:x2, label] += 120
    spec = DatasetSpec("scenes", AnnotationKind.BOXES, ("red", "green"), side, side, 3)
    return BoxedImages.of(spec, images, boxes, labels)


def our_seconds(data: BoxedImages, steps: int) -> float:
    """Wall seconds of one training as a cell does it."""
    task = Detection()
    options = make_options(task.model_options(NETWORK), {"learning_rate": RATE, "flips": "horizontal"})
    with tempfile.TemporaryDirectory() as folder:
        place = Workplace(Path(folder))
        model = task.model(NETWORK, data.spec, options=options, seed=0, workplace=place)
        begun = time.perf_counter()
        budget = Budget(steps, BATCH, "fp32")
        model.train(
            data, None, budget=budget, augmentation=Augmentation.ORDINARY, seed=0, progress=silent, workplace=place
        )
        return time.perf_counter() - begun


def their_seconds(data: BoxedImages, steps: int) -> float:
    """Wall seconds between the first and the last batch of ultralytics' trainer, as many steps of the same batch."""
    from ultralytics import YOLO

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("images", "labels"):
            (folder / name / "train").mkdir(parents=True)
        for place, image in enumerate(data.images):
            Image.fromarray(image).save(folder / f"images/train/{place:05}.png")
            own = data.objects(place)
            rows = [
                f"{label} {(x1 + x2) / 2 / data.spec.width} {(y1 + y2) / 2 / data.spec.height} "
                f"{(x2 - x1) / data.spec.width} {(y2 - y1) / data.spec.height}"
                for label, (x1, y1, x2, y2) in zip(data.labels[own], data.boxes[own], strict=True)
            ]
            (folder / f"labels/train/{place:05}.txt").write_text("\n".join(rows))
        (folder / "data.yaml").write_text(
            f"path: {folder}\ntrain: images/train\nval: images/train\nnames: [red, green]\n"
        )
        times: list[float] = []
        model = YOLO(f"{NETWORK}.yaml")
        model.add_callback("on_train_start", lambda _: times.append(time.perf_counter()))
        model.add_callback("on_train_batch_end", lambda _: times.append(time.perf_counter()))
        with contextlib.redirect_stdout(io.StringIO()):
            model.train(
                data=str(folder / "data.yaml"), epochs=steps * BATCH // len(data), imgsz=data.spec.height, batch=BATCH,
                nbs=BATCH, optimizer="AdamW", lr0=RATE, amp=False, val=False, plots=False, workers=0, cache="ram",
                mosaic=0.0, hsv_h=0.0, hsv_s=0.0, hsv_v=0.0, translate=0.0, scale=0.0, device="cpu", exist_ok=True,
                project=str(folder / "runs"), verbose=False, save=False,
            )  # fmt: skip
    return times[-1] - times[0]


def guesses(truth: BoxedImages) -> list[Detections]:
    """The truth, shifted, and as much again that is nothing."""
    rng, found = np.random.default_rng(1), []
    for place in range(len(truth)):
        own = truth.boxes[truth.objects(place)]
        boxes = np.concatenate([own, own[::-1]]) + rng.normal(0, 3, (2 * len(own), 4))
        labels = np.tile(truth.labels[truth.objects(place)], 2)
        found.append(Detections(boxes.astype(np.float32), rng.random(len(boxes)).astype(np.float32), labels))
    return found


def judge_seconds(pictures: int) -> tuple[float, float]:
    """Wall seconds of our ruler and of pycocotools for the same predictions."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = scenes(pictures, 64)
    found = guesses(truth)
    begun = time.perf_counter()
    ours = score(found, truth, masks=False)
    middle = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        objects = COCO()
        objects.dataset = ground_truth(truth, masks=False)
        objects.createIndex()
        judge = COCOeval(objects, objects.loadRes(results(found, truth, masks=False)), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    assert abs(judge.stats[0] - ours.values["mAP50-95"]) < 1e-9
    return middle - begun, time.perf_counter() - middle


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--pictures", type=int, default=128)
    asked.add_argument("--side", type=int, default=160)
    asked.add_argument("--steps", type=int, default=64)
    asked.add_argument("--judged", type=int, default=5000)
    said = asked.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if said.pictures % BATCH or said.steps * BATCH % said.pictures:
        asked.error(f"--pictures in whole batches of {BATCH}, --steps in whole epochs: ultralytics counts in these")
    data = scenes(said.pictures, said.side)
    our_seconds(data, 2)
    measured = {
        f"{NETWORK}, {said.steps} steps of {BATCH} at {said.side} px": (
            our_seconds(data, said.steps),
            their_seconds(data, said.steps),
        ),
        f"mAP of {said.judged:,} pictures, against pycocotools": judge_seconds(said.judged),
    }
    table = Table("what", "ours s", "theirs s", "ratio")
    for what, (ours, theirs) in measured.items():
        table.add_row(what, f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
