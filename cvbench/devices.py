"""What the machine has to share out: processor cores and GPUs. Imports torch only where a GPU may be."""

from __future__ import annotations

import shutil
from typing import Literal

import psutil

from cvbench.errors import UserError
from cvbench.executors.local import Workers

Device = Literal["auto", "cpu", "cuda"]


def share_out(device: Device, jobs: int | None, threads: int | None) -> Workers:
    """One worker per GPU, or per core; threads are shared out evenly. Raises :class:`UserError`."""
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    gpus = _gpus() if device != "cpu" else 0
    if device == "cuda" and not gpus:
        raise UserError("torch sees no GPU here", where="--device cuda", hint="use --device cpu")
    for flag, number in (("--jobs", jobs), ("--threads", threads)):
        if number is not None and number < 1:
            raise UserError(f"must be at least 1, not {number}", where=flag)
    jobs = jobs or gpus or cores
    return Workers(jobs, threads or max(1, cores // jobs), "cuda" if gpus else "cpu", gpus)


def _gpus() -> int:
    if shutil.which("nvidia-smi") is None:
        return 0
    import torch

    return torch.cuda.device_count()
