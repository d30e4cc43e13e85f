"""A worker process: takes jobs over a pipe, does them one after another, tells how far it is."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path

from cvbench.jobs import Job
from cvbench.steps import run_job
from cvbench.store import Store

REPORT_SECONDS = 0.2  # between two words on progress; the pipe is not for every step

# A worker sends ("progress", done, total, note) | ("done", Outcome, peak MB) | ("stop", errno, words, file)


def serve(connection: Connection, cache: Path, threads: int, device: str, processes: int = 1) -> None:
    """Do jobs until None comes or the parent is gone, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(threads)
    store = Store(cache)
    while True:
        job: Job | None = connection.recv()
        if job is None:
            return
        _forget_peak_memory()
        try:
            outcome = run_job(job, store, _Reporter(connection), device, processes)
        except OSError as error:
            connection.send(("stop", error.errno, error.strerror, str(error.filename or cache)))
            return
        connection.send(("done", outcome, _peak_memory_mb(device)))


class _Reporter:
    def __init__(self, connection: Connection) -> None:
        self.connection, self.last = connection, 0.0

    def __call__(self, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if now - self.last >= REPORT_SECONDS:
            self.last = now
            self.connection.send(("progress", done, total, note))


def _leave_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _forget_peak_memory() -> None:
    """Start the peak anew where the system can (Linux); elsewhere the process's whole peak is told."""
    if sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            return


def _peak_memory_mb(device: str) -> float:
    if device.startswith("cuda"):
        import torch

        peak = torch.cuda.max_memory_allocated() / 2**20
        torch.cuda.reset_peak_memory_stats()
        return round(peak, 1)
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
