"""``cvbench plan``, ``cvbench run`` and ``cvbench status``."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvbench.cli.app import app
from cvbench.cli.console import err, out
from cvbench.errors import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cvbench.jobs import Job
    from cvbench.plan import Plan
    from cvbench.run import Todo
    from cvbench.run_folder import RunFolder
    from cvbench.store import Store
    from cvbench.suite import Suite


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
JobsOption = Annotated[int | None, typer.Option(help="Worker processes.", show_default="one per GPU, or per core")]
ThreadsOption = Annotated[int | None, typer.Option(help="Threads per worker.", show_default="cores shared out")]
ProcessesOption = Annotated[
    int, typer.Option("--processes-per-cell", help="Share each cell's training among so many (torchrun).")
]
OutOption = Annotated[Path | None, typer.Option("--out", help="The run's folder.", show_default="runs/NAME")]


@app.command(rich_help_panel="Run")
def plan(
    suite: SuiteArgument,
    set_: SetOption = None,
    out_folder: OutOption = None,
    device: DeviceOption = DeviceChoice.auto,
    jobs: JobsOption = None,
    processes: ProcessesOption = 1,
) -> None:
    """Print a suite's cells and shared steps, what is already done, and how long the rest may take."""
    from cvbench.devices import share_out
    from cvbench.plan import make_plan
    from cvbench.run import todo
    from cvbench.run_folder import joined
    from cvbench.store import Store, default_cache

    loaded = _loaded(suite, set_ or [])
    workers = share_out(device.value, jobs, None, processes)
    made = make_plan(loaded, device=workers.device, processes=workers.processes)
    store = Store(default_cache())
    folder = _run_folder(made, out_folder, workers.threads)
    joined(folder)  # refuses what `run` would refuse
    _print_plan(made, todo(made, folder.ledger, store), store, workers.jobs, folder)


def _loaded(suite: str, overrides: list[str]) -> Suite:
    """The suite; what of the overrides does not reach all of its models is said."""
    from cvbench.suite_reading import half_heeded, load_suite

    loaded = load_suite(suite, overrides)
    for note in half_heeded(loaded, overrides):
        err.print(f"cvbench: {note}", markup=False, soft_wrap=True)
    return loaded


def _run_folder(made: Plan, out: Path | None, threads: int) -> RunFolder:
    from cvbench.run_folder import RunFolder

    suite, cells = made.suite, {cell.id: cell.coordinates for cell in made.cells}
    path = out or Path("runs") / suite.name
    metrics, contests = made.task.metrics, made.contests()
    controls = {cell.id: cell.expected for cell in made.cells if cell.control}
    return RunFolder(path, suite.name, suite.canonical(), metrics, cells, made.datasets, threads, contests, controls)


# phase → what the plan's table calls it
_STEPS = {
    "fit": "fit a generator",
    "probe": "train a probe",
    "sample": "sample",
    "train": "train and evaluate",
    "judge": "judge the samples",
}


