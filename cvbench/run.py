"""Runs a plan: what is recorded stays, what is missing or failed is done, each end is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from cvbench.estimates import Timings
from cvbench.executors.local import Finished, Watcher, Workers, execute
from cvbench.jobs import CellJob, FitJob, Job, JudgeJob, artefact_kind, closure, needs, parts_of
from cvbench.ledger import PLAN, SETUP, CellRecord, Ledger, read_items
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

    A cell that was skipped for a reason that may be gone, such as a missing library, counts as failed. A fit whose
    every wanted sample is in the cache is not done again for its own sake.
    """
    records, damaged = ledger.read(), ledger.damaged()
    cells = []
    for cell in plan.cells:
        record = records.get(cell.id)
        # its per-item scores are torn, and the cache still has them: recorded again without a training
        torn = cell.id in damaged and store.has(artefact_kind(cell.job), cell.job.key)
        if record is None or _wanted_again(cell, record, retry) or torn:
            cells.append(cell)
    jobs = plan.jobs(tuple(cells))
    if retry == "all":
        return Todo(tuple(cells), tuple(jobs))
    needed = _needed([cell.job for cell in cells if not cell.skip], store)
    ends = {job.key: found(job, store) or Outcome("ok") for job in jobs if job.key not in needed}
    return Todo(tuple(cells), tuple(job for job in jobs if job.key in needed), ends)


def _wanted_again(cell: PlannedCell, record: CellRecord, retry: Retry) -> bool:
    if retry != "failed":
        return retry == "all"
    ruled_out_no_more = (record.status, record.phase) == ("skipped", PLAN) and not cell.skip
    return ruled_out_no_more or may_be_tried_again(record)


def may_be_tried_again(record: CellRecord) -> bool:
    """Whether another try may end otherwise: what failed, and what lacked a library."""
    return record.status in FAILED or (record.status, record.phase) == ("skipped", SETUP)


def _needed(ends: Sequence[CellJob | JudgeJob], store: Store) -> set[str]:
    """Keys of these jobs and of what those not in the cache read, and so on down: no fit for its own sake."""
    keys, waiting = {job.key for job in ends}, list[Job](ends)
    while waiting:
        job = waiting.pop()
        if not store.has(artefact_kind(job), job.key):
            sources = [source for source in needs(job) if source.key not in keys]
            keys |= {source.key for source in sources}
            waiting += sources
    return keys


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
    recorder = _Recorder(plan, work, store, ledger, watcher)
    recorder.record_skipped()
    waiting = []
    for job in work.jobs:
        outcome = found(job, store) if isinstance(job, CellJob | JudgeJob) else None
        if isinstance(job, CellJob | JudgeJob) and outcome is not None:
            recorder.recall(job, outcome)
        else:
            waiting.append(job)
    execute(
        waiting,
        done=work.done,
        cache=store.root,
        workers=workers,
        watcher=recorder,
        time_limit=plan.suite.time_limit,
    )


