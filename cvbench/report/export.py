"""The comparison for programs: CSV with a line per row and metric, JSON with everything."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from cvbench.comparison import Comparison
from cvbench.effects import Judgement
from cvbench.rows import Measured, Row, Table

SCHEMA = 1


def as_json(comparison: Comparison) -> str:
    """Everything that the tables say, in raw metric units; per-seed scores are the ledger's."""
    tables = [
        {
            "task": table.task,
            "dataset": table.dataset,
            "model": table.model,
            "contest": table.contest,
            "item": table.item,
            "train_items": table.train_items,
            "test_items": table.test_items,
            "test_frames": table.test_frames,
            "metrics": [asdict(metric) for metric in table.metrics],
            "judged_by": table.measure.name,
            "notes": table.notes,
            "rows": [{**asdict(row), "n_ok": row.n_ok, "n": row.n} for row in table.rows],
        }
        for table in comparison.tables
    ]
    content = {
        "schema": SCHEMA,
        "name": comparison.name,
        "summary": comparison.summary,
        "notes": comparison.notes,
        "statuses": comparison.statuses,
        "environment": comparison.environment,
        "tables": tables,
        "generators": [asdict(field) for field in comparison.fields],
    }
    return json.dumps(content, indent=1) + "\n"


def as_csv(comparison: Comparison, *, per_class: bool = False) -> str:
    """A line per row and metric, if asked per class too, in raw metric units; empty where there is no number."""
    lines = [line for table in comparison.tables for row in table.rows for line in _lines(table, row, per_class)]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]) if lines else ["task"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _lines(table: Table, row: Row, per_class: bool) -> Iterator[dict[str, Any]]:
    for metric in table.metrics:
        yield _line(
            table, row, metric.name, row.measured[metric.name], row.judgement if metric == table.measure else None
        )
    for name, by_class in row.per_class.items() if per_class else ():
        for one, measured in by_class.items():
            yield _line(table, row, name, measured, None) | {"class": one}


def _line(table: Table, row: Row, metric: str, measured: Measured, judged: Judgement | None) -> dict[str, Any]:
    mean, effect, items = measured.mean, measured.effect, measured.items
    return {
        "task": table.task,
        "dataset": table.dataset,
        "model": row.contestant or table.model,
        "real": row.real,
        "regime": row.regime,
        "generator": row.generator,
        "ratio": row.ratio,
        "control": row.control,
        "metric": metric,
        "class": None,
        "mean": mean and mean.mean,
        "low": mean and mean.low,
        "high": mean and mean.high,
        "difference": effect and effect.difference,
        "difference_low": effect and effect.low,
        "difference_high": effect and effect.high,
        "pairs": effect and effect.n,
        "p_value": effect and effect.p_value,
        "items_low": items and items.low,
        "items_high": items and items.high,
        "verdict": judged and str(judged.verdict),
        "adjusted_p": judged and judged.adjusted_p,
        "n_ok": row.n_ok,
        "n": row.n,
        "fit_seconds": row.cost.fit,
        "samples_per_second": row.cost.samples_per_second,
        "generator_parameters": row.cost.parameters,
        "train_seconds": row.cost.train,
        "tested_per_second": row.cost.tested_per_second,
    }
