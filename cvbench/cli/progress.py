"""Live progress on stderr: one bar for the run, one for each job at work; without a terminal, plain lines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from cvbench.cli.console import err
from cvbench.cli.titles import Titles
from cvbench.durable import write_durably
from cvbench.estimates import Timings, sort_of, work
from cvbench.executors.local import Finished
from cvbench.jobs import CellJob, Job, JudgeJob
from cvbench.report.words import number, unit

if TYPE_CHECKING:
    from cvbench.contracts import Metric
    from cvbench.plan import Plan

WRITE_SECONDS = 2.0  # between two writings of the file that `cvbench status` reads
LINE_SECONDS = 30.0  # between two lines on one job where there is no terminal
FILE = "progress.json"  # in the run's folder, while a run is at work


@dataclass
class Pace:
    """How far a job is and how fast: its steps since it began to step, or began a new stretch."""

    began: float
    done: int = 0
    total: int = 0
    note: str = ""
    first: tuple[int, float] | None = None

    def advance(self, done: int, total: int, note: str) -> None:
        """Take in the job's own word."""
        if self.first is None or done < self.done or total != self.total:
            self.first = (done, time.monotonic())
        self.done, self.total, self.note = done, total, note

    def rate(self) -> float | None:
        """Steps per second."""
        if self.first is None or self.done <= self.first[0]:
            return None
        return (self.done - self.first[0]) / max(1e-6, time.monotonic() - self.first[1])

    def seconds_left(self) -> float | None:
        """Of the stretch that it is in."""
        rate = self.rate()
        return (self.total - self.done) / rate if rate and self.total else None


class RunProgress:
    """A watcher of the executor. On a terminal: bars; elsewhere: one plain line per finished job.

    ``plan`` tells what jobs are called by their cells, ``folder`` where ``cvbench status`` looks.
    """

    def __init__(self, jobs: Sequence[Job], workers: int, timings: Timings, plan: Plan, folder: Path) -> None:
        self.total, self.done, self.failed = len(jobs), 0, 0
        self.waiting = {job.key: job for job in jobs}
        self.workers, self.timings, self.folder = workers, timings, folder
        self.titles = Titles(jobs, plan.cells)
        self.primary = next((metric for metric in plan.task.metrics if metric.primary), None)
        self.costs = {job.key: (sort_of(job), max(1, work(job))) for job in jobs}
        self.seconds_per_work = _learnt(timings, jobs)
        self.paces: dict[str, Pace] = {}
        self.bars: dict[str, TaskID] = {}
        self.began, self.written = time.monotonic(), float("-inf")
        self.live = _bars()
        self.whole = self.live.add_task("[bold]run", total=self.total, words=self._whole_words())

    def __enter__(self) -> RunProgress:
        self.live.start()
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()
        with suppress(OSError):
            (self.folder / FILE).unlink(missing_ok=True)

    def started(self, job: Job) -> None:
        """A worker took the job."""
        self.paces[job.key] = Pace(time.monotonic())
        self.bars[job.key] = self.live.add_task(escape(self.titles.brief(job)), total=None, words="starting")
        self._write()

    def advanced(self, job: Job, done: int, total: int, note: str) -> None:
        """A worker's word on how far the job is."""
        pace = self.paces.get(job.key)
        if pace is None:
            return
        pace.advance(done, total, note)
        if err.is_terminal:
            _show(self.live, self.bars[job.key], self.titles.brief(job), pace)
            self.live.update(self.whole, words=self._whole_words())
        self._write()

    def finished(self, end: Finished) -> None:
        """A job ended, one way or another."""
        self.done += 1
        self.waiting.pop(end.job.key, None)
        self.paces.pop(end.job.key, None)
        if (bar := self.bars.pop(end.job.key, None)) is not None:
            self.live.remove_task(bar)
        if not end.outcome.cached:
            self.seconds_per_work |= _learnt(self.timings, [end.job])
        if end.outcome.status not in ("ok", "skipped"):
            self.failed += 1
            self.live.update(self.whole, description=f"[bold]run[/bold] [red]{self.failed} failed")
        self.live.update(self.whole, completed=self.done, words=self._whole_words())
        self._write()
        if not err.is_terminal:
            left = f"; {words}" if (words := self._left()) and self.waiting else ""
            line = f"[{self.done}/{self.total}] {self.titles.full(end.job)}: {self._became(end)}{left}"
            err.print(line, markup=False, soft_wrap=True)

    def _became(self, end: Finished) -> str:
        """A job's result and cost, or why it has none."""
        if end.outcome.status != "ok":
            return f"{end.outcome.status}: {end.outcome.reason}"
        words = [result] if (result := _result(end, self.primary)) else []
        seconds = sum(end.outcome.seconds.values())
        spent = f"{seconds:.1f} s" if seconds < 60 else clock(seconds)
        return ", ".join([*words, "cached" if end.outcome.cached else spent])

    def _seconds_left(self) -> tuple[float, int]:
        """For what is at work by its own rate, for the rest by what like jobs took; and how many of no known sort."""
        known = dict(self.seconds_per_work)
        own = {key: left for key, pace in self.paces.items() if (left := pace.seconds_left()) is not None}
        for key, left in own.items():
            sort, amount = self.costs[key]
            known.setdefault(sort, (time.monotonic() - self.paces[key].began + left) / amount)
        others = [self.costs[key] for key in self.waiting if key not in own]
        rest = [known[sort] * amount for sort, amount in others if sort in known]
        return max([(sum(own.values()) + sum(rest)) / self.workers, *own.values()]), len(others) - len(rest)

    def _left(self) -> str:
        """Nothing before one of the models that wait is timed: it is they that take the time."""
        seconds, unknown = self._seconds_left()
        if seconds < 1 or self._no_training_timed():
            return ""
        return f"over {clock(seconds)} left" if unknown else f"about {clock(seconds)} left"

    def _no_training_timed(self) -> bool:
        trains = [key for key, job in self.waiting.items() if isinstance(job, CellJob) and job.learnt]
        stepping = [key for key in trains if key in self.paces and self.paces[key].seconds_left() is not None]
        return bool(trains) and not stepping and not any(self.costs[key][0] in self.seconds_per_work for key in trains)

    def _whole_words(self) -> str:
        spent = f"{clock(time.monotonic() - self.began)} so far"
        return f"{left}, {spent}" if (left := self._left()) else spent

    def _write(self) -> None:
        """What ``cvbench status`` reads, now and then and whole; a disk that does not take it stops no run."""
        if time.monotonic() - self.written < WRITE_SECONDS:
            return
        self.written = time.monotonic()
        jobs = [
            {"title": self.titles.full(self.waiting[key]), "done": p.done, "total": p.total, "left": p.seconds_left()}
            for key, p in self.paces.items()
            if key in self.waiting
        ]
        facts = {"done": self.done, "total": self.total, "left": self._left(), "at_work": jobs}
        with suppress(OSError):
            write_durably(self.folder / FILE, json.dumps(facts).encode())


