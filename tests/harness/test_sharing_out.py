"""Sharing the machine out: the cores that this process may use, batches, time limits, what a dead worker was at."""

import threading
import time
from multiprocessing import Pipe
from unittest.mock import Mock

import numpy as np
import psutil
import pytest
from PIL import Image

from cvbench.contracts import Budget
from cvbench.devices import share_out
from cvbench.errors import DataError, UserError
from cvbench.executors import local
from cvbench.executors.together import check_batch
from cvbench.jobs import CellJob, DataRef, PluginRef, RealPart
from cvbench.readers.torchvision_sets import _gathered
from cvbench.steps import WAITS, Outcome
from cvbench.store import Store

PLUGIN = PluginRef("means", "x:Means v1", {})
PART = RealPart(DataRef("d", "digits", "", None, {}, 0.0), 1.0, None, 0)
CELL = CellJob(PLUGIN, PLUGIN, PLUGIN, Budget(5, 8), PART, "real", None, 0, 0, "")


def test_only_the_cores_that_this_process_may_use_are_shared_out(monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16)
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda self: [3, 5], raising=False)
    assert share_out("cpu", None, None) == local.Workers(2, 1)
    monkeypatch.delattr(psutil.Process, "cpu_affinity")
    assert share_out("cpu", None, None) == local.Workers(16, 1)


@pytest.mark.parametrize(
    ("jobs", "threads", "shared"),
    [(None, 2, (4, 2)), (None, 3, (2, 3)), (2, None, (2, 4)), (3, 4, (3, 4)), (None, 9, (1, 9))],
)
def test_jobs_and_threads_share_the_cores(jobs, threads, shared, monkeypatch):
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 8)
    monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)
    workers = share_out("cpu", jobs, threads)
    assert (workers.jobs, workers.threads) == shared


@pytest.mark.parametrize(("batch", "processes"), [(1, 2), (7, 2), (8, 3)])
def test_a_batch_that_cannot_be_shared_evenly_is_refused(batch, processes):
    with pytest.raises(UserError, match=f"a batch of {batch} cannot be shared evenly by {processes} processes"):
        check_batch(batch, processes)
    check_batch(batch * processes, processes)


def done_by(worker, tmp_path, monkeypatch, *, time_limit=None) -> Outcome:
    """How a cell ends whose worker process is this function of its end of the pipe."""

    def hire(number: int, *_: object) -> local._Worker:
        ours, theirs = Pipe()
        threading.Thread(target=worker, args=(theirs,), daemon=True).start()
        return local._Worker(number, Mock(exitcode=-9), ours)

    monkeypatch.setattr(local, "_hire", hire)
    watcher = Mock()
    local.execute([CELL], done={}, cache=tmp_path, workers=local.Workers(1, 1), watcher=watcher, time_limit=time_limit)
    ((end,), _) = watcher.finished.call_args
    return end.outcome


def test_a_time_limit_does_not_run_while_a_worker_starts(tmp_path, monkeypatch):
    def slow_to_start(pipe) -> None:
        pipe.recv()
        time.sleep(1.5)
        pipe.send(("progress", 0, 1, "training"))
        pipe.send(("done", Outcome("ok"), 0.0))

    assert done_by(slow_to_start, tmp_path, monkeypatch, time_limit=0.3).status == "ok"


def test_a_time_limit_does_not_run_while_another_run_does_the_same(tmp_path, monkeypatch):
    def waits(pipe) -> None:
        pipe.recv()
        for _ in range(8):
            pipe.send(("progress", 0, 1, WAITS))
            time.sleep(0.15)
        pipe.send(("done", Outcome("ok"), 0.0))

    assert done_by(waits, tmp_path, monkeypatch, time_limit=0.5).status == "ok"


@pytest.mark.parametrize("words", [0, 1])
def test_a_job_that_hangs_is_a_timeout_whether_or_not_its_worker_ever_spoke(words, tmp_path, monkeypatch):
    monkeypatch.setattr(local, "START_SECONDS", 0.3)

    def hangs(pipe) -> None:
        pipe.recv()
        for _ in range(words):
            pipe.send(("progress", 0, 1, "training"))
        time.sleep(20)

    assert done_by(hangs, tmp_path, monkeypatch, time_limit=0.3).status == "timeout"


@pytest.mark.parametrize(("trained", "phase"), [(False, "train"), (True, "evaluate")])
def test_a_worker_that_dies_is_recorded_with_what_it_was_at(trained, phase, tmp_path, monkeypatch):
    def dies(pipe) -> None:
        pipe.recv()
        if trained:
            Store(tmp_path).make("model", CELL.model_key, {}, lambda folder: {})
        pipe.close()

    end = done_by(dies, tmp_path, monkeypatch)
    assert (end.status, end.phase) == ("failed", phase)
    assert "killed by signal 9" in end.reason


def picture(mode: str, size: int = 4) -> Image.Image:
    return Image.fromarray(np.full((size, size), 7, np.uint8)).convert(mode)


@pytest.mark.parametrize(("modes", "channels"), [("L L", 1), ("RGB RGB", 3), ("L RGB", 3), ("RGB P L", 3)])
def test_grey_pictures_among_colour_ones_become_rgb(modes, channels):
    part = _gathered([(picture(mode), label) for label, mode in enumerate(modes.split())], None, "torchvision:X")
    assert part.images.shape == (len(part.labels), 4, 4, channels)
    assert (part.images == 7).all()


def test_pictures_of_several_sizes_are_still_refused():
    with pytest.raises(DataError, match="2 shapes"):
        _gathered([(picture("L"), 0), (picture("RGB", 5), 1)], None, "torchvision:X")
