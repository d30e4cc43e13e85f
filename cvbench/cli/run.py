"""``cvbench plan``, ``cvbench run`` and ``cvbench status``."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvbench.cli.app import app
from cvbench.cli.console import err, out

if TYPE_CHECKING:
    from cvbench.plan import Plan
    from cvbench.run import Todo
    from cvbench.store import Store


class DeviceChoice(StrEnum):
    """Where to train."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class RetryChoice(StrEnum):
    """Which recorded cells to do again."""

    failed = "failed"
    none = "none"
    all = "all"


SuiteArgument = Annotated[str, typer.Argument(metavar="SUITE", help="A YAML file, or a built-in suite's name.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the suite, e.g. seeds=3 or budget.steps=200."),
]
DeviceOption = Annotated[DeviceChoice, typer.Option(help="auto takes the GPUs that torch sees, else the CPU.")]
JobsOption = Annotated[int | None, typer.Option(help="Worker processes [default: one per GPU, or per core].")]
ThreadsOption = Annotated[int | None, typer.Option(help="Threads per worker [default: cores shared out].")]
ProcessesOption = Annotated[
    int, typer.Option("--processes-per-cell", help="Share each cell's training among so many (torchrun).")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="The run's folder [default: runs/NAME].")]


@app.command(rich_help_panel="Run")
def plan(
    suite: SuiteArgument,
    set_: SetOption = None,
    out_folder: OutOption = None,
    device: DeviceOption = DeviceChoice.auto,
    jobs: JobsOption = None,
) -> None:
    """Print a suite's cells and shared steps, what is already done, and how long the rest may take."""
    from cvbench.devices import share_out
    from cvbench.ledger import Ledger
    from cvbench.plan import make_plan
    from cvbench.run import todo
    from cvbench.store import Store, default_cache
    from cvbench.suite import load_suite

    loaded = load_suite(suite, set_ or [])
    workers = share_out(device.value, jobs, None)
    made = make_plan(loaded, device=workers.device)
    store = Store(default_cache())
    folder = out_folder or Path("runs") / loaded.name
    _print_plan(made, todo(made, Ledger(folder), store), store, workers.jobs, folder)


