"""A run's results: one JSON line per cell, written the moment the cell ends; per-item scores lie apart."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cvbench.durable import replacing
from cvbench.samples import FloatArray

FIDELITY = "fidelity"  # the regime of a cell that trains nothing: its synthetic set is judged
SETUP = "setup"  # the phase of a cell that was skipped for a library that is not installed
PLAN = "plan"  # the phase of a cell that the plan skipped

# What numpy raises of an npz that is cut short, empty or has a wrong byte
UNREADABLE = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)

Status = Literal["ok", "skipped", "failed", "timeout", "oom", "missing"]


@dataclass(frozen=True)
class Coordinates:
    """Where a cell stands in its suite's grid; the names are the labels that the suite gave its entries.

    ``real`` says how much of the real train split is used: ``100%``, ``10%``, ``50/class``.
    ``generator`` and ``ratio`` (synthetic : real) are None for the regimes without a generator.
    """

    task: str
    dataset: str
    model: str
    real: str
    regime: str
    generator: str | None
    ratio: float | None
    seed: int

    def __str__(self) -> str:
        source = f" {self.generator} x{self.ratio:g}" if self.generator else ""
        return f"{self.dataset} {self.model} {self.real} {self.regime}{source} seed {self.seed}"


@dataclass(frozen=True)
class CellRecord:
    """What became of one cell.

    ``metrics``: name → number (None where it is undefined). ``per_class``: metric → class → number.
    ``fidelity``: of a cell that judges its synthetic set, what was found.
    ``seconds``: phase (fit, sample, train, evaluate) → wall seconds when it was computed, cached or not.
    ``synthetic``: how many samples the generator made for this cell; ``parameters``: how many it has (None where a
    fit of an earlier version did not count them). ``notes``: what a reader must know, such as test pictures that
    turned up among the training pictures. ``tail``: an error's last lines.
    """

    cell: str
    coordinates: Coordinates
    status: Status
    phase: str = ""
    reason: str = ""
    tail: tuple[str, ...] = ()
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    per_class: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    fidelity: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    synthetic: int = 0
    parameters: int | None = None
    cached: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    peak_memory_mb: float = 0.0
    resolved: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    written: str = ""


class Ledger:
    """A run's file of records. The last record of a cell counts; a torn last line is ignored."""

    def __init__(self, run: Path) -> None:
        self.path, self.items = run / "ledger.jsonl", run / "items"

    def append(self, record: CellRecord, per_item: Mapping[str, FloatArray] | None = None) -> None:
        """Write the record durably; its per-item scores first, so that a record never lacks them."""
        if per_item:
            self.items.mkdir(exist_ok=True)
            with replacing(self.items / f"{record.cell}.npz") as items:
                np.savez_compressed(items, **per_item)  # type: ignore[arg-type]
        line = json.dumps(asdict(record), allow_nan=False) + "\n"
        torn_before = self.path.exists() and self.path.read_bytes()[-1:] not in (b"\n", b"")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if torn_before else "") + line)
            file.flush()
            os.fsync(file.fileno())

    def read(self) -> dict[str, CellRecord]:
        """Cell id → its last record."""
        records = {}
        for line in self.path.read_bytes().splitlines() if self.path.exists() else []:
            try:
                data = json.loads(line)
            except ValueError:  # torn by a kill: the cell is simply run again
                continue
            data["coordinates"] = Coordinates(**data["coordinates"])
            for key in ("tail", "cached", "notes"):
                data[key] = tuple(data[key])
            records[data["cell"]] = CellRecord(**data)
        return records

    def per_item(self, cell: str) -> dict[str, FloatArray]:
        """Metric name → (N,) scores of a cell's test items; empty if the task has none, or they cannot be read."""
        path = self.items / f"{cell}.npz"
        try:
            return read_items(path) if path.exists() else {}
        except UNREADABLE:
            return {}

    def damaged(self) -> set[str]:
        """The cells whose per-item scores are there and cannot be read: they are to be recorded again."""
        cells = set()
        for path in self.items.glob("*.npz"):
            try:
                read_items(path)
            except UNREADABLE:
                cells.add(path.stem)
        return cells


def read_items(path: Path) -> dict[str, FloatArray]:
    """Metric name → (N,) per-item scores of an npz file."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
