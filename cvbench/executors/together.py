"""One training over several processes through torchrun: a GPU each (NCCL), or CPU cores (Gloo).

The worker that has the cell starts torchrun and waits; every rank runs :func:`rank_main`, trains on its share
of each batch with averaged gradients, and rank 0 saves the model. How a model's step shares its work out is
``cvbench.training``'s (``data_parallel`` and ``BatchOrder``).
"""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from cvbench.cell_training import train_cell
from cvbench.contracts import Progress
from cvbench.durable import write_durably
from cvbench.errors import CvbenchError, NotApplicable, NotInstalled, TrainingDiverged, UserError
from cvbench.jobs import CellJob
from cvbench.store import Store

POLL_SECONDS = 0.3

# What a cell's end depends on, by the name that a rank writes down
KINDS: Mapping[str, type[Exception]] = {
    **{kind.__name__: kind for kind in (NotApplicable, NotInstalled, TrainingDiverged, MemoryError)},
    "OutOfMemoryError": MemoryError,  # torch's own, of a GPU
}
LOST_OTHERS = re.compile("connection|peer|gloo|nccl", re.IGNORECASE)  # in what a rank says when another is gone


def train_together(
    job: CellJob, store: Store, folder: Path, scratch: Path, progress: Progress, device: str, processes: int
) -> list[int]:
    """Train the cell in so many processes into ``folder``; gives how many samples each stage trained on.

    Raises what the first failed rank raised, if it is one of ``KINDS``, else :class:`CvbenchError` with its reason, and
    :class:`UserError` as :func:`check_batch` does.
    """
    check_batch(job.budget.batch_size, processes)
    torn = scratch / "together"
    torn.mkdir(parents=True, exist_ok=True)
    for name in ("progress.json", "error.txt", "sizes.json"):
        (torn / name).unlink(missing_ok=True)
    # our own description for our own processes, under our own scratch folder: nothing untrusted is unpickled
    (torn / "job.pickle").write_bytes(pickle.dumps((job, store.root, folder, scratch, device, os.getpid())))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    with (torn / "log.txt").open("w") as log:
        ranks = subprocess.Popen(
            [*command, "-m", "cvbench.executors.together", str(torn)], stdout=log, stderr=subprocess.STDOUT
        )
        while ranks.poll() is None:
            time.sleep(POLL_SECONDS)
            if (torn / "progress.json").exists():
                progress(*json.loads((torn / "progress.json").read_text()))
    if ranks.returncode:
        told = torn / "error.txt"
        if not told.exists():
            lines = (torn / "log.txt").read_text().strip().splitlines()
            raise RankDied(f"training over {processes} processes failed: {lines[-1] if lines else ranks.returncode}")
        raise _as_raised(told.read_text(), processes)
    sizes: list[int] = json.loads((torn / "sizes.json").read_text())
    return sizes


class RankDied(CvbenchError):
    """A rank was killed, or lost the others: the training can go on from its checkpoint."""


def _as_raised(told: str, processes: int) -> Exception:
    """What a rank told (``Name: words``, then its traceback) as an error: a cell ends as it would in one process."""
    reason, _, trace = told.partition("\n")
    name, _, said = reason.partition(": ")
    kind = RankDied if LOST_OTHERS.search(reason) else CvbenchError
    error = KINDS[name](said) if name in KINDS else kind(f"training over {processes} processes failed: {reason}")
    error.add_note(trace)
    return error


def check_batch(batch_size: int, processes: int) -> None:
    """Raise :class:`UserError` when a batch cannot be shared evenly: uneven parts would not weigh alike."""
    if batch_size % processes:
        raise UserError(
            f"a batch of {batch_size} cannot be shared evenly by {processes} processes",
            where="--processes-per-cell",
            hint=f"choose a budget.batch_size that {processes} divides",
        )


def rank_main(torn: Path) -> None:
    """One rank's part: torchrun starts it with its rank in the environment."""
    import torch

    job, root, folder, scratch, device, worker = pickle.loads((torn / "job.pickle").read_bytes())
    threading.Thread(target=_leave_with, args=(worker,), daemon=True).start()
    rank = int(os.environ["RANK"])
    if device.startswith("cuda"):
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    told = 0.0

    def progress(done: int, total: int, note: str = "") -> None:
        nonlocal told
        if rank == 0 and time.monotonic() - told > POLL_SECONDS:
            told = time.monotonic()
            write_durably(torn / "progress.json", json.dumps([done, total, note]).encode())

    try:
        model, sizes = train_cell(job, Store(root), scratch, progress, device)
        if rank == 0:
            model.save(folder)
            write_durably(torn / "sizes.json", json.dumps(sizes).encode())
        torch.distributed.barrier()
    except Exception as error:
        _tell_first(torn, error)
        raise
    finally:
        torch.distributed.destroy_process_group()


def _tell_first(torn: Path, error: Exception) -> None:
    """Write the reason down unless another rank did: what comes after is that ranks lost their partner."""
    trace = "".join(traceback.format_exception(error)).strip().splitlines()[-6:]
    with suppress(FileExistsError), (torn / "error.txt").open("x") as file:
        file.write("\n".join([f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", *trace]))


def _leave_with(worker: int) -> None:
    """End this rank when torchrun, or the worker behind it, is gone: a child is told its new parent at once,
    while the number of a dead process lives on until somebody has reaped it.
    """
    torchrun = psutil.Process(os.getppid())
    with suppress(psutil.NoSuchProcess):
        while os.getppid() == torchrun.pid and torchrun.ppid() == worker:
            time.sleep(POLL_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    rank_main(Path(sys.argv[1]))
