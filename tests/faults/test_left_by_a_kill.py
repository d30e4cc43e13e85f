"""What a kill or a power cut leaves behind blocks nothing: the same command continues."""

import json
import os
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from torch import nn

from cvbench.contracts import silent
from cvbench.errors import CvbenchError, NotInstalled, TrainingDiverged
from cvbench.executors import together
from cvbench.ledger import CellRecord, Coordinates, Ledger
from cvbench.readers import decoded, open_dataset
from cvbench.run_folder import RunFolder, joined
from cvbench.steps import _Clock
from cvbench.store import Store
from cvbench.training import Descent, OptimizerSettings, run_steps
from tests.end_to_end.test_run import wait_for

PLACE = Coordinates("classification", "digits", "simple_cnn", "100%", "mixed", "flow", 1.0, 0)
KEY = "ab" * 32


def torn(content: bytes, damage: str) -> bytes:
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    return {"empty": b"", "cut": content[:middle], "byte": flipped, "zeros": bytes(len(content)), "text": b"{"}[damage]


@pytest.mark.parametrize("damage", ["empty", "cut", "byte", "zeros", "text"])
def test_torn_per_item_scores_count_as_absent_and_are_named(tmp_path, damage):
    ledger = Ledger(tmp_path)
    for cell in ("a", "b"):
        record = CellRecord(cell, PLACE, "ok", metrics={"top1": 0.5})
        ledger.append(record, {"top1": np.random.default_rng(0).random(500)})
    file = tmp_path / "items" / "a.npz"
    file.write_bytes(torn(file.read_bytes(), damage))
    assert ledger.per_item("a") == {}
    assert len(ledger.per_item("b")["top1"]) == 500
    assert ledger.damaged() == {"a"}
    ledger.append(replace(record, cell="a"), {"top1": np.zeros(500)})
    assert ledger.damaged() == set()


def test_per_item_scores_are_on_the_disk_before_their_record(tmp_path, monkeypatch):
    synced: list[str] = []
    fsync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.partition(".")[0])
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    Ledger(tmp_path).append(CellRecord("a", PLACE, "ok"), {"top1": np.zeros(3)})
    assert synced == ["a", "items", "ledger"]


def test_a_folder_with_a_torn_run_json_is_still_new(tmp_path):
    planned = RunFolder(tmp_path, "toy", {}, (), {}, {}, 1)
    (tmp_path / "run.json.123.part").write_text('{"format"')
    (tmp_path / "lock").touch()
    assert joined(planned) is planned
    planned.write()
    assert json.loads((tmp_path / "run.json").read_text())["name"] == "toy"


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_torn_clock_starts_anew(tmp_path, content):
    (tmp_path / "seconds.json").write_text(content)
    assert _Clock(tmp_path / "seconds.json", silent).seconds < 5


def test_a_clock_counts_what_was_spent_before_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr("cvbench.steps.CLOCK_SECONDS", -1.0)
    (tmp_path / "seconds.json").write_text("100.0")
    _Clock(tmp_path / "seconds.json", silent)(1, 2)
    assert 100 < _Clock(tmp_path / "seconds.json", silent).seconds < 105
    assert [path.name for path in tmp_path.iterdir()] == ["seconds.json"]


def trained(folder: Path, *, kill_at: int | None = None) -> torch.Tensor:
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    descent = Descent(network.parameters(), OptimizerSettings("adam", 0.1), steps=6)

    def step(number: int) -> dict[str, torch.Tensor]:
        loss = network(torch.rand(4, 3)).square().mean()
        descent.step(loss, number)
        return {"loss": loss}

    def progress(done: int, total: int, note: str = "") -> None:
        if done == kill_at:
            raise KeyboardInterrupt

    state = {"network": network, "descent": descent}
    run_steps(step, steps=6, seed=1, state=state, progress=progress, folder=folder)
    return network.weight.detach()


