"""From a run's records to what they say: tables of rows, each against the real row beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from cvbench.contracts import Metric
from cvbench.effects import Effect, Interval, Judgement, item_interval, judge, mean_interval, paired_effect
from cvbench.ledger import CellRecord, Coordinates, Ledger
from cvbench.run_folder import RunFolder
from cvbench.samples import FloatArray


@dataclass(frozen=True)
class Measured:
    """One metric of one row. ``effect`` and ``items`` are None for the real row itself."""

    mean: Interval | None
    effect: Effect | None = None
    items: Interval | None = None


@dataclass(frozen=True)
class Cost:
    """Mean wall seconds per cell; ``samples_per_second`` is None without a generator."""

    fit: float | None
    samples_per_second: float | None
    train: float | None


@dataclass(frozen=True)
class Row:
    """All seeds of one way of making the training data.

    ``judgement`` is of the primary metric. ``statuses`` counts all planned cells, so nothing is dropped.
    """

    real: str
    regime: str
    generator: str | None
    ratio: float | None
    control: bool
    measured: Mapping[str, Measured]
    cost: Cost
    statuses: Mapping[str, int]
    reasons: tuple[str, ...] = ()
    judgement: Judgement | None = None

    @property
    def n_ok(self) -> int:
        """Seeds with scores."""
        return self.statuses.get("ok", 0)

    @property
    def n(self) -> int:
        """Seeds planned."""
        return sum(self.statuses.values())

    @property
    def label(self) -> str:
        """``mixed flow ×1``."""
        return f"{self.regime} {self.generator} ×{self.ratio:g}" if self.generator else self.regime


@dataclass(frozen=True)
class Table:
    """One task, data set and model; Holm's correction is over its rows."""

    task: str
    dataset: str
    model: str
    metrics: tuple[Metric, ...]
    test_items: int
    blocks: Mapping[str, tuple[Row, ...]]
    notes: tuple[str, ...] = ()

    @property
    def primary(self) -> Metric:
        """The metric that verdicts are about."""
        return next(metric for metric in self.metrics if metric.primary)

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, block after block."""
        return tuple(row for block in self.blocks.values() for row in block)


@dataclass(frozen=True)
class Comparison:
    """Everything that a report says."""

    name: str
    summary: str
    tables: tuple[Table, ...]
    statuses: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)


def compare(folder: RunFolder) -> Comparison:
    """Read the run's ledger and set every row against the real row of its block."""
    records = folder.ledger.read()
    cells = [records.get(cell, CellRecord(cell, place, "missing")) for cell, place in folder.cells.items()]
    tables = tuple(
        _table(list(group), folder)
        for _, group in groupby(cells, key=lambda r: (r.coordinates.task, r.coordinates.dataset, r.coordinates.model))
    )
    environment = next((record.environment for record in reversed(cells) if record.environment), {})
    statuses = dict(Counter(str(record.status) for record in cells))
    return Comparison(folder.name, str(folder.suite.get("summary", "")), tables, statuses, environment)


def _table(cells: Sequence[CellRecord], folder: RunFolder) -> Table:
    place = cells[0].coordinates
    facts = folder.datasets[place.dataset]
    blocks: dict[str, list[list[CellRecord]]] = {}
    for cell in cells:
        rows = blocks.setdefault(cell.coordinates.real, [])
        if rows and _row_key(rows[-1][0].coordinates) == _row_key(cell.coordinates):
            rows[-1].append(cell)
        else:
            rows.append([cell])
    items = int(facts["test"])
    made = {real: _block(rows, folder.metrics, folder.ledger, items) for real, rows in blocks.items()}
    notes = tuple(sorted({note for cell in cells for note in cell.notes}))
    table = Table(place.task, place.dataset, place.model, folder.metrics, items, made, notes)
    return _judged(table)


def _row_key(place: Coordinates) -> tuple[Any, ...]:
    return (place.regime, place.generator, place.ratio)


