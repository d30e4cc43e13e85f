"""Shared by all tests: a cache of their own, and strangers' plugins that live in a temporary folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cvbench import plugins

os.environ["OMP_NUM_THREADS"] = "1"  # tests run beside each other; more threads than cores only wait

REPOSITORY = Path(__file__).parent.parent
TOY = (Path(__file__).parent / "toy_plugins.py").read_text()
TOY_POINTS = {
    "tasks": {"toy": "toy_plugins:ToyTask"},
    "generators": {
        name: f"toy_plugins:{cls}"
        for name, cls in {
            "again": "Again",
            "fit_raises": "FitRaises",
            "sample_raises": "SampleRaises",
            "rubbish_chunk": "RubbishChunk",
            "too_few": "TooFew",
            "not_for_this": "NotForThis",
            "boxes_only": "BoxesOnly",
        }.items()
    },
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that nobody else writes to."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CVBENCH_CACHE", str(cache))
    monkeypatch.delenv("COLUMNS", raising=False)
    return cache


@pytest.fixture
def stranger_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """``stranger_plugin(files, {kind: {name: "module:Class"}})`` installs a package as a stranger would."""

    def install(files: Mapping[str, str], points: Mapping[str, Mapping[str, str]], requires: str = "") -> Path:
        site = tmp_path / "site"
        info = site / "stranger-0.1.dist-info"
        info.mkdir(parents=True)
        for name, content in files.items():
            (site / name).write_text(content)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: stranger\nVersion: 0.1\n{requires}")
        lines = [
            f"[cvbench.{kind}]\n" + "".join(f"{name} = {target}\n" for name, target in named.items())
            for kind, named in points.items()
        ]
        (info / "entry_points.txt").write_text("\n".join(lines))
        monkeypatch.syspath_prepend(str(site))
        earlier = os.environ.get("PYTHONPATH")
        monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{earlier}" if earlier else str(site))
        plugins._import.cache_clear()
        return site

    yield install
    plugins._import.cache_clear()
    for name in [name for name in sys.modules if name in ("toy_plugins", "stranger_module")]:
        del sys.modules[name]


@pytest.fixture
def toy(stranger_plugin: Callable[..., Path]) -> Path:
    """The toy task and generators: numpy only, so that a whole suite takes seconds."""
    return stranger_plugin({"toy_plugins.py": TOY}, TOY_POINTS)


@dataclass(frozen=True)
class Said:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def cvbench() -> Callable[..., Said]:
    """Run the command line in a process of its own, as a user would."""

    def run(*arguments: object, cwd: Path | None = None, **environment: str) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "cvbench", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, **environment},
            timeout=300,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    return run


def one_line_refusal(said: Said, *words: str) -> None:
    """The house's answer to bad input: one line on stderr that says these words, exit code 2."""
    lines = said.err.strip().splitlines()
    assert said.code == 2, said
    assert len(lines) == 1, said.err
    assert "Traceback" not in said.err
    for word in words:
        assert word in lines[0], lines[0]