def at_work(folder: Path) -> Mapping[str, Any]:
    """What the run in this folder wrote of itself last; empty when it has not."""
    try:
        facts = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _learnt(timings: Timings, jobs: Sequence[Job]) -> dict[str, float]:
    """Sort of job → seconds per unit of work, for the sorts of these jobs that were run here before."""
    examples = {sort_of(job): job for job in jobs}
    estimates = {sort: (timings.estimate([job]), max(1, work(job))) for sort, job in examples.items()}
    return {sort: seconds / amount for sort, ((seconds, unknown), amount) in estimates.items() if not unknown}


def _result(end: Finished, primary: Metric | None) -> str:
    """A cell's score in the form that the tables give it; a set's distance from real pictures."""
    if isinstance(end.job, JudgeJob):
        distance = end.outcome.facts.get("fidelity", {}).get("values", {}).get("frechet_distance")
        return "" if distance is None else f"Fréchet distance {distance:.4g}"
    value = end.outcome.facts.get("metrics", {}).get(primary.name) if primary else None
    return f"{primary.name} {number(value, primary)}{unit(primary)}" if primary and value is not None else ""


# ------------------------------------------------------------------------------------- one job alone


@contextmanager
def one_bar(first: str) -> Iterator[Callable[..., None]]:
    """Progress of a command that does one thing after another: a bar; without a terminal, a line for each."""
    if not err.is_terminal:
        yield _Lines(first)
        return
    with _bars() as live:
        bar, pace = live.add_task(first, total=None, words=""), Pace(time.monotonic())

        def progress(done: int, total: int, note: str = "") -> None:
            pace.advance(done, total, note)
            _show(live, bar, note or first, pace)

        yield progress


class _Lines:
    """A line when something else begins, and now and then on how far it is."""

    def __init__(self, first: str) -> None:
        self.note, self.said = "", 0.0
        self.pace = Pace(time.monotonic())
        self.first = first

    def __call__(self, done: int, total: int, note: str = "") -> None:
        note = note or self.first
        if note != self.note:
            self.note, self.said, self.pace = note, time.monotonic(), Pace(time.monotonic())
            err.print(note, markup=False, soft_wrap=True)
        self.pace.advance(done, total, note)
        if time.monotonic() - self.said > LINE_SECONDS:
            self.said = time.monotonic()
            left = self.pace.seconds_left()
            words = f", {clock(left)} left" if left is not None else ""
            err.print(f"{note}: {done:,} of {total:,}{words}", markup=False, soft_wrap=True)


# ------------------------------------------------------------------------------------ how it looks


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        _Words(),
        console=err,
        transient=True,
        expand=True,
        disable=not err.is_terminal,
    )


class _Words(ProgressColumn):
    """What a task's own ``words`` say, on one line."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["words"], style="dim", no_wrap=True)


def _show(live: Progress, bar: TaskID, title: str, pace: Pace) -> None:
    rate, left = pace.rate(), pace.seconds_left()
    words = "" if rate is None or left is None else f"{rate:.3g}/s, {clock(left)} left"
    news = f" [dim]{escape(said)}[/dim]" if (said := _news(pace.note, title)) else ""
    live.update(bar, completed=pace.done, total=pace.total, description=f"{escape(title)}{news}", words=words)


def _news(note: str, title: str) -> str:
    """What a note adds to a title: "fitting flow" adds nothing to "fit flow", "evaluating" much to "train cnn"."""
    words, verb = note.split(), title.split()[0]
    if words and words[0].startswith(verb[:4]):
        words = words[1:]
    return " ".join(word for word in words if word not in title.split())


def clock(seconds: float) -> str:
    """Seconds as people read them: ``40 s``, ``3 min 20 s``, ``2 h 5 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole < 600 else f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
