"""Live progress of a run on stderr: one bar for the run, one for each job at work, with rate and time left."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from cvbench.cli.console import err
from cvbench.estimates import Timings
from cvbench.executors.local import Finished
from cvbench.jobs import CellJob, FitJob, Job


def title(job: Job) -> str:
    """What a job does, in a few words."""
    if isinstance(job, CellJob):
        source = f" {job.synthetic.fit.generator.name}" if job.synthetic else ""
        return f"train {job.model.name} · {job.regime}{source}"
    fit = job if isinstance(job, FitJob) else job.fit
    return f"{'fit' if isinstance(job, FitJob) else 'sample'} {fit.generator.name}"


class RunProgress:
    """A watcher of the executor. On a terminal: bars; elsewhere: one plain line per finished job."""

    def __init__(self, jobs: Sequence[Job], workers: int, timings: Timings) -> None:
        self.total, self.done, self.failed = len(jobs), 0, 0
        self.waiting = {job.key: job for job in jobs}
        self.workers, self.timings = workers, timings
        self.bars: dict[str, TaskID] = {}
        self.live = Progress(
            TextColumn("{task.description}", style="none"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            _Pace(),
            TimeElapsedColumn(),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self.whole = self.live.add_task("[bold]run", total=self.total, overall=True)

    def __enter__(self) -> RunProgress:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def started(self, job: Job) -> None:
        """A worker took the job."""
        self.bars[job.key] = self.live.add_task(escape(title(job)), total=None, began=time.monotonic(), first=None)

    def advanced(self, job: Job, done: int, total: int, note: str) -> None:
        """A worker's word on how far the job is."""
        bar = self.bars.get(job.key)
        if bar is None:
            return
        fields = self.live.tasks[self.live.task_ids.index(bar)].fields
        if fields["first"] is None or done < fields["first"][0]:
            self.live.update(bar, first=(done, time.monotonic()))
        self.live.update(
            bar, completed=done, total=total, description=f"{escape(title(job))} [dim]{escape(note)}[/dim]"
        )

    def finished(self, end: Finished) -> None:
        """A job ended, one way or another."""
        self.done += 1
        bar = self.bars.pop(end.job.key, None)
        if bar is not None:
            self.live.remove_task(bar)
        self.waiting.pop(end.job.key, None)
        self.live.update(self.whole, completed=self.done, left=self._seconds_left())
        if end.outcome.status not in ("ok", "skipped"):
            self.failed += 1
            self.live.update(self.whole, description=f"[bold]run[/bold] [red]{self.failed} failed")
        if not err.is_terminal:
            seconds = sum(end.outcome.seconds.values())
            words = "cached" if end.outcome.cached else f"{seconds:.1f} s"
            if end.outcome.status != "ok":
                words = f"{end.outcome.status}: {end.outcome.reason}"
            err.print(f"[{self.done}/{self.total}] {title(end.job)}: {words}", markup=False, soft_wrap=True)

    def _seconds_left(self) -> float | None:
        """By what like jobs took before; None while most of what waits is of sorts never run here."""
        seconds, unknown = self.timings.estimate(self.waiting.values())
        return seconds / self.workers if unknown <= len(self.waiting) / 2 else None


class _Pace(ProgressColumn):
    """Steps per second since the job began to step, and the time that is left at that rate."""

    def render(self, task: Task) -> Text:
        if task.fields.get("overall"):
            left = task.fields.get("left")
            return Text(f"about {clock(left)} left" if left is not None else "")
        first = task.fields.get("first")
        if first is None or not task.total or task.completed <= first[0]:
            return Text("starting", style="dim")
        rate = (task.completed - first[0]) / max(1e-6, time.monotonic() - first[1])
        return Text(f"{rate:.3g}/s, {clock((task.total - task.completed) / rate)} left", style="dim")


def clock(seconds: float) -> str:
    """Seconds as people read them: ``40 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
