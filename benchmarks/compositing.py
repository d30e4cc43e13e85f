"""What `cut_paste` makes per second on one core, and how much of the time is spent on writing it down.

    python benchmarks/compositing.py

The pictures are smooth colour noise with eight ellipses in each; processor time of one thread, so that what else the
machine does counts little.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from cvbench_generators.scenes import Blend, CutPaste, CutPasteOptions
from rich.console import Console
from rich.table import Table

from cvbench.contracts import Sampler, Workplace, silent
from cvbench.datasets import gather
from cvbench.samples import AnnotationKind, DatasetSpec, UInt8Array
from cvbench.scenes import Instance, InstanceImages
from cvbench.writers.coco import write_coco

SIDES, BLENDS = (256, 640), (("none",), ("gaussian",), ("poisson",), ("none", "gaussian", "poisson"))
REAL, OBJECTS = 12, 8
MADE = {256: 60, 640: 18}
JPEG_QUALITY = 90
WRITTEN = 6  # pictures through the COCO writer
REPEATS = 2


def smooth(rng: np.random.Generator, side: int) -> UInt8Array:
    """RGB noise of two grains, about as hard to encode as a photograph."""
    coarse = cv2.resize(rng.integers(0, 200, (9, 9, 3)).astype(np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
    fine = cv2.GaussianBlur(rng.integers(0, 56, (side, side, 3)).astype(np.uint8), (0, 0), 1.0)
    return np.asarray(cv2.add(coarse, fine), np.uint8)


def real_pictures(side: int) -> InstanceImages:
    """Pictures with ellipses of two classes, a tenth to a quarter of the side across."""
    rng = np.random.default_rng(0)
    images, listed = np.stack([smooth(rng, side) for _ in range(REAL)]), []
    for image in images:
        listed.append([])
        for number in range(OBJECTS):
            mask = np.zeros((side, side), np.uint8)
            axes = rng.integers(side // 20, side // 8, 2).tolist()
            centre = rng.integers(side // 8, side - side // 8, 2).tolist()
            cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
            image[mask > 0] = smooth(rng, side)[mask > 0]
            listed[-1].append(Instance(number % 2, mask.astype(np.bool_)))
    spec = DatasetSpec("ellipses", AnnotationKind.INSTANCES, ("even", "odd"), side, side, 3)
    return InstanceImages.of_instances(spec, images, listed)


def fitted(train: InstanceImages, blend: tuple[Blend, ...]) -> Sampler:
    """The sampler, its cutouts made."""
    options = CutPasteOptions(blend=blend)
    sampler = CutPaste(options).fit(train, budget=None, seed=0, progress=silent, workplace=Workplace(Path()))
    for _ in sampler.sample(30, seed=1):
        pass
    return sampler


def seconds(what: Callable[[], object]) -> float:
    """Processor seconds of one call, the least of a few."""
    taken = []
    for _ in range(REPEATS):
        started = time.process_time()
        what()
        taken.append(time.process_time() - started)
    return min(taken)


def as_jpeg(images: UInt8Array) -> None:
    """Encode in memory: the disk is not the question."""
    for image in images:
        cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])


def as_coco(data: InstanceImages) -> None:
    """The project's own writer: PNG files and one JSON with the masks as run lengths."""
    with tempfile.TemporaryDirectory() as folder:
        write_coco(data, Path(folder), silent)


def main() -> None:
    """Measure and print one table."""
    cv2.setNumThreads(1)
    table = Table(
        *("side", "blending", "objects per picture", "annotated pictures/s", "and JPEG/s", "JPEG's share"),
        "and PNG + COCO/s",
        title="compositing, one core",
    )
    for side in SIDES:
        train, count = real_pictures(side), MADE[side]
        for blend in BLENDS:
            sampler = fitted(train, blend)
            made = gather(sampler.sample(count, seed=2), train.spec)
            assert isinstance(made, InstanceImages)
            composing = seconds(lambda s=sampler, n=count: [None for _ in s.sample(n, seed=2)])  # type: ignore[misc]
            jpeg = seconds(lambda m=made: as_jpeg(m.images))  # type: ignore[misc]
            coco = count / WRITTEN * seconds(lambda m=made: as_coco(m.select(range(WRITTEN))))  # type: ignore[misc]
            table.add_row(
                f"{side} px",
                "each scene in all three" if len(blend) > 1 else blend[0],
                f"{len(made.labels) / count:.1f}",
                f"{count / composing:,.0f}",
                f"{count / (composing + jpeg):,.0f}",
                f"{jpeg / (composing + jpeg):.0%}",
                f"{count / (composing + coco):,.0f}",
            )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