def _judged(table: Table) -> Table:
    """Verdicts on the primary metric, corrected over the whole table."""
    primary = table.primary
    contenders = [
        (real, k) for real, rows in table.blocks.items() for k, row in enumerate(rows) if row.regime != "real"
    ]
    effects = [table.blocks[real][k].measured[primary.name].effect for real, k in contenders]
    judgements = dict(zip(contenders, judge(effects, higher_is_better=primary.higher_is_better), strict=True))
    blocks = {
        real: tuple(replace(row, judgement=judgements.get((real, k))) for k, row in enumerate(rows))
        for real, rows in table.blocks.items()
    }
    return replace(table, blocks=blocks)


def _block(
    rows: Sequence[Sequence[CellRecord]], metrics: Sequence[Metric], ledger: Ledger, items: int
) -> tuple[Row, ...]:
    baseline = next((row for row in rows if row[0].coordinates.regime == "real"), [])
    return tuple(_row(row, baseline, metrics, ledger, items) for row in rows)


def _row(
    cells: Sequence[CellRecord],
    baseline: Sequence[CellRecord],
    metrics: Sequence[Metric],
    ledger: Ledger,
    items: int,
) -> Row:
    place = cells[0].coordinates
    against = [] if place.regime == "real" else baseline
    reasons = {f"{c.status} in {c.phase}: {c.reason}" for c in cells if c.reason}
    return Row(
        real=place.real,
        regime=place.regime,
        generator=place.generator,
        ratio=place.ratio,
        control=any(cell.resolved.get("control", False) for cell in cells),
        measured={metric.name: _measured(metric.name, cells, against, ledger, items) for metric in metrics},
        cost=_cost(cells),
        statuses=dict(Counter(cell.status for cell in cells)),
        reasons=tuple(sorted(reasons)),
    )


def _measured(
    metric: str, cells: Sequence[CellRecord], baseline: Sequence[CellRecord], ledger: Ledger, items: int
) -> Measured:
    ours, theirs = _by_seed(metric, cells), _by_seed(metric, baseline)
    if not ours:
        return Measured(None)
    scores = {seed: score for seed, (_, score) in ours.items()}
    before = {seed: score for seed, (_, score) in theirs.items()}
    effect = paired_effect(before, scores, resolution=1 / max(1, items)) if before else None
    return Measured(mean_interval(list(scores.values())), effect, _over_items(metric, ours, theirs, ledger))


def _by_seed(metric: str, cells: Iterable[CellRecord]) -> dict[int, tuple[str, float]]:
    """Seed → cell and score, of the cells that have one."""
    found = {}
    for cell in cells:
        value = cell.metrics.get(metric) if cell.status == "ok" else None
        if value is not None:
            found[cell.coordinates.seed] = (cell.cell, value)
    return found


def _over_items(
    metric: str, ours: Mapping[int, tuple[str, float]], theirs: Mapping[int, tuple[str, float]], ledger: Ledger
) -> Interval | None:
    both = sorted(ours.keys() & theirs.keys())
    stacks: list[FloatArray] = []
    for side in (theirs, ours):
        scores = [ledger.per_item(side[seed][0]).get(metric) for seed in both]
        if not scores or any(score is None for score in scores):
            return None
        stacks.append(np.stack([score for score in scores if score is not None]))
    return item_interval(*stacks) if stacks[0].shape == stacks[1].shape else None


def _cost(cells: Sequence[CellRecord]) -> Cost:
    def mean(phase: str) -> float | None:
        found = [cell.seconds[phase] for cell in cells if phase in cell.seconds]
        return float(np.mean(found)) if found else None

    sampling = [(cell.synthetic, cell.seconds["sample"]) for cell in cells if cell.seconds.get("sample")]
    rate = sum(count for count, _ in sampling) / sum(s for _, s in sampling) if sampling else None
    return Cost(mean("fit"), rate, mean("train"))
