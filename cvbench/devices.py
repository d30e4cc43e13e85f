"""What the machine has to share out: processor cores and GPUs. Imports torch only where a GPU may be."""

from __future__ import annotations

import shutil
from typing import Literal

import psutil

from cvbench.errors import UserError
from cvbench.executors.local import Workers

Device = Literal["auto", "cpu", "cuda"]


def share_out(device: Device, jobs: int | None, threads: int | None, processes: int = 1) -> Workers:
    """One worker per GPU (or group of ``processes`` GPUs), or per core (or group of ``threads`` cores).

    Threads are shared out evenly. Asked for more of both than there are cores, it does as asked: threads that wait for
    each other on a full machine spin, which is many times slower than one thread each.
    Raises :class:`UserError` for numbers that make no sense here.
    """
    cores = _cores()
    gpus = _gpus() if device != "cpu" else 0
    if device == "cuda" and not gpus:
        raise UserError("torch sees no GPU here", where="--device cuda", hint="use --device cpu")
    for flag, number in (("--jobs", jobs), ("--threads", threads), ("--processes-per-cell", processes)):
        if number is not None and number < 1:
            raise UserError(f"must be at least 1, not {number}", where=flag)
    if gpus and processes > gpus:
        raise UserError(f"{processes} processes need a GPU each, there are {gpus}", where="--processes-per-cell")
    jobs = jobs or max(1, (gpus or cores // (threads or 1)) // processes)
    threads = threads or max(1, cores // (jobs * processes))
    return Workers(jobs, threads, "cuda" if gpus else "cpu", gpus, processes)


def _cores() -> int:
    """Physical cores, or fewer where this process may not run on all (taskset, a container, a batch system)."""
    there = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    process = psutil.Process()
    return min(there, len(process.cpu_affinity() or ())) if hasattr(process, "cpu_affinity") else there


def _gpus() -> int:
    if shutil.which("nvidia-smi") is None:
        return 0
    import torch

    return torch.cuda.device_count()
