"""What the house costs a generator: fit steps/s and samples/s of each family against the same network written out bare.

    python benchmarks/generators.py [FAMILY ...]

The bare side is a loop as in a notebook: optimizer, network, loss, averaged weights where the method has them. No seed
per step, no learning-rate schedule, no checkpoint, no progress, no watch, no store. It takes its step while the fit
reports progress, so the two sides run in turn, step by step, and a busy machine slows both. Ratios are medians over
blocks of steps, and over pairs of draws. Networks are tiny, so that a cost per step shows; they learn nothing of use.

What a fit costs once stands beside: the set-up and the end in `once s`, the twenty looks of an adversarial fit's watch
in `watch s`. Unconditional families get pictures of one class: what their labels cost is not theirs.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import torch
from bare_generators import (
    BATCH,
    CLASSES,
    Bare,
    Data,
    bare_autoencoder,
    bare_cyclegan,
    bare_diffusion,
    bare_flow,
    bare_game,
    bare_pix2pix,
    bare_vae,
    blobs,
)
from cvbench_generators.adversarial import cgan, dcgan, health, infogan, mlp_gan, r3gan, watch, wgan_gp
from rich.console import Console
from rich.table import Table

from cvbench.contracts import Budget, Generator, Sampler, Workplace
from cvbench.plugins import make_plugin

BLOCK, WARM_UP = 20, 20  # steps
SAMPLES, CHUNK = 1000, 500
SECONDS, FEWEST_PAIRS = 3.0, 5  # of drawing in turn
STEPS = 160
LOOKS = frozenset(range(STEPS // watch.LOOKS - 1, STEPS, STEPS // watch.LOOKS))  # the steps after which a watch looks


@dataclass(frozen=True)
class Case:
    """One family: its bare twin, its options, the data's classes, and whether a watch looks on."""

    bare: Callable[[Data, Any], Bare]
    options: Mapping[str, Any]
    classes: int = CLASSES
    watched: bool = False


CASES: Mapping[str, Case] = {
    "mlp_gan": Case(bare_game(mlp_gan.FAMILY), {"width": 128}, 1, True),
    "dcgan": Case(bare_game(dcgan.FAMILY), {"width": 16}, 1, True),
    "cgan": Case(bare_game(cgan.FAMILY), {"width": 16, "augment_below": 0}, watched=True),
    "infogan": Case(bare_game(infogan.FAMILY), {"width": 16}, 1, True),
    "wgan_gp": Case(bare_game(wgan_gp.FAMILY), {"width": 16}, 1, True),
    "r3gan": Case(bare_game(r3gan.FAMILY), {"width": 16, "augment_below": 0}, watched=True),
    "vae": Case(bare_vae, {"width": 16}),
    "autoencoder": Case(bare_autoencoder, {"width": 16}),
    "flow": Case(bare_flow, {"width": 16}),
    "diffusion": Case(bare_diffusion, {"width": 16}),
    "pix2pix": Case(bare_pix2pix, {"width": 16}),
    "cyclegan": Case(bare_cyclegan, {"width": 8}),
}


@dataclass
class InTurn:
    """A fit's progress that lets the bare loop take a step after each of the fit's own; seconds of both."""

    bare_step: Callable[[], object]
    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    since: float = field(default_factory=time.perf_counter)

    def __call__(self, done: int, total: int, note: str = "") -> None:
        now = time.perf_counter()
        self.bare_step()
        after = time.perf_counter()
        self.ours.append(now - self.since)
        self.bare.append(after - now)
        self.since = time.perf_counter()


def measure(name: str, case: Case) -> list[str]:
    """A row of the table."""
    data, generator = blobs(case.classes), make_plugin("generators", name, case.options)
    bare = case.bare(data, generator.options)
    with tempfile.TemporaryDirectory() as folder:
        turns, sampler, whole = fitted(generator, data, bare, Path(folder))
    looks = LOOKS if case.watched else frozenset()
    blocks = [[k for k in range(start, start + BLOCK) if k not in looks] for start in range(WARM_UP, STEPS, BLOCK)]
    ours, theirs = ([sum(side[k] for k in block) / len(block) for block in blocks] for side in (turns.ours, turns.bare))
    step = statistics.median(ours)
    looking = sum(turns.ours[k] - step for k in looks)
    once = whole - sum(turns.ours) + turns.ours[0] - step
    fit_ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    drawn, bare_drawn = draws_in_turn(sampler, bare, case)
    draw_ratio = statistics.median(a / b for a, b in zip(drawn, bare_drawn, strict=True))
    return [
        name,
        *(f"{1 / statistics.median(theirs):,.1f}", f"{1 / step:,.1f}", f"{fit_ratio:.3f}"),
        *(f"{once:.2f}", f"{looking:.2f}" if looks else "–"),
        *(f"{SAMPLES / statistics.median(side):,.0f}" for side in (bare_drawn, drawn)),
        f"{draw_ratio:.3f}",
    ]


def fitted(generator: Generator, data: Data, bare: Bare, folder: Path) -> tuple[InTurn, Sampler, float]:
    """The seconds of both sides' steps, what was fitted, and the fit's own seconds in all."""
    turns, started = InTurn(bare.step), time.perf_counter()
    budget = Budget(STEPS, BATCH, "fp32")
    sampler = generator.fit(data.train, budget=budget, seed=0, progress=turns, workplace=Workplace(folder))
    return turns, sampler, time.perf_counter() - started - sum(turns.bare)


def draws_in_turn(sampler: Any, bare: Bare, case: Case) -> tuple[list[float], list[float]]:
    """Seconds of ``SAMPLES`` pictures, ours and bare, pair by pair, from the same fitted network."""
    part = sampler.parts[0] if hasattr(sampler, "parts") else sampler
    network = part.networks if hasattr(part, "networks") else part.network

    def ours() -> None:
        for _ in part.sample(SAMPLES, seed=0):
            pass

    @torch.inference_mode()
    def theirs() -> None:
        for _ in range(0, SAMPLES, CHUNK):
            drawn = bare.draw(network, torch.randint(case.classes, (CHUNK,)))
            drawn.add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()

    pairs, started = [], time.perf_counter()
    ours()
    theirs()
    while len(pairs) < FEWEST_PAIRS or time.perf_counter() - started < SECONDS:
        pairs.append((seconds(ours), seconds(theirs)))
    return [a for a, _ in pairs], [b for _, b in pairs]


def seconds(what: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def asked() -> list[str]:
    """The families named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", help=f"{', '.join(CASES)}; all if none is named")
    families = parser.parse_args().families or list(CASES)
    if unknown := [name for name in families if name not in CASES]:
        parser.error(f"no family {unknown[0]!r}: {', '.join(CASES)}")
    return families


def main() -> None:
    """Measure the families asked for and print one table."""
    names = asked()
    # every fit is watched, however short; what so small a network draws is trouble, and shall not end the fit
    watch.FEWEST_STEPS = 0
    health.LEAST_COVERAGE, health.LEAST_DIVERSITY, health.FAR = 0.0, 0.0, math.inf
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    table = Table(title="generators: bare against cvbench (promise: ratios of at most 1.10)", caption_justify="left")
    heads = ("bare steps/s", "cvbench", "ratio", "once s", "watch s", "bare samples/s", "cvbench", "ratio")
    table.add_column("family")
    for head in heads:
        table.add_column(head, justify="right")
    for name in names:
        table.add_row(*measure(name, CASES[name]))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
