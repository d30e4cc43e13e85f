"""A run's folder: ``run.json`` says what was planned, ``ledger.jsonl`` what became of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from cvbench.contracts import Metric
from cvbench.durable import write_durably
from cvbench.errors import UserError
from cvbench.ledger import Coordinates, Ledger

FORMAT = 2
ASIDE_SECONDS = 1.0  # `status` holds the folder for a moment, to see whether another does


@dataclass(frozen=True)
class RunFolder:
    """What ``run.json`` holds. ``cells``: id → coordinates, in the suite's order. ``contests``: model → its contest.

    ``controls``: id of a control's cell → what it must show there, empty where nothing is expected.
    """

    path: Path
    name: str
    suite: Mapping[str, Any]
    metrics: tuple[Metric, ...]
    cells: Mapping[str, Coordinates]
    datasets: Mapping[str, Mapping[str, Any]]
    threads: int
    contests: Mapping[str, str] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)

    @property
    def ledger(self) -> Ledger:
        """The run's records."""
        return Ledger(self.path)

    def tally(self) -> Counter[str]:
        """How many of the planned cells have which status; those without a record are ``missing``."""
        records = self.ledger.read()
        return Counter(str(records[cell].status) if cell in records else "missing" for cell in self.cells)

    def write(self) -> None:
        """Write ``run.json``, whole or not at all."""
        content = {
            "format": FORMAT,
            "name": self.name,
            "threads": self.threads,
            "suite": self.suite,
            "metrics": [asdict(metric) for metric in self.metrics],
            "datasets": self.datasets,
            "contests": self.contests,
            "controls": self.controls,
            "cells": {cell: asdict(place) for cell, place in self.cells.items()},
        }
        self.path.mkdir(parents=True, exist_ok=True)
        write_durably(self.path / "run.json", json.dumps(content, indent=1).encode())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out of the folder. Raises :class:`UserError` when one is in it."""
        from filelock import FileLock, Timeout

        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / "lock", timeout=ASIDE_SECONDS)
        try:
            lock.acquire()
        except Timeout:
            raise UserError(
                "another cvbench is at work in this folder", where=str(self.path), hint="wait for it, or choose --out"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def is_held(self) -> bool:
        """Whether a process is at work in the folder, as far as one can tell who may only read it."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.path / "lock", timeout=0):
                return False
        except Timeout:
            return True
        except OSError:
            return False


def open_run(path: Path) -> RunFolder:
    """The run in this folder. Raises :class:`UserError` when there is none, or one of another version."""
    file = path / "run.json"
    if not file.exists():
        raise UserError("not a run's folder (it has no run.json)", where=str(path), hint="runs lie in runs/NAME")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise UserError(f"written by another version (format {content['format']}, not {FORMAT})", where=str(file))
        return RunFolder(
            path,
            content["name"],
            content["suite"],
            tuple(Metric(**metric) for metric in content["metrics"]),
            {cell: Coordinates(**place) for cell, place in content["cells"].items()},
            content["datasets"],
            int(content["threads"]),
            content.get("contests", {}),
            content.get("controls", {}),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"cannot be read ({type(error).__name__}: {error})", where=str(file)) from None


def joined(planned: RunFolder) -> RunFolder:
    """The folder to work in: new, or the earlier run of the same suite, which may have grown.

    A suite may gain cells (one more seed, one more model). A folder whose recorded cells are not all in the
    plan holds another suite. Raises :class:`UserError` then. The earlier run's threads stay: they are part of
    what makes its numbers come out the same to the last bit.
    """
    if not (planned.path / "run.json").exists():
        if planned.path.exists() and not planned.path.is_dir():
            raise UserError("is a file, not a folder", where=str(planned.path), hint="choose another --out")
        if planned.path.exists() and not all(_left_by_a_kill(child) for child in planned.path.iterdir()):
            raise UserError("is not empty and no run's folder", where=str(planned.path), hint="choose another --out")
        return planned
    earlier = open_run(planned.path)
    strange = [cell for cell in planned.ledger.read() if cell not in planned.cells]
    if strange:
        raise UserError(
            f"holds results of another suite named {earlier.name!r}: {len(strange)} of its cells are not in this one"
            f"{_differences(earlier.suite, planned.suite)}",
            where=str(planned.path),
            hint="give this one a folder of its own with --out; what the two share is found in the cache",
        )
    return replace(planned, threads=earlier.threads)


def _left_by_a_kill(path: Path) -> bool:
    return path.name == "lock" or path.suffix == ".part"


def _differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    keys: Sequence[str] = sorted(key for key in now if earlier.get(key) != now[key])
    if not keys:
        return ": the same suite, but its data, a plugin, torch or the device is another one by now"
    return f" (they differ in {', '.join(keys)})"
