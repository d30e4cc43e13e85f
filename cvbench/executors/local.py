"""Does a plan's jobs in local worker processes: what is needed first, first; one failure costs its own cells.

Workers live as long as the run, so torch is imported once in each. A worker that dies is replaced; the job
that it was doing, if any, fails with that reason. With GPUs, each worker has one.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from cvbench.executors.worker import serve
from cvbench.jobs import CellJob, Job, first_phase, needs
from cvbench.steps import WAITS, Outcome
from cvbench.store import Store

SETTLE_SECONDS = 5.0  # how long a worker that was told to leave may take
START_SECONDS = 60.0  # how long a new worker may take to import torch: its first job's time limit runs after that


@dataclass(frozen=True)
class Workers:
    """How the machine is shared out: ``jobs`` workers with ``threads`` each, ``gpus`` in all to go round.

    ``processes``: how many share the training of one cell; on a machine with GPUs each has one.
    """

    jobs: int
    threads: int
    device: str = "cpu"
    gpus: int = 0
    processes: int = 1


@dataclass(frozen=True)
class Finished:
    """A job's end, as the caller hears of it."""

    job: Job
    outcome: Outcome
    peak_memory_mb: float = 0.0


class Watcher(Protocol):
    """Hears what happens while jobs run."""

    def started(self, job: Job) -> None: ...
    def advanced(self, job: Job, done: int, total: int, note: str) -> None: ...
    def finished(self, end: Finished) -> None: ...


@dataclass
class _Worker:
    number: int  # which GPUs are its own
    process: BaseProcess
    connection: Connection
    job: Job | None = None
    deadline: float = float("inf")
    heard: bool = False  # whether it has said a word yet


@dataclass
class _Queue:
    """Jobs that wait, those that can start now, and those that cannot any more."""

    waiting: list[Job]
    ends: dict[str, Outcome] = field(default_factory=dict)

    def next_ready(self) -> Job | None:
        for job in self.waiting:
            if all(self.ends.get(source.key, _PENDING).status == "ok" for source in needs(job)):
                self.waiting.remove(job)
                return job
        return None

    def doomed(self) -> list[tuple[Job, Outcome]]:
        """Jobs whose source did not end well: they take over its status, phase and reason."""
        lost = []
        for job in list(self.waiting):
            ends = [self.ends[source.key] for source in needs(job) if source.key in self.ends]
            failed = next((end for end in ends if end.status != "ok"), None)
            if failed is not None:
                self.waiting.remove(job)
                lost.append((job, failed))
        return lost


_PENDING = Outcome("missing")


def execute(
    jobs: Sequence[Job],
    *,
    done: Mapping[str, Outcome],
    cache: Path,
    workers: Workers,
    watcher: Watcher,
    time_limit: float | None = None,
) -> None:
    """Do all jobs, each after the one it needs; ``done`` holds the ends of those already done.

    Returns when every job has ended one way or another; the watcher hears of each end once.
    Raises OSError when a worker's disk takes no more. Whatever is raised, no worker is left behind.
    """
    queue = _Queue(list(jobs), dict(done))
    crew: list[_Worker] = []

    def end(job: Job, outcome: Outcome, peak: float = 0.0) -> None:
        queue.ends[job.key] = outcome
        watcher.finished(Finished(job, outcome, peak))
        for lost, reason in queue.doomed():
            end(lost, reason)

    try:
        while queue.waiting or any(worker.job for worker in crew):
            _hand_out(queue, crew, cache, workers, watcher, time_limit)
            busy = [worker for worker in crew if worker.job is not None]
            if not busy:
                raise RuntimeError(f"{len(queue.waiting)} jobs wait for something that nobody does")
            for connection in wait([worker.connection for worker in busy], timeout=1.0):
                worker = next(w for w in busy if w.connection is connection)
                job, message = worker.job, _receive(worker)
                if not worker.heard:
                    worker.heard, worker.deadline = True, _deadline(time_limit)
                assert job is not None
                if message[0] == "progress":
                    if message[3] == WAITS:
                        worker.deadline = _deadline(time_limit)  # what another process takes is not the job's own time
                    watcher.advanced(job, *message[1:])
                elif message[0] == "done":
                    worker.job = None
                    end(job, message[1], message[2])
                elif message[0] == "stop":
                    raise OSError(message[1], message[2], message[3])
                else:
                    _remove(crew, worker)
                    end(job, Outcome("failed", _phase(job, cache), str(message[1])))
            for worker in [w for w in crew if w.job is not None and time.monotonic() > w.deadline]:
                late = worker.job
                assert late is not None
                _remove(crew, worker)
                end(late, Outcome("timeout", _phase(late, cache), f"not done within {time_limit:g} s"))
    finally:
        for worker in list(crew):
            _dismiss(worker)


