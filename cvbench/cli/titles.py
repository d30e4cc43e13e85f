"""What a job does, in a few words: ``train simple_cnn · digits · 10% of real · mixed flow ×1 · seed 0``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cvbench.jobs import CellJob, FitJob, Job, JudgeJob, MixJob, ProbeJob, RealPart, SampleJob, closure, fits_of
from cvbench.suite import RealShare

if TYPE_CHECKING:
    from cvbench.ledger import Coordinates
    from cvbench.plan import PlannedCell

_VERBS: dict[type, str] = {FitJob: "fit", SampleJob: "sample", MixJob: "mix", JudgeJob: "judge"}


class Titles:
    """Names jobs by themselves and, for what a job does not know, by the cells that need it."""

    def __init__(self, jobs: Sequence[Job], cells: Sequence[PlannedCell]) -> None:
        self.places: dict[str, list[Coordinates]] = {}
        for cell in cells:
            for key in closure([cell.job]):
                self.places.setdefault(key, []).append(cell.coordinates)
        self.several_sets = len({part_of(job).data.label for job in jobs}) > 1
        # a probe that judges has seen all, whatever the suite's shares
        self.several_shares = len({share(part_of(job)) for job in jobs if not isinstance(job, ProbeJob)}) > 1

    def full(self, job: Job) -> str:
        """For a log: all that tells the job from others."""
        return self._title(job, data=True, real=True)

    def brief(self, job: Job) -> str:
        """For a bar: without what is the same for all jobs."""
        return self._title(job, data=self.several_sets, real=self.several_shares)

    def _title(self, job: Job, *, data: bool, real: bool) -> str:
        part, ratio, seed = part_of(job), self._shared(job, "ratio"), self._shared(job, "seed")
        source = self._shared(job, "generator") or " + ".join(_generators(job))
        times = f" ×{ratio:g}" if ratio is not None and not isinstance(job, FitJob | ProbeJob) else ""
        if isinstance(job, CellJob):
            does = (f"train {self._shared(job, 'model') or job.model.name}", f"{job.regime} {source}{times}".strip())
        else:
            does = ("train the probe" if isinstance(job, ProbeJob) else f"{_VERBS[type(job)]} {source}{times}", "")
        words = (
            does[0],
            part.data.label if data else "",
            f"{share(part)} of real" if real else "",
            does[1],
            f"seed {seed}" if seed is not None else "",
        )
        return " · ".join(word for word in words if word)

    def _shared(self, job: Job, field: str) -> Any:
        """What all cells that need the job have in common, or None."""
        values = {getattr(place, field) for place in self.places.get(job.key, ())}
        return values.pop() if len(values) == 1 else None


def part_of(job: Job) -> RealPart:
    """The real data that a job sees."""
    if isinstance(job, SampleJob | MixJob):
        return fits_of(job)[0].part
    return job.part


def share(part: RealPart) -> str:
    """How much of the train split it is, as a suite's tables say it."""
    return str(RealShare(fraction=part.fraction, per_class=part.per_class, samples=part.samples))


def _generators(job: Job) -> list[str]:
    if isinstance(job, FitJob):
        return [job.generator.name]
    made = job if isinstance(job, SampleJob | MixJob) else None if isinstance(job, ProbeJob) else job.synthetic
    return [fit.generator.name for fit in fits_of(made)] if made else []
