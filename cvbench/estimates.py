"""How long a job will take here, judged by what like jobs took here before. No history, no estimate."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from cvbench.jobs import CellJob, FitJob, Job, JudgeJob, MixJob, ProbeJob, SampleJob, first_phase, fits_of
from cvbench.steps import Outcome

REMEMBERED = 20  # of the latest jobs of a sort


def sort_of(job: Job) -> str:
    """Jobs of one sort take time in proportion to their :func:`work`."""
    if isinstance(job, CellJob):
        return f"cell {job.model.name} {_size(job.part.data.picture)} {job.engine}"
    if isinstance(job, ProbeJob | JudgeJob):
        extractor = f" {job.extractor}" if isinstance(job, JudgeJob) else ""
        return f"{first_phase(job)}{extractor} {_size(job.part.data.picture)} {job.engine}"
    fits = (job,) if isinstance(job, FitJob) else fits_of(job)
    names = " + ".join(sorted(fit.generator.name for fit in fits))
    return f"{first_phase(job)} {names} {_size(fits[0].part.data.picture)} {fits[0].engine}"


def work(job: Job) -> int:
    """Pictures that the job passes through its networks."""
    if isinstance(job, CellJob):
        return job.budget.steps * job.budget.batch_size if job.learnt else 1
    if isinstance(job, FitJob):
        return job.budget.steps * job.budget.batch_size if job.budget else 1
    return job.count if isinstance(job, SampleJob | MixJob) else 1


class Timings:
    """The cache's memory of what jobs took: seconds per unit of work, by sort."""

    def __init__(self, cache: Path) -> None:
        self.file = cache / "timings.jsonl"

    def note(self, job: Job, outcome: Outcome) -> None:
        """Remember a job that was computed, not found."""
        if outcome.status != "ok" or outcome.cached:
            return
        line = {"sort": sort_of(job), "work": work(job), "seconds": sum(outcome.seconds.values())}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def estimate(self, jobs: Iterable[Job]) -> tuple[float, int]:
        """Seconds of work for these jobs on one worker, and how many have no history to judge by."""
        rates = self._rates()
        seconds, unknown = 0.0, 0
        for job in jobs:
            rate = rates.get(sort_of(job))
            if rate is None:
                unknown += 1
            else:
                seconds += rate * work(job)
        return seconds, unknown

    def _rates(self) -> dict[str, float]:
        seen: dict[str, list[float]] = defaultdict(list)
        for line in self.file.read_bytes().splitlines() if self.file.exists() else []:
            try:
                entry = json.loads(line)
                seen[entry["sort"]].append(entry["seconds"] / entry["work"])
            except (ValueError, KeyError, TypeError, ZeroDivisionError):
                continue  # a line torn by a kill
        return {sort: statistics.median(rates[-REMEMBERED:]) for sort, rates in seen.items()}


def _size(picture: tuple[int, int, int]) -> str:
    return "x".join(str(side) for side in picture)
