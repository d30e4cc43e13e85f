"""Few-step quality: how far `flow`'s samples lie from real pictures, by solver and number of sampling steps.

    python benchmarks/flow_steps.py [--steps 400] [--sampling 1 2 4 8 16] [--solvers euler heun] [--data digits]

One fit, and the same noise in every row. The Fréchet distance is that of the harness: features of a classifier trained
on the real train split, samples against one half of the real test split; the last row is the other half in their place.
It falls as more pictures are compared, so numbers of two data sets cannot be set against each other. What a row
costs is its network calls per picture: heun asks twice in each step.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from cvbench_generators.conditional_sampler import ConditionalSampler
from cvbench_generators.flow.few_steps import worth_by_steps
from cvbench_generators.flow.rectified_flow import drawing
from rich.console import Console
from rich.table import Table

from cvbench.contracts import Budget, Workplace, silent
from cvbench.errors import CvbenchError
from cvbench.fidelity.extractors import make_extractor
from cvbench.fidelity.judge import Fidelity, judge_samples
from cvbench.fidelity.probe import train_probe
from cvbench.plugins import make_plugin
from cvbench.samples import LabelledImages, labelled

CALLS = {"euler": 1, "heun": 2}  # of the network, in each step


def asked() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="a reader of labelled pictures that needs no root")
    parser.add_argument("--steps", type=positive, default=400, help="of the fit")
    parser.add_argument("--batch", type=positive, default=64, help="pictures per step of the fit")
    parser.add_argument("--width", type=positive, default=32, help="of the network")
    parser.add_argument("--sampling", type=positive, nargs="+", default=[1, 2, 4, 8, 16], help="steps of the solver")
    parser.add_argument("--solvers", nargs="+", choices=sorted(CALLS), default=sorted(CALLS))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def positive(text: str) -> int:
    """A number above zero; argparse says in one line when it is none."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return int(text)


def measured(options: argparse.Namespace, folder: Path) -> dict[tuple[str, int], Fidelity]:
    """Solver and steps → how the samples compare with real pictures."""
    splits = make_plugin("readers", options.data, {}).open(None)
    train, test = labelled(splits.train), labelled(splits.test)
    probe = train_probe(train, seed=options.seed, workplace=Workplace(folder / "probe"))
    extractor = make_extractor("task", spec=train.spec, probe=probe)
    budget = Budget(options.steps, options.batch, "fp32")
    fitting = make_plugin("generators", "flow", {"width": options.width})
    fitted = fitting.fit(train, budget=budget, seed=options.seed, progress=silent, workplace=Workplace(folder / "flow"))

    def worth(samples: LabelledImages) -> Fidelity:
        return judge_samples(train, test, samples, extractor, probe, seed=options.seed)

    sampler, found = cast(ConditionalSampler, fitted), {}
    for solver in options.solvers:
        by_steps = worth_by_steps(
            sampler, drawing, worth, count=len(test), seed=options.seed, steps=options.sampling, solver=solver
        )
        found |= {(solver, number): fidelity for number, fidelity in by_steps.items()}
    return found


def main() -> None:
    """Fit once, measure every row and print one table."""
    options = asked()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = measured(options, Path(folder))
    except CvbenchError as error:
        sys.exit(f"flow_steps.py: {error}")
    one = next(iter(found.values()))
    table = Table(
        title=f"flow on {options.data}, {options.steps} steps of {options.batch}: {one.compared} samples "
        f"against as many real test pictures",
        caption=f"extractor: task {one.extractor_hash[:8]}; recognised: samples whose class the probe sees in them",
    )
    table.add_column("solver")
    for head in ("sampling steps", "network calls", "Fréchet distance", "recognised"):
        table.add_column(head, justify="right")
    for (solver, number), fidelity in found.items():
        table.add_row(solver, str(number), str(CALLS[solver] * number), *numbers(fidelity.values))
    table.add_section()
    table.add_row("real against real", "", "", *numbers(one.floors))
    Console(width=100).print(table)


def numbers(values: Mapping[str, float]) -> tuple[str, str]:
    """Two cells of the table."""
    return f"{values['frechet_distance']:.3f}", f"{values['trts']:.1%}"


if __name__ == "__main__":
    main()
