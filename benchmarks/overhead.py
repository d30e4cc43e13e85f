"""What the harness costs: a cell against a bare PyTorch loop, and our input path against ImageFolder + DataLoader.

    python benchmarks/overhead.py

Both sides of a ratio run in turn in one process on the same data, so a busy machine slows both.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from cvbench_tasks.classification.models import SimpleCnnOptions
from cvbench_tasks.classification.simple_cnn import SimpleCnn
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import nn
from torchvision import datasets, transforms

from cvbench.contracts import Budget, silent
from cvbench.jobs import CellJob, DataRef, PluginRef, RealPart
from cvbench.plugins import options_json
from cvbench.readers import open_dataset
from cvbench.real_data import open_data
from cvbench.samples import LabelledImages
from cvbench.steps import run_job
from cvbench.store import Store
from cvbench.training import BatchOrder, to_tensor

STEPS, BATCH, REPEATS = 300, 128, 5
PICTURES, SIDE, CLASSES = 4000, 28, 10


def write_pictures(root: Path) -> None:
    """An image folder of noisy pictures whose brightness tells their class."""
    rng = np.random.default_rng(0)
    for split, count in (("train", PICTURES), ("test", PICTURES // 4)):
        for label in range(CLASSES):
            folder = root / split / str(label)
            folder.mkdir(parents=True)
            for k in range(count // CLASSES):
                pixels = rng.integers(0, 120, (SIDE, SIDE), np.uint8) + np.uint8(12 * label)
                Image.fromarray(pixels).save(folder / f"{k:05d}.png")


def bare_loop(train: LabelledImages, test: LabelledImages) -> None:
    """The same steps written out by hand: what someone would have in a notebook."""
    torch.manual_seed(0)
    net = SimpleCnn(1, CLASSES, SimpleCnnOptions().width).to(memory_format=torch.channels_last)
    options = SimpleCnnOptions()
    optimizer = torch.optim.AdamW(net.parameters(), options.learning_rate, (0.9, 0.99), weight_decay=1e-2)
    images, labels = to_tensor(train.images, "cpu"), torch.from_numpy(np.array(train.labels))
    mean, deviation = train.images.mean() / 255, train.images.std() / 255
    order = BatchOrder(len(train), BATCH, 0)
    for step in range(STEPS):
        batch = order(step)
        logits = net((images[batch].float().div_(255) - mean) / deviation)
        loss = nn.functional.cross_entropy(logits, labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.inference_mode():
        guesses = [
            net((part.float().div_(255) - mean) / deviation).argmax(1)
            for part in torch.split(to_tensor(test.images, "cpu"), 500)
        ]
    assert float((torch.cat(guesses).numpy() == test.labels).mean()) > 0.3


def cell(root: Path, seed: int) -> CellJob:
    """The harness's cell that does the same."""
    data = DataRef("bench", "image-folder", "", str(root), {}, 0.0, (SIDE, SIDE, 1))
    task = PluginRef("classification", "bench", {})
    model = PluginRef("simple_cnn", "bench", options_json(SimpleCnnOptions()))
    budget = Budget(STEPS, BATCH, "fp32")
    return CellJob(task, model, budget, RealPart(data, 1.0, None, 0), "real", None, 0, seed, "bench")


def seconds(what: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def epoch_of_ours(train: LabelledImages) -> None:
    """One epoch of normalised batches through our input path."""
    images, order = to_tensor(train.images, "cpu"), BatchOrder(len(train), BATCH, 0)
    for step in range(len(train) // BATCH):
        images[order(step)].float().div_(255).sub_(0.5).div_(0.5)


def main() -> None:
    """Measure both ratios and print one table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "pictures"
        write_pictures(root)
        import os

        os.environ["CVBENCH_CACHE"] = str(Path(folder) / "cache")
        store = Store(Path(folder) / "cache")
        first_open = seconds(lambda: open_dataset("image-folder", "", root, {}, 0.0))
        later_open = seconds(lambda: open_dataset("image-folder", "", root, {}, 0.0))
        splits = open_data(cell(root, 0).part.data).splits
        train, test = splits.train, splits.test
        assert isinstance(train, LabelledImages)
        assert isinstance(test, LabelledImages)
        bare_loop(train, test)  # warm up
        pairs = [
            (
                seconds(lambda: bare_loop(train, test)),
                seconds(lambda k=k: run_job(cell(root, k), store, silent, "cpu")),  # type: ignore[misc]
            )
            for k in range(REPEATS)
        ]
        to_float = transforms.Compose([transforms.Grayscale(), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
        loader = torch.utils.data.DataLoader(
            datasets.ImageFolder(str(root / "train"), to_float), BATCH, shuffle=True, num_workers=2, drop_last=True
        )
        theirs = min(seconds(lambda: list(loader)) for _ in range(3))
        ours = min(seconds(lambda: epoch_of_ours(train)) for _ in range(3))

    ratios = [cell_seconds / bare for bare, cell_seconds in pairs]
    table = Table("what", "bare / theirs", "cvbench", "ratio", title="overhead")
    bare, whole = (statistics.median(side) for side in zip(*pairs, strict=True))
    table.add_row(
        f"a cell of {STEPS} steps, batch {BATCH} (train, save, evaluate): s",
        f"{bare:.2f}",
        f"{whole:.2f}",
        f"{statistics.median(ratios):.3f} (promise: at most 1.10)",
    )
    table.add_row(
        "input path, pictures/s: ImageFolder + DataLoader (2 workers)",
        f"{len(train) / theirs:,.0f}",
        f"{len(train) / ours:,.0f}",
        f"{theirs / ours:.1f} times as fast",
    )
    table.add_row(
        f"the same with decoding, done once for {len(train) + len(test):,} pictures: s",
        DASH,
        f"{first_open:.2f}, then {later_open:.3f}",
        DASH,
    )
    Console(width=130).print(table)


DASH = "–"

if __name__ == "__main__":
    main()
