"""Runs a plan: what is recorded stays, what is missing or failed is done, each end is kept."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Literal

from cvbench import __version__
from cvbench.estimates import Timings
from cvbench.executors.local import Finished, Watcher, Workers, execute
from cvbench.jobs import CellJob, FitJob, Job, SampleJob, artefact_kind
from cvbench.ledger import CellRecord, Ledger, read_items
from cvbench.plan import Plan, PlannedCell
from cvbench.steps import Outcome, found
from cvbench.store import Store

Retry = Literal["failed", "none", "all"]
FAILED = ("failed", "timeout", "oom")


@dataclass(frozen=True)
class Todo:
    """What a command has to do: cells without a lasting record, and the jobs behind them."""

    cells: tuple[PlannedCell, ...]
    jobs: tuple[Job, ...]
    done: Mapping[str, Outcome] = field(default_factory=dict)


def todo(plan: Plan, ledger: Ledger, store: Store, retry: Retry = "failed") -> Todo:
    """The cells that are missing (or, by ``retry``, failed, or all), and their jobs.

    A fit whose every wanted sample is in the cache is not done again for its own sake.
    """
    records = ledger.read()
    cells = []
    for cell in plan.cells:
        record = records.get(cell.id)
        again = retry == "all" or (retry == "failed" and record is not None and record.status in FAILED)
        if record is None or again:
            cells.append(cell)
    jobs = plan.jobs(tuple(cells))
    if retry == "all":
        return Todo(tuple(cells), tuple(jobs))
    unsampled = {j.fit.key for j in jobs if isinstance(j, SampleJob) and not store.has("synthetic", j.key)}
    needless = [j for j in jobs if isinstance(j, FitJob) and j.key not in unsampled]
    ends = {job.key: found(job, store) or Outcome("ok") for job in needless}
    return Todo(tuple(cells), tuple(job for job in jobs if job.key not in ends), ends)


def run(
    plan: Plan,
    work: Todo,
    *,
    store: Store,
    ledger: Ledger,
    workers: Workers,
    watcher: Watcher,
    fresh: bool = False,
) -> None:
    """Do the work; every cell's record is in the ledger the moment the cell ends.

    Cells whose scores are in the cache are recorded without a worker. ``fresh`` sets their artefacts aside
    first. Raises OSError when the disk takes no more.
    """
    if fresh:
        for job in work.jobs:
            store.discard(artefact_kind(job), job.key)
            if isinstance(job, CellJob):
                store.discard("model", job.model_key)
    recorder = _Recorder(plan, work, store, ledger, watcher, environment(workers))
    recorder.record_skipped()
    waiting = []
    for job in work.jobs:
        outcome = found(job, store) if isinstance(job, CellJob) else None
        if isinstance(job, CellJob) and outcome is not None:
            recorder.recall(job, outcome)
        else:
            waiting.append(job)
    needed = _still_needed(waiting)
    execute(
        needed,
        done=work.done,
        cache=store.root,
        workers=workers,
        watcher=recorder,
        time_limit=plan.suite.time_limit,
    )


def _still_needed(jobs: list[Job]) -> list[Job]:
    """Without the fits and samples that only recalled cells asked for."""
    synthetic = {job.synthetic.key for job in jobs if isinstance(job, CellJob) and job.synthetic}
    fits = {job.fit.key for job in jobs if isinstance(job, SampleJob) and job.key in synthetic}
    wanted = synthetic | fits
    return [job for job in jobs if isinstance(job, CellJob) or job.key in wanted]


class _Recorder:
    """Writes a cell's record when its job ends, then passes the word on."""

    def __init__(
        self,
        plan: Plan,
        work: Todo,
        store: Store,
        ledger: Ledger,
        watcher: Watcher,
        environment: Mapping[str, Any],
    ) -> None:
        self.plan, self.store, self.ledger, self.watcher = plan, store, ledger, watcher
        self.environment = environment
        self.timings = Timings(store.root)
        self.ends = dict(work.done)
        self.cells = work.cells
        self.by_key: dict[str, list[PlannedCell]] = {}
        for cell in work.cells:
            self.by_key.setdefault(cell.job.key, []).append(cell)

    def started(self, job: Job) -> None:
        self.watcher.started(job)

    def advanced(self, job: Job, done: int, total: int, note: str) -> None:
        self.watcher.advanced(job, done, total, note)

    def finished(self, end: Finished) -> None:
        self.ends[end.job.key] = end.outcome
        self.timings.note(end.job, end.outcome)
        if isinstance(end.job, CellJob):
            self._record(end.job, end.outcome, end.peak_memory_mb)
        self.watcher.finished(end)

    def recall(self, job: CellJob, outcome: Outcome) -> None:
        """Record a cell that was found in the cache."""
        if job.synthetic is not None:
            for source in (job.synthetic.fit, job.synthetic):
                if source.key not in self.ends:
                    self.ends[source.key] = found(source, self.store) or Outcome("ok")
        self._record(job, outcome, 0.0)
        self.watcher.finished(Finished(job, outcome))

    def record_skipped(self) -> None:
        """Cells that the plan itself rules out."""
        for cell in self.cells:
            if cell.skip:
                self.ledger.append(self._blank(cell, Outcome("skipped", "plan", cell.skip)))

    def _record(self, job: CellJob, outcome: Outcome, peak: float) -> None:
        scores = self.store.find("scores", job.key) if outcome.status == "ok" else None
        per_item = read_items(scores.folder / "items.npz") if scores is not None else {}
        for cell in self.by_key.get(job.key, []):
            record = replace(
                self._blank(cell, outcome),
                metrics=outcome.facts.get("metrics", {}),
                per_class=outcome.facts.get("per_class", {}),
                peak_memory_mb=peak,
            )
            self.ledger.append(record, per_item)

    def _blank(self, cell: PlannedCell, outcome: Outcome) -> CellRecord:
        job, source = cell.job, cell.job.synthetic
        sources = [self.ends.get(key) for key in ((source.fit.key, source.key) if source else ())]
        seconds = {phase: s for end in [*sources, outcome] if end for phase, s in end.seconds.items()}
        cached = tuple(phase for end in [*sources, outcome] if end for phase in end.cached)
        return CellRecord(
            cell=cell.id,
            coordinates=cell.coordinates,
            status=outcome.status,
            phase=outcome.phase,
            reason=outcome.reason,
            tail=outcome.tail,
            seconds=seconds,
            synthetic=source.count if source else 0,
            cached=cached,
            notes=self._notes(cell),
            resolved={"control": cell.control, **_plain(job)},
            environment=self.environment,
            written=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _notes(self, cell: PlannedCell) -> tuple[str, ...]:
        label = cell.coordinates.dataset
        shared = int(self.plan.datasets[label]["test_pictures_in_train"])
        notes = [f"{shared} distinct test pictures of {label} are also training pictures"] if shared else []
        source = cell.job.synthetic
        end = self.ends.get(source.key) if source is not None else None
        fitted = self.ends.get(source.fit.key) if source is not None else None
        notes += [f"{cell.coordinates.generator}: {note}" for note in (fitted.facts.get("notes", ()) if fitted else ())]
        seen = int(end.facts.get("test_pictures_among_synthetic", 0)) if end is not None else 0
        if seen:
            notes.append(f"{seen} test pictures turned up among the samples of {cell.coordinates.generator}")
        return tuple(notes)


def _plain(job: CellJob) -> dict[str, Any]:
    """What the defaults made of a cell: model, budget, generator."""
    source = job.synthetic
    return {
        "model": asdict(job.model),
        "budget": asdict(job.budget),
        "generator": asdict(source.fit.generator) if source else None,
        "generator_budget": asdict(source.fit.budget) if source and source.fit.budget else None,
    }


def environment(workers: Workers) -> dict[str, Any]:
    """What the numbers were made with."""
    return {
        "cvbench": __version__,
        "python": platform.python_version(),
        **{package: version(package) for package in ("torch", "torchvision", "numpy")},
        "system": f"{platform.system()} {platform.machine()}",
        "device": workers.device,
        "threads": workers.threads,
        "processes_per_cell": workers.processes,
    }