def _print_plan(made: Plan, work: Todo, store: Store, workers: int, folder: Path) -> None:
    from rich.markup import escape
    from rich.table import Table

    from cvbench.cli.progress import clock
    from cvbench.estimates import Timings
    from cvbench.jobs import CellJob, FitJob, SampleJob
    from cvbench.plan import is_cached

    suite = made.suite
    out.print(f"[bold]{suite.name}[/bold]  {escape(suite.summary)}", soft_wrap=True)
    for label, facts in made.datasets.items():
        height, width, channels = facts["picture"]
        out.print(
            f"  {escape(label)}: {facts['train']:,} train, {facts['val']:,} val, {facts['test']:,} test; "
            f"{len(facts['classes'])} classes; {height}×{width}×{channels}; licence: {escape(facts['licence'])}",
            soft_wrap=True,
        )
    jobs = made.jobs()
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for column in ("step", "in all", "in the cache", "to do"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for kind, words in ((FitJob, "fit a generator"), (SampleJob, "sample"), (CellJob, "train and evaluate")):
        of_kind = [job for job in jobs if isinstance(job, kind)]
        todo_keys = {job.key for job in work.jobs}
        cached = sum(is_cached(job, store) for job in of_kind)
        left = sum(job.key in todo_keys and not is_cached(job, store) for job in of_kind)
        table.add_row(words, str(len(of_kind)), str(cached), str(left))
    out.print(table)
    cells = len(made.cells)
    shared = sum(1 for cell in made.cells if cell.job.synthetic) - sum(isinstance(j, SampleJob) for j in jobs)
    skipped = sum(bool(cell.skip) for cell in made.cells)
    out.print(
        f"{cells} cells"
        + (f" ({skipped} skipped)" if skipped else "")
        + f", {cells - len(work.cells)} already in {escape(str(folder))}; {max(0, shared)} cells share a synthetic set "
        "with another",
        soft_wrap=True,
    )
    missing = [job for job in work.jobs if not is_cached(job, store)]
    seconds, unknown = Timings(store.root).estimate(missing)
    if unknown == len(missing) and missing:
        out.print("time: no estimate yet; nothing like these steps has been run here")
    else:
        more = f", and {unknown} steps of sorts never run here" if unknown else ""
        out.print(f"time: about {clock(seconds / workers)} with {workers} workers{more}", soft_wrap=True)


@app.command(rich_help_panel="Run")
def run(
    suite: SuiteArgument,
    set_: SetOption = None,
    out_folder: OutOption = None,
    jobs: JobsOption = None,
    threads: ThreadsOption = None,
    processes: ProcessesOption = 1,
    device: DeviceOption = DeviceChoice.auto,
    retry: Annotated[
        RetryChoice, typer.Option(help="Which recorded cells to do again, besides the missing ones.")
    ] = RetryChoice.failed,
) -> None:
    """Run a suite and print what the synthetic data changed. The same command continues a run."""
    from cvbench.cli.progress import RunProgress
    from cvbench.comparison import compare
    from cvbench.devices import share_out
    from cvbench.estimates import Timings
    from cvbench.plan import make_plan
    from cvbench.report.table import print_tables
    from cvbench.run import FAILED, run, todo
    from cvbench.run_folder import RunFolder, joined
    from cvbench.store import Store, default_cache
    from cvbench.suite import load_suite

    loaded = load_suite(suite, set_ or [])
    workers = share_out(device.value, jobs, threads, processes)
    store = Store(default_cache())
    with err.status("opening the data"):
        made = make_plan(loaded, device=workers.device, processes=workers.processes)
    path = out_folder or Path("runs") / loaded.name
    cells = {cell.id: cell.coordinates for cell in made.cells}
    planned = RunFolder(path, loaded.name, loaded.canonical(), made.task.metrics, cells, made.datasets, workers.threads)
    joined(planned)  # says what is wrong before a folder is made
    with planned.held():
        folder = joined(planned)
        folder.write()
        if threads is None:
            workers = replace(workers, threads=folder.threads)
        work = todo(made, folder.ledger, store, retry.value)
        timings = Timings(store.root)
        try:
            with RunProgress(work.jobs, workers.jobs, timings) as progress:
                run(
                    made,
                    work,
                    store=store,
                    ledger=folder.ledger,
                    workers=workers,
                    watcher=progress,
                    fresh=retry is RetryChoice.all,
                )
        except KeyboardInterrupt:
            err.print("cvbench: interrupted; the same command continues")
            raise typer.Exit(130) from None
        counts = folder.tally()
    print_tables(compare(folder), out)
    if any(counts[name] for name in FAILED):
        sys.exit(1)


@app.command(rich_help_panel="Run")
def status(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/quickstart.")],
) -> None:
    """Tell how far a run is, and why cells failed or were skipped."""
    from rich.markup import escape

    from cvbench.run_folder import open_run

    folder = open_run(run)
    records = folder.ledger.read()
    counts = folder.tally()
    state = "running" if folder.is_held() else "not running"
    if counts["missing"] and state == "not running":
        state += "; the same `cvbench run` command continues it"
    out.print(f"[bold]{escape(folder.name)}[/bold] in {escape(str(run))}: {state}", soft_wrap=True)
    for name, count in counts.most_common():
        out.print(f"{count:>6} {name}")
    for cell, place in folder.cells.items():
        record = records.get(cell)
        if record is not None and record.status != "ok":
            out.print(f"{record.status}: {escape(str(place))}: {escape(record.reason)}", soft_wrap=True)
            if record.status == "failed":
                for line in record.tail[-3:]:
                    out.print(f"    {escape(line)}", style="dim", soft_wrap=True)
