"""A disk that takes no more ends the run with one line, whatever type its writer says so in."""

import errno
import json
import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from safetensors import SafetensorError

from cvbench import steps
from cvbench.contracts import silent
from cvbench.durable import LEAST_FREE, raise_if_full, write_durably
from cvbench.errors import NotApplicable
from cvbench.jobs import DataRef, FitJob, PluginRef, RealPart
from cvbench.store import Store

JOB = FitJob(
    PluginRef("again", "x:Again v1", {}), None, RealPart(DataRef("d", "digits", "", None, {}, 0), 1, None, 0), 0, ""
)
Usage = namedtuple("Usage", "total used free")

# Fills a small disk with each writer in turn, and says which error number came out of the store
WRITERS = """
import json, sys
from pathlib import Path
import numpy as np, torch
from safetensors.torch import save_file
from cvbench.durable import replacing
from cvbench.store import Store

store, zeros, found = Store(Path(sys.argv[1])), torch.zeros(2_000_000), {}
writers = {
    "safetensors": lambda folder: save_file({"a": zeros}, folder / "a.safetensors"),
    "torch": lambda folder: torch.save({"a": zeros}, folder / "a.pt"),
    "npy": lambda folder: np.save(folder / "a.npy", zeros.numpy()),
    "npz": lambda folder: np.savez(folder / "a.npz", zeros.numpy()),
}
for name, write in writers.items():
    try:
        store.make("sampler", name, {}, write)
    except Exception as error:
        found[name] = [type(error).__name__, getattr(error, "errno", None)]
try:
    with replacing(store.root / "checkpoint.pt") as file:
        torch.save({"a": zeros}, file)
except Exception as error:
    found["checkpoint"] = [type(error).__name__, getattr(error, "errno", None)]
found["left"] = [str(path) for path in store.root.rglob("*") if path.suffix in (".part", ".npy", ".pt", ".safetensors")]
print(json.dumps(found))
"""


@pytest.fixture
def small_disk(tmp_path):
    """``small_disk(megabytes, *command)`` runs a command that sees a real file system of that size at ``disk``."""
    (tmp_path / "disk").mkdir()

    def run(megabytes: int, *command: object) -> subprocess.CompletedProcess:
        mount = f'mount -t tmpfs -o size={megabytes}m none "{tmp_path}/disk" && exec "$@"'
        return subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", *map(str, command)],
            capture_output=True,
            text=True,
            env={**os.environ, "CVBENCH_CACHE": str(tmp_path / "disk" / "cache")},
            timeout=300,
            check=False,
        )

    try:
        possible = run(1, "true").returncode == 0
    except FileNotFoundError:
        possible = False
    if not possible:
        pytest.skip("no file system of our own can be mounted here (unshare, tmpfs)")
    return run


def test_every_writer_on_a_full_disk_raises_no_room(small_disk, tmp_path):
    done = small_disk(3, sys.executable, "-c", WRITERS, tmp_path / "disk" / "store")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("left") == []
    assert found == {name: ["OSError", errno.ENOSPC] for name in ("safetensors", "torch", "npy", "npz", "checkpoint")}


def test_a_run_whose_cache_fills_up_stops_with_one_line(small_disk, tmp_path, toy):
    suite = tmp_path / "toy.yaml"
    suite.write_text(
        "name: toy\ntask: toy\nseeds: 1\ndatasets: [digits]\nmodels: [means]\n"
        "generators: [{name: again, ratios: [40]}]\nregimes: [synthetic]\nfidelity: none\n"
    )
    done = small_disk(3, sys.executable, "-m", "cvbench", "run", suite, "--jobs", 1, "--out", tmp_path / "run")
    assert done.returncode == 2, done.stdout
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("cvbench: ")
    assert "No space left on device. Make room" in line
    assert "Traceback" not in done.stderr


def full_error(kind: str) -> Exception:
    if kind == "safetensors":
        return SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    error = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")
    if kind == "torch":
        error.__context__ = OSError(errno.ENOSPC, "No space left on device")
    return OSError("1000000 requested and 65504 written") if kind == "numpy" else error


@pytest.mark.parametrize(
    ("kind", "free", "full"),
    [("safetensors", 2**40, True), ("torch", 2**40, True), ("numpy", 0, True), ("stream", LEAST_FREE - 1, True),
     ("numpy", LEAST_FREE, False), ("stream", 2**40, False)],
)  # fmt: skip
def test_a_job_knows_a_full_disk_in_any_type(kind, free, full, tmp_path, monkeypatch):
    def raising(*_: object) -> None:
        raise full_error(kind)

    monkeypatch.setattr(steps, "_fit", raising)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2**40, 0, free))
    if not full:
        assert steps.run_job(JOB, Store(tmp_path), silent, "cpu").status == "failed"
        return
    with pytest.raises(OSError, match="No space") as caught:
        steps.run_job(JOB, Store(tmp_path), silent, "cpu")
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path)


def test_what_a_plugin_says_of_the_data_is_not_the_disks_fault(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(2**40, 0, 0))
    raise_if_full(NotApplicable("only for cats"), tmp_path)


def test_a_file_that_cannot_be_is_named_and_leaves_nothing(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for place in ("folder", "none/x.md", "file/x.md"):
        with pytest.raises(OSError, match=place) as caught:
            write_durably(tmp_path / place, b"text")
        assert caught.value.filename == str(tmp_path / place)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]


def test_content_is_synced_before_the_name_and_the_name_after(tmp_path, monkeypatch):
    said: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        said.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name.split('.')[0]}")
        fsync(descriptor)

    def renamed(self: Path, target: Path) -> None:
        said.append(f"rename {self.name.split('.')[0]}")
        replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    write_durably(tmp_path / "note.json", b"{}")
    assert said == ["sync note", "rename note", f"sync {tmp_path.name}"]
    assert [path.name for path in tmp_path.iterdir()] == ["note.json"]