def _hand_out(
    queue: _Queue,
    crew: list[_Worker],
    cache: Path,
    workers: Workers,
    watcher: Watcher,
    time_limit: float | None,
) -> None:
    while True:
        idle = next((worker for worker in crew if worker.job is None), None)
        if idle is None and len(crew) >= workers.jobs:
            return
        job = queue.next_ready()
        if job is None:
            return
        watcher.started(job)
        if idle is not None and _given(idle, job, time_limit):
            continue
        if idle is not None:  # it died while idle, which is no fault of this job
            _remove(crew, idle)
        fresh = _hire(_least_free(crew), cache, workers)
        crew.append(fresh)
        _given(fresh, job, time_limit)  # if this one is dead too, the pipe's end tells so at once, and the job fails


def _given(worker: _Worker, job: Job, time_limit: float | None) -> bool:
    """Send the worker its job; False when it is dead."""
    worker.job, worker.deadline = job, _deadline(time_limit) + (0 if worker.heard else START_SECONDS)
    try:
        worker.connection.send(job)
    except OSError:
        return False
    return True


def _deadline(time_limit: float | None) -> float:
    return time.monotonic() + (time_limit or float("inf"))


def _phase(job: Job, cache: Path) -> str:
    """What a job was at when its worker ended: a cell whose model is in the cache was being evaluated."""
    trained = isinstance(job, CellJob) and Store(cache).has("model", job.model_key)
    return "evaluate" if trained else first_phase(job)


def _least_free(crew: Sequence[_Worker]) -> int:
    """The place of a worker that left, so that its successor takes over its GPUs and nobody else's."""
    taken = {worker.number for worker in crew}
    return next(number for number in range(len(crew) + 1) if number not in taken)


def _hire(number: int, cache: Path, workers: Workers) -> _Worker:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(
        target=serve,
        args=(theirs, cache, workers.threads, workers.device, workers.processes),
        name=f"cvbench-{number}",
        daemon=True,
    )
    with _environment(OMP_NUM_THREADS=str(workers.threads), **_gpu(number, workers)):
        process.start()
    theirs.close()
    return _Worker(number, process, ours)


def _gpu(number: int, workers: Workers) -> dict[str, str]:
    if not workers.gpus:
        return {}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(n) for n in range(workers.gpus)]
    mine = [names[(number * workers.processes + k) % len(names)] for k in range(workers.processes)]
    return {"CUDA_VISIBLE_DEVICES": ",".join(mine)}


@contextmanager
def _environment(**variables: str) -> Iterator[None]:
    """Variables that a process started inside is born with."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _receive(worker: _Worker) -> tuple[Any, ...]:
    try:
        message: tuple[Any, ...] = worker.connection.recv()
        return message
    except (EOFError, OSError):
        worker.process.join(SETTLE_SECONDS)
        code = worker.process.exitcode
        if code is not None and code < 0:
            likely = " (out of memory?)" if code == -9 else ""
            return "died", f"its worker process was killed by signal {-code}{likely}"
        return "died", f"its worker process ended with code {code}"


def _remove(crew: list[_Worker], worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join(SETTLE_SECONDS)
    worker.connection.close()
    crew.remove(worker)


def _dismiss(worker: _Worker) -> None:
    if worker.job is None:
        try:
            worker.connection.send(None)
            worker.process.join(SETTLE_SECONDS)
        except OSError:
            pass
    if worker.process.is_alive():
        worker.process.kill()
        worker.process.join(SETTLE_SECONDS)
    worker.connection.close()
