"""The comparison as GitHub Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cvbench.comparison import Comparison
from cvbench.contestants import Field
from cvbench.contracts import Metric
from cvbench.report import words
from cvbench.report.per_class import NOTE, ClassGrid, class_grids
from cvbench.rows import Table

COST = ("fit s", "samples/s", "train s")


def as_markdown(comparison: Comparison, *, per_class: bool = False) -> str:
    """A section per table, with its footnotes, if asked class by class too, and what the numbers were made with."""
    parts = [f"# {_escaped(comparison.name)}", _escaped(comparison.summary)]
    for number, table in enumerate(comparison.tables):
        section = _section(table, comparison.tables[:number])
        parts += [section, *(_classes(grid) for grid in class_grids(table) if per_class)]
    parts += [_field(field, comparison.tables[0].measure) for field in comparison.fields]
    made = ", ".join(f"{name} {value}" for name, value in comparison.environment.items())
    parts.append(f"Cells: {words.ended(comparison.statuses)}. Made with {_escaped(made)}.")
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(table: Table, earlier: Sequence[Table]) -> str:
    measure, further = table.measure, words.further(table)
    items = ["items [95 %]"] if table.items_vary else []
    head = ["real data", "trained on" if table.contest is None else "model", f"{measure.name}{words.unit(measure)}"]
    head += ["Δ [95 %]", *items, "verdict", "n", *COST, *(f"{other.name}{words.unit(other)}" for other in further)]
    ruler = ["---", "---", *["---:"] * (2 + len(items)), "---", *["---:"] * (1 + len(COST) + len(further))]
    lines = [_line(head), _line(ruler)]
    for row in table.rows:
        measured = row.measured[measure.name]
        cells = [
            row.real,
            row.label + (" (control)" if row.control else ""),
            words.score(measured.mean, measure),
            words.difference(measured.effect, measure),
            *([words.span(measured.items, measure)] if items else []),
            words.verdict(row),
            f"{row.n_ok}/{row.n}",
            words.seconds(row.cost.fit),
            words.rate(row.cost.samples_per_second),
            words.seconds(row.cost.train),
            *(words.score(row.measured[other.name].mean, other) for other in further),
        ]
        lines.append(_line([_escaped(cell) for cell in cells]))
    notes = "\n".join(f"- {_escaped(line)}" for line in words.footnotes(table, earlier))
    worths = words.worth_rows(table)
    worth = f"\n\n{_grid(words.WORTH_HEAD, worths)}" if worths else ""
    return f"## {_escaped(words.title(table))}\n\n" + "\n".join(lines) + f"\n\n{notes}{worth}"


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
