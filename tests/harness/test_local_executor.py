"""How workers share the machine's devices, and who follows one that died."""

from dataclasses import dataclass, field
from multiprocessing import Pipe
from threading import Thread
from unittest.mock import Mock

import pytest

from cvbench.executors import local
from cvbench.executors.local import Workers, _gpu, _least_free, _Worker, execute
from cvbench.jobs import DataRef, FitJob, PluginRef, RealPart
from cvbench.steps import Outcome


@pytest.mark.parametrize(("there", "free"), [([], 0), ([0], 1), ([0, 1], 2), ([1], 0), ([2, 0], 1)])
def test_who_follows_a_dead_worker_takes_its_devices(there, free):
    assert _least_free([_Worker(number, Mock(), Mock()) for number in there]) == free


def test_workers_have_devices_of_their_own(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5,6,7")
    workers = Workers(jobs=2, threads=1, device="cuda", gpus=4, processes=2)
    assert [_gpu(number, workers)["CUDA_VISIBLE_DEVICES"] for number in (0, 1)] == ["3,5", "6,7"]


@dataclass
class Crew:
    """Stands in for worker processes: each does so many jobs, then its end of the pipe is closed."""

    lives: list[int]
    hired: list[_Worker] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def hire(self, number, cache, workers):
        ours, theirs = Pipe()
        self.threads.append(Thread(target=self.serve, args=(theirs, self.lives[len(self.hired)]), daemon=True))
        self.threads[-1].start()
        self.hired.append(_Worker(number, Mock(exitcode=-9), ours))
        return self.hired[-1]

    def serve(self, theirs, lives):
        for _ in range(lives):
            if theirs.recv() is None:
                break
            theirs.send(("done", Outcome("ok"), 0.0))
        theirs.close()

    def started(self, job):
        self.heard.append(f"{job.seed} started")

    def advanced(self, job, done, total, note): ...

    def finished(self, end):
        self.heard.append(f"{end.job.seed} {end.outcome.status}")
        if self.lives[len(self.hired) - 1] == 1:
            self.threads[-1].join()  # it is dead before the next job is given out


def fits(count):
    part = RealPart(DataRef("d", "digits", "", None, {}, 0), 1, None, 0)
    return [FitJob(PluginRef("again", "x:Again v1", {}), None, part, seed, "") for seed in range(count)]


def test_a_job_whose_worker_died_while_idle_is_given_to_another(tmp_path, monkeypatch):
    crew = Crew([1, 9])
    monkeypatch.setattr(local, "_hire", crew.hire)
    execute(fits(2), done={}, cache=tmp_path, workers=Workers(jobs=1, threads=1), watcher=crew)
    assert crew.heard == ["0 started", "0 ok", "1 started", "1 ok"]
    assert [worker.number for worker in crew.hired] == [0, 0]  # the same devices
    assert crew.hired[0].connection.closed


def test_where_workers_die_at_once_the_jobs_fail_and_the_run_ends(tmp_path, monkeypatch):
    crew = Crew([0, 0, 0])
    monkeypatch.setattr(local, "_hire", crew.hire)
    hire = crew.hire
    monkeypatch.setattr(local, "_hire", lambda *given: (hire(*given), crew.threads[-1].join())[0])
    execute(fits(2), done={}, cache=tmp_path, workers=Workers(jobs=1, threads=1), watcher=crew)
    assert crew.heard == ["0 started", "0 failed", "1 started", "1 failed"]