@pytest.mark.parametrize("damage", ["empty", "cut", "byte", "zeros", "text", "whole"])
def test_a_torn_checkpoint_starts_the_training_again_to_the_same_bits(tmp_path, monkeypatch, damage):
    expected = trained(tmp_path / "never killed")
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, kill_at=4)
    file = tmp_path / "checkpoint.pt"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["checkpoint.pt"]
    if damage != "whole":
        file.write_bytes(torn(file.read_bytes(), damage))
    assert torch.equal(trained(tmp_path), expected)


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_killed_processes_were_writing_is_deleted_and_nothing_else(tmp_path):
    store = Store(tmp_path)
    held = "sampler-" + "cd" * 32
    names = [f"sampler-{KEY}.{dead_process()}", f"{held}.{dead_process()}", f"model-{KEY}.{os.getpid()}"]
    for name in names:
        (tmp_path / "incoming" / name).mkdir(parents=True)
        (tmp_path / "incoming" / name / "half.npy").write_bytes(b"half")
    with store.claim(held):
        Store(tmp_path)
        assert sorted(path.name for path in (tmp_path / "incoming").iterdir()) == sorted(names[1:])
    Store(tmp_path)
    assert [path.name for path in (tmp_path / "incoming").iterdir()] == names[2:]


def test_what_is_done_anew_does_not_go_on_from_an_old_checkpoint(tmp_path):
    store = Store(tmp_path)
    with store.claim(f"model-{KEY}") as scratch:
        (scratch / "checkpoint.pt").write_bytes(b"half")
        store.discard("model", KEY)
        assert (scratch / "checkpoint.pt").exists(), "a running step keeps what it works on"
    store.discard("model", KEY)
    assert not scratch.exists()


def pictures(root: Path) -> Path:
    for part in ("train", "test"):
        for number, name in enumerate("ab"):
            (root / part / name).mkdir(parents=True)
            Image.fromarray(np.full((4, 4), 90 * number, np.uint8)).save(root / part / name / "0.png")
    return root


def test_decoded_pictures_are_synced_and_known_by_their_decoder(tmp_path, monkeypatch, own_cache):
    said: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def note(descriptor: int) -> None:
        said.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def renamed(self: Path, target: Path) -> None:
        said.append("renamed")
        rename(self, target)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(Path, "replace", renamed)
    root = pictures(tmp_path / "data")
    open_dataset("image-folder", "", root, {}, 0.0)
    first = said[: said.index("renamed")]
    assert {"images.npy", "labels.npy", "dataset.json"} <= set(first)
    assert len(list((own_cache / "decoded").iterdir())) == 2
    open_dataset("image-folder", "", root, {}, 0.0)
    assert len(list((own_cache / "decoded").iterdir())) == 2
    monkeypatch.setattr(decoded, "DECODER", -1)
    open_dataset("image-folder", "", root, {}, 0.0)
    assert len(list((own_cache / "decoded").iterdir())) == 4


def test_the_first_rank_that_fails_says_why(tmp_path):
    together._tell_first(tmp_path, RuntimeError("the cause"))
    together._tell_first(tmp_path, ConnectionError("lost a partner"))
    assert (tmp_path / "error.txt").read_text().splitlines() == ["RuntimeError: the cause"] * 2  # reason and traceback


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("NotInstalled: pip install it", NotInstalled),
        ("TrainingDiverged: the loss is NaN: at step 3", TrainingDiverged),
        ("OutOfMemoryError: CUDA", MemoryError),
        ("ValueError: x", CvbenchError),
        ("RuntimeError: [gloo/transport/tcp/pair.cc] Connection closed by peer", together.RankDied),
    ],
)
def test_a_cell_ends_by_its_ranks_error_as_by_its_own(told, kind):
    error = together._as_raised(told, 2)
    assert type(error) is kind
    assert told.partition(": ")[2] in str(error)
    assert "in train" in traceback.format_exception(together._as_raised(f"{told}\nline 3, in train", 2))[-1]


CHAIN = """
import os, subprocess, sys
from cvbench.executors.together import _leave_with
role, worker = sys.argv[1:]
if role == "rank":
    print(os.getpid(), flush=True)
    _leave_with(int(worker))
follower = ["torchrun", str(os.getpid())] if role == "worker" else ["rank", worker]
subprocess.run([sys.executable, __file__, *follower])
"""


def test_a_rank_leaves_with_its_worker_even_if_nobody_reaps_it(tmp_path):
    (tmp_path / "chain.py").write_text(CHAIN)
    command = [sys.executable, tmp_path / "chain.py", "worker", "0"]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    rank = psutil.Process(int(worker.stdout.readline()))
    try:
        time.sleep(3 * together.POLL_SECONDS)
        assert rank.status() != psutil.STATUS_ZOMBIE
        worker.kill()  # and not waited for: its number lives on
        wait_for(lambda: not rank.is_running() or rank.status() == psutil.STATUS_ZOMBIE, 10)
    finally:
        if rank.is_running():
            rank.kill()
        worker.wait()
        worker.stdout.close()
