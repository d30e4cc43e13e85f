"""Differences class by class: where a row's gain or loss comes from. No verdicts: many classes, no correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cvbench.contracts import Metric
from cvbench.effects import Effect
from cvbench.report import words
from cvbench.rows import Measured, Row, Table

NOTE = (
    "Per class: the baseline's score ±, then Δ ± in points, each half of a 95 % interval over seeds; not corrected "
    "for the number of classes: read where a difference comes from, not whether there is one."
)


@dataclass(frozen=True)
class ClassGrid:
    """A line per class, a column per row of the table."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def class_grids(table: Table) -> list[ClassGrid]:
    """One grid per share of real data, of the table's measure if it has scores per class, else of the first metric that
    has; none without one.
    """
    return [grid for real, rows in table.blocks.items() if (grid := _grid(table, real, rows)) is not None]


def _grid(table: Table, real: str, rows: Sequence[Row]) -> ClassGrid | None:
    there = [name for row in rows for name in row.per_class]
    if not there:
        return None
    metric = table.measure.name if table.measure.name in there else there[0]
    share = Metric(metric, "")  # every metric per class so far is one
    classes = next(row.per_class[metric] for row in rows if metric in row.per_class)
    lines = [
        (name, *(_cell(row, row.per_class.get(metric, {}).get(name, Measured(None)), share) for row in rows))
        for name in classes
    ]
    title = f"{words.title(table)} · {real} of real · {metric} per class{words.unit(share)}"
    return ClassGrid(title, ("class", *(row.label for row in rows)), tuple(lines))


def _cell(row: Row, measured: Measured, metric: Metric) -> str:
    return words.score(measured.mean, metric) if row.baseline else _change(measured.effect, metric)


def _change(effect: Effect | None, metric: Metric) -> str:
    """``+1.20 ±0.80``."""
    if effect is None or effect.low is None or effect.high is None:
        return words.difference(effect, metric)
    half = 100 * (effect.high - effect.low) / 2
    return f"{words.difference(replace(effect, low=None, high=None), metric)} ±{half:.2f}"