class _Recorder:
    """Writes a cell's record when its job ends, then passes the word on."""

    def __init__(
        self,
        plan: Plan,
        work: Todo,
        store: Store,
        ledger: Ledger,
        watcher: Watcher,
    ) -> None:
        self.plan, self.store, self.ledger, self.watcher = plan, store, ledger, watcher
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
        if isinstance(end.job, CellJob | JudgeJob):
            self._record(end.job, end.outcome, end.peak_memory_mb)
        self.watcher.finished(end)

    def recall(self, job: CellJob | JudgeJob, outcome: Outcome) -> None:
        """Record a cell that was found in the cache."""
        for source in _sources(job):
            if source.key not in self.ends:
                self.ends[source.key] = found(source, self.store) or Outcome("ok")
        self._record(job, outcome, 0.0)
        self.watcher.finished(Finished(job, outcome))

    def record_skipped(self) -> None:
        """Cells that the plan itself rules out."""
        for cell in self.cells:
            if cell.skip:
                self.ledger.append(self._blank(cell, Outcome("skipped", PLAN, cell.skip)))

    def _record(self, job: CellJob | JudgeJob, outcome: Outcome, peak: float) -> None:
        scores = self.store.find("scores", job.key) if outcome.status == "ok" and isinstance(job, CellJob) else None
        per_item = read_items(scores.folder / "items.npz") if scores is not None else {}
        for cell in self.by_key.get(job.key, []):
            record = replace(
                self._blank(cell, outcome),
                metrics=outcome.facts.get("metrics", {}),
                per_class=outcome.facts.get("per_class", {}),
                fidelity=outcome.facts.get("fidelity", {}),
                peak_memory_mb=peak,
            )
            self.ledger.append(record, per_item)

    def _blank(self, cell: PlannedCell, outcome: Outcome) -> CellRecord:
        job, synthetic = cell.job, cell.job.synthetic
        ends = [end for source in _sources(job) if (end := self.ends.get(source.key))] + [outcome]
        seconds: Counter[str] = Counter()
        for end in ends:
            seconds.update(end.seconds)
        cached = tuple(phase for end in ends for phase in end.cached)
        return CellRecord(
            cell=cell.id,
            coordinates=cell.coordinates,
            status=outcome.status,
            phase=outcome.phase,
            reason=outcome.reason,
            tail=outcome.tail,
            seconds=dict(seconds),
            synthetic=synthetic.count if synthetic else 0,
            parameters=self._parameters(cell),
            cached=cached,
            notes=self._notes(cell),
            resolved=_resolved(cell),
            environment=outcome.facts.get("environment", {}),
            written=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _parameters(self, cell: PlannedCell) -> int | None:
        """Of all generators behind the cell's samples."""
        fits = [source for source in _sources(cell.job) if isinstance(source, FitJob)]
        counts = [self.ends[fit.key].facts.get("parameters") if fit.key in self.ends else None for fit in fits]
        known = [int(count) for count in counts if count is not None]
        return sum(known) if fits and len(known) == len(fits) else None

    def _notes(self, cell: PlannedCell) -> tuple[str, ...]:
        label = cell.coordinates.dataset
        shared = int(self.plan.datasets[label]["test_pictures_in_train"])
        notes = [f"{shared} distinct test pictures of {label} are also training pictures"] if shared else []
        name = cell.coordinates.generator
        for source in _sources(cell.job):
            facts = self.ends[source.key].facts if source.key in self.ends else {}
            notes += [f"{name}: {note}" for note in facts.get("notes", ())]
            if seen := int(facts.get("test_pictures_among_synthetic", 0)):
                notes.append(f"{seen} distinct test pictures turned up among the samples of {name}")
        return tuple(notes)


def _sources(job: CellJob | JudgeJob) -> list[Job]:
    """What made a cell's synthetic set: fits, probes of a filter, samples."""
    return list(closure([job.synthetic]).values()) if job.synthetic else []


def _resolved(cell: PlannedCell) -> dict[str, Any]:
    """What the defaults made of a cell: model, budget, generators."""
    job = cell.job
    parts = parts_of(job.synthetic) if job.synthetic else ()
    return {
        "control": cell.control,
        "expected": cell.expected,
        "real_samples": cell.real_samples,
        "model": asdict(job.model) if isinstance(job, CellJob) else None,
        "budget": asdict(job.budget) if isinstance(job, CellJob) else None,
        "learns": isinstance(job, CellJob) and job.learnt is not None,
        "generators": [
            {
                **asdict(part.fit.generator),
                "budget": asdict(part.fit.budget) if part.fit.budget else None,
                "sampler": part.fit.key,
                "spread": part.spread,
            }
            for part in parts
        ],
        "synthetic": job.synthetic.key if job.synthetic else None,
        "trained": job.model_key if isinstance(job, CellJob) else None,
        "weights_seed": job.weights_seed if isinstance(job, CellJob) else None,
    }
