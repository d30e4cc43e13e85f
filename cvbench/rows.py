"""What a table is made of: rows, each with its numbers, its verdict and its cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cvbench.contracts import Metric
from cvbench.effects import Effect, Interval, Judgement
from cvbench.ledger import CellRecord
from cvbench.worth import Worth


@dataclass(frozen=True)
class Measured:
    """One metric of one row. ``effect`` and ``items`` are None for the real row itself."""

    mean: Interval | None
    effect: Effect | None = None
    items: Interval | None = None


@dataclass(frozen=True)
class Cost:
    """Mean wall seconds per cell; ``samples_per_second`` and ``parameters`` are None without a generator.

    ``tested_per_second``: test items per second of loading the model, predicting and scoring.
    """

    fit: float | None
    samples_per_second: float | None
    train: float | None
    parameters: int | None = None
    tested_per_second: float | None = None


@dataclass(frozen=True)
class Row:
    """All seeds of one way of making the training data; in a contest, of one model.

    ``baseline``: whether the others of its block are held against it. ``contestant``: in a contest, its model.
    ``expected``: what a control must show: gain, loss or none. ``judgement`` is of the table's measure. ``statuses``
    counts all planned cells, so nothing is dropped. ``worth``: of a mixed row, where real data alone draws a curve.
    ``per_class``: metric → class → what was measured, without intervals over items. ``real_samples``: how many the
    share ``real`` is; None where no cell has a record.
    """

    real: str
    regime: str
    generator: str | None
    ratio: float | None
    control: bool
    expected: str
    measured: Mapping[str, Measured]
    cost: Cost
    statuses: Mapping[str, int]
    reasons: tuple[str, ...] = ()
    judgement: Judgement | None = None
    worth: Worth | None = None
    baseline: bool = False
    contestant: str = ""
    per_class: Mapping[str, Mapping[str, Measured]] = field(default_factory=dict)
    real_samples: int | None = None

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
        """``mixed flow ×1``; in a contest ``pix2pix``."""
        if self.contestant:
            return self.contestant
        return f"{self.regime} {self.generator} ×{self.ratio:g}" if self.generator else self.regime


@dataclass(frozen=True)
class Table:
    """One task, data set and model; Holm's correction is over its rows.

    Of a contest, ``model`` is empty: its rows are models that all trained on real data alone, the first the baseline.
    ``measured_by``: the metric that was asked for in the place of the primary one. ``item``: what the test and train
    items are: pictures or clips, these with ``test_frames`` in all. A run of an earlier version does not say.
    """

    task: str
    dataset: str
    model: str
    metrics: tuple[Metric, ...]
    test_items: int
    blocks: Mapping[str, tuple[Row, ...]]
    notes: tuple[str, ...] = ()
    contest: str | None = None
    measured_by: str | None = None
    item: str = "item"
    test_frames: int = 0
    train_items: int = 0

    @property
    def measure(self) -> Metric:
        """The metric that verdicts are about."""
        return next(m for m in self.metrics if (m.name == self.measured_by if self.measured_by else m.primary))

    @property
    def items_vary(self) -> bool:
        """Whether some row's difference has an interval over the test items."""
        found = (row.measured[self.measure.name].items for row in self.rows)
        return any(items is not None and items.low is not None for items in found)

    @property
    def rows(self) -> tuple[Row, ...]:
        """All rows, block after block."""
        return tuple(row for block in self.blocks.values() for row in block)


def cost_of(cells: Sequence[CellRecord], items: int) -> Cost:
    """Means over the cells that know; ``items``: how many there are in the test split.

    A model that learns nothing has no training to time: what it takes is to be put together.
    """
    learnt = [cell for cell in cells if cell.resolved.get("learns", True)]

    def mean(phase: str) -> float | None:
        found = [cell.seconds[phase] for cell in (learnt if phase == "train" else cells) if phase in cell.seconds]
        return float(np.mean(found)) if found else None

    sampling = [(cell.synthetic, cell.seconds["sample"]) for cell in cells if cell.seconds.get("sample")]
    rate = sum(count for count, _ in sampling) / sum(s for _, s in sampling) if sampling else None
    counts = [cell.parameters for cell in cells if cell.parameters is not None]
    testing = mean("evaluate")
    return Cost(mean("fit"), rate, mean("train"), max(counts, default=None), items / testing if testing else None)
