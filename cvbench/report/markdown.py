"""The comparison as GitHub Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cvbench.comparison import Comparison
from cvbench.contestants import Field
from cvbench.contracts import Metric
from cvbench.report import columns, words
from cvbench.report.per_class import NOTE, ClassGrid, class_grids
from cvbench.rows import Table


def as_markdown(comparison: Comparison, *, per_class: bool = False, every_metric: bool = False) -> str:
    """A section per table, with its footnotes, if asked class by class too, and what the numbers were made with.

    ``every_metric``: each metric's scores in the place of differences and verdicts.
    """
    parts = [f"# {_escaped(comparison.name)}", _escaped(comparison.summary)]
    for number, table in enumerate(comparison.tables):
        section = _section(table, comparison.tables[:number], every_metric)
        parts += [section, *(_classes(grid) for grid in class_grids(table) if per_class)]
    parts += [_field(field, comparison.tables[0].measure) for field in comparison.fields]
    parts += [f"note: {_escaped(note)}" for note in comparison.notes]
    made = ", ".join(f"{name} {value}" for name, value in comparison.environment.items())
    parts.append(f"Cells: {words.ended(comparison.statuses)}. Made with {_escaped(made)}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(table: Table, earlier: Sequence[Table], every_metric: bool) -> str:
    shown = columns.all_scores(table) if every_metric else columns.results(table) + columns.cost(table)
    head = ["real data", "trained on" if table.contest is None else "model", *(column.head for column in shown)]
    lines = [_line(head), _line(["---", "---", *("---" if column.wraps else "---:" for column in shown)])]
    for row in table.rows:
        name = row.label + (" (control)" if row.control else "")
        cells = [row.real + words.real_samples(table, row.real), name, *(column.told(row) for column in shown)]
        lines.append(_line([_escaped(cell) for cell in cells]))
    notes = "\n".join(f"- {_escaped(line)}" for line in words.footnotes(table, earlier, every_metric=every_metric))
    worths = [] if every_metric else words.worth_rows(table)
    worth = f"\n\n{_grid(words.WORTH_HEAD, worths)}" if worths else ""
    title = _escaped(words.title(table, every_metric=every_metric))
    return f"## {title}\n\n" + "\n".join(lines) + f"\n\n{notes}{worth}"


def _classes(grid: ClassGrid) -> str:
    head = [_escaped(name) for name in grid.head]
    return f"### {_escaped(grid.title)}\n\n{_grid(head, grid.rows)}\n\n- {_escaped(NOTE)}"


def _field(field: Field, measure: Metric) -> str:
    notes = "\n".join(f"- {_escaped(line)}" for line in words.field_footnotes(field, measure))
    rows = words.field_rows(field, measure)
    made = f"{_grid(words.FIELD_HEAD, rows)}\n\n" if rows else ""
    return f"## {_escaped(words.field_title(field))}\n\n{made}{notes}"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [_line(list(head)), _line(["---", *["---:"] * (len(head) - 1)])]
    return "\n".join(lines + [_line([_escaped(cell) for cell in row]) for row in rows])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """Plugins and suites name things: nothing of theirs is markup."""
    return re.sub(r"([\\`*_<>|#~])", r"\\\1", " ".join(text.split()))