def _print_plan(made: Plan, work: Todo, store: Store, workers: int, folder: RunFolder) -> None:
    from collections import Counter

    from rich.markup import escape
    from rich.table import Table

    from cvbench.cli.progress import clock
    from cvbench.comparison import without_effect
    from cvbench.effects import FEWEST_SEEDS
    from cvbench.estimates import Timings
    from cvbench.jobs import CellJob, first_phase
    from cvbench.plan import is_cached

    suite = made.suite
    out.print(f"[bold]{suite.name}[/bold]  {escape(suite.summary)}", soft_wrap=True)
    for label, facts in made.datasets.items():
        height, width, channels = facts["picture"]
        size = f"{height}×{width}×{channels}" if height else "various sizes"
        classes = counted(len(facts["classes"]), "class")
        out.print(
            f"  {escape(label)}: {facts['train']:,} train, {facts['val']:,} val, {facts['test']:,} test; "
            f"{classes}; {size}; licence: {escape(facts['licence'])}",
            soft_wrap=True,
        )
    jobs = made.jobs()
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for column in ("step", "in all", "in the cache", "to do"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for kind, words in _STEPS.items():
        of_kind = [job for job in jobs if first_phase(job) == kind]
        if not of_kind:
            continue
        todo_keys = {job.key for job in work.jobs}
        cached = sum(is_cached(job, store) for job in of_kind)
        left = sum(job.key in todo_keys and not is_cached(job, store) for job in of_kind)
        table.add_row(words, str(len(of_kind)), str(cached), str(left))
    if jobs:
        out.print(table)
        out.print(f"budgets: {'; '.join(_budgets(jobs))}", soft_wrap=True)
    if len(suite.seeds) < FEWEST_SEEDS:
        out.print(f"seeds: fewer than {FEWEST_SEEDS} give no verdict; 5 or more are better")
    for note in without_effect(folder):
        out.print(note, markup=False, soft_wrap=True)
    cells = len(made.cells)
    sets = [cell.job.synthetic for cell in made.cells if isinstance(cell.job, CellJob) and not cell.skip]
    trained_on = [made_of.key for made_of in sets if made_of]
    shared = len(trained_on) - len(set(trained_on))
    skipped = Counter(cell.skip for cell in made.cells if cell.skip)
    out.print(
        f"{counted(cells, 'cell')}"
        + (f" ({skipped.total()} skipped)" if skipped else "")
        + f", {cells - len(work.cells)} already in {escape(str(folder.path))}; "
        f"{counted(shared, 'cell')} {'shares' if shared == 1 else 'share'} a synthetic set with another",
        soft_wrap=True,
    )
    for reason, number in skipped.items():
        out.print(f"  {number} skipped: {reason}", markup=False, soft_wrap=True)
    missing = [job for job in work.jobs if not is_cached(job, store)]
    seconds, unknown = Timings(store.root).estimate(missing)
    if unknown == len(missing) and missing:
        out.print("time: no estimate yet; nothing like these steps has been run here")
    else:
        more = f", and {counted(unknown, 'step')} of kinds never timed here" if unknown else ""
        out.print(f"time: about {clock(seconds / workers)} with {counted(workers, 'worker')}{more}", soft_wrap=True)


def _budgets(jobs: Sequence[Job]) -> list[str]:
    """``flow 3,000 × 64 a fit``: optimizer steps and batch size of all that trains, each once."""
    from cvbench.jobs import CellJob, FitJob

    told: dict[str, None] = {}
    for job in jobs:
        learns = job.learnt if isinstance(job, CellJob) else True
        if isinstance(job, CellJob | FitJob) and job.budget and learns:
            name, each = (job.generator.name, " a fit") if isinstance(job, FitJob) else (job.model.name, " a cell")
            told[f"{name} {job.budget.steps:,} × {job.budget.batch_size}{each}"] = None
    return sorted(told)


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
    from cvbench.jobs import JudgeJob
    from cvbench.plan import is_cached, make_plan
    from cvbench.report.table import print_tables
    from cvbench.run import FAILED, run, todo
    from cvbench.run_folder import joined
    from cvbench.store import Store, default_cache

    loaded = _loaded(suite, set_ or [])
    workers = share_out(device.value, jobs, threads, processes)
    store = Store(default_cache())
    with err.status("opening the data"):
        made = make_plan(loaded, device=workers.device, processes=workers.processes)
    planned = _run_folder(made, out_folder, workers.threads)
    joined(planned)  # says what is wrong before a folder is made
    if loaded.fidelity == "inception":
        to_judge = [job for job in todo(made, planned.ledger, store, retry.value).jobs if isinstance(job, JudgeJob)]
        if any(retry == "all" or not is_cached(job, store) for job in to_judge):
            from cvbench.fidelity.extractors import inception_weights

            with err.status("looking for InceptionV3's weights"):
                inception_weights()
    with planned.held():
        folder = joined(planned)
        folder.write()
        if threads is None:
            workers = share_out(device.value, jobs, folder.threads, processes)
        if threads is None and folder.threads > planned.threads:
            err.print(f"cvbench: {folder.threads} threads a worker, as this run began: its numbers depend on them")
        if threads not in (None, folder.threads):
            err.print(f"cvbench: this run began with --threads {folder.threads}: its numbers depend on them")
        work = todo(made, folder.ledger, store, retry.value)
        timings = Timings(store.root)
        try:
            with RunProgress(work.jobs, workers.jobs, timings, made, folder.path) as progress:
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
            all_again = "--retry all begins anew; without it, all cells recorded so far stand"
            err.print(
                f"cvbench: interrupted; {all_again if retry is RetryChoice.all else 'the same command continues'}"
            )
            raise typer.Exit(130) from None
        counts = folder.tally()
    print_tables(compare(folder), out)
    if counts.keys() == {"skipped"}:
        err.print("cvbench: every cell was skipped, so nothing was compared; why stands under the tables")
        sys.exit(1)
    if any(counts[name] for name in FAILED):
        sys.exit(1)


@app.command(rich_help_panel="Run")
def status(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/quickstart.")],
) -> None:
    """Tell how far a run is, what it is at, and why cells failed or were skipped."""
    from rich.markup import escape

    from cvbench.cli.progress import at_work
    from cvbench.run import may_be_tried_again
    from cvbench.run_folder import open_run

    folder = open_run(run)
    records = folder.ledger.read()
    counts = folder.tally()
    cells = len(folder.cells)
    now = at_work(run) if (running := folder.is_held()) else {}
    far = f"{cells - counts['missing']} of {cells} cells done"
    again = sum(may_be_tried_again(record) for record in records.values())
    if running:
        state = ", ".join(word for word in (f"running, {far}", now.get("left", "")) if word)
    elif counts["missing"]:
        state = f"not running, {far}; the same `cvbench run` command continues it"
    else:
        more = f"; the same `cvbench run` command tries {again} of them again" if again else ""
        state = f"finished, {far}{more}"
    out.print(f"[bold]{escape(folder.name)}[/bold] in {escape(str(run))}: {state}", soft_wrap=True)
    for name, number in counts.most_common():
        out.print(f"{number:>6} {name}")
    for job in now.get("at_work", ()):
        steps = f": {job['done']:,} of {job['total']:,}" if job["total"] else ": starting"
        out.print(f"  now: {escape(job['title'] + steps)}", soft_wrap=True)
    for cell, place in folder.cells.items():
        record = records.get(cell)
        if record is not None and record.status != "ok":
            out.print(f"{record.status}: {escape(str(place))}: {escape(record.reason)}", soft_wrap=True)
            if record.status == "failed":
                for line in record.tail[-3:]:
                    out.print(f"    {escape(line)}", style="dim", soft_wrap=True)
    if cells > counts["missing"]:
        so_far = " so far" if counts["missing"] else ""
        out.print(f"`cvbench report {escape(str(run))}` prints what it says{so_far}", soft_wrap=True)
