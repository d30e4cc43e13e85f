"""The comparison in the terminal: one rich table per data set and model, the real row first."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from cvbench.comparison import Comparison
from cvbench.effects import Verdict
from cvbench.report import words
from cvbench.report.per_class import NOTE, class_grids
from cvbench.rows import Row, Table

STYLES = {Verdict.BETTER: "bold green", Verdict.WORSE: "bold red", Verdict.NO_DIFFERENCE: "dim"}
WIDE = 140  # columns from which results and cost stand in one table


def print_tables(comparison: Comparison, console: Console, *, per_class: bool = False) -> None:
    """Print every table with its footnotes, if asked class by class too, then how many cells ended how."""
    for table in comparison.tables:
        console.print(Text.assemble((words.title(table), "bold"), (f"  {table.primary.summary}", "dim")))
        if console.width >= WIDE:
            console.print(_grid(table, results=True, cost=True))
        else:
            console.print(_grid(table, results=True, cost=False))
            console.print(_grid(table, results=False, cost=True))
        for line in words.footnotes(table):
            console.print(Text(line, style="dim"))
        if worths := words.worth_rows(table):
            console.print(_plain(words.WORTH_HEAD, worths))
        console.print()
        for grid in class_grids(table) if per_class else ():
            console.print(Text(grid.title, style="bold"))
            console.print(_plain([name.replace(" ", "\n") for name in grid.head], grid.rows))
            console.print(Text(NOTE, style="dim"))
            console.print()
    for field in comparison.fields:
        console.print(Text(words.field_title(field), style="bold"))
        console.print(_plain(words.FIELD_HEAD, words.field_rows(field, comparison.tables[0].primary)))
        for line in words.field_footnotes(field):
            console.print(Text(line, style="dim"))
        console.print()
    console.print(Text(f"{comparison.name}: cells: {words.ended(comparison.statuses)}"))


def _grid(table: Table, *, results: bool, cost: bool) -> RichTable:
    metric, compete = table.primary, table.contest is not None
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column("model" if compete else "trained on", no_wrap=cost, max_width=None if cost else 20)
    if results:
        grid.add_column(f"{metric.name}{words.unit(metric)}", justify="right", no_wrap=True)
        grid.add_column("Δ [95 %]", justify="right", no_wrap=True)
        if cost:
            grid.add_column("items [95 %]", justify="right", no_wrap=True)
        grid.add_column("verdict", min_width=13)
        for other in words.further(table):
            grid.add_column(f"{other.name}{words.unit(other)}", justify="right", no_wrap=True)
        grid.add_column("n", justify="right", no_wrap=True)
    if cost:
        for name in ("train s", "test/s") if compete else ("fit s", "samples/s", "train s"):
            grid.add_column(name, justify="right", no_wrap=True)
    for number, (real, rows) in enumerate(table.blocks.items()):
        if number:
            grid.add_section()
        if len(table.blocks) > 1 or real != "100%":
            grid.add_row(Text(f"{real} of real", style="italic"))
        for place, row in enumerate(rows):
            if row.control and not rows[place - 1].control:
                grid.add_row(Text("controls", style="italic"))
            grid.add_row(*_cells(row, table, results=results, cost=cost))
    return grid


def _cells(row: Row, table: Table, *, results: bool, cost: bool) -> list[Text]:
    metric = table.primary
    measured = row.measured[metric.name]
    cells = [row.label]
    if results:
        cells += [words.score(measured.mean, metric), words.difference(measured.effect, metric)]
        cells += [words.span(measured.items, metric)] if cost else []
        cells += [words.verdict(row)]
        cells += [words.score(row.measured[other.name].mean, other) for other in words.further(table)]
        cells += [f"{row.n_ok}/{row.n}"]
    if cost and table.contest is None:
        cells += [words.seconds(row.cost.fit), words.rate(row.cost.samples_per_second)]
    if cost:
        cells += [words.seconds(row.cost.train)]
    if cost and table.contest is not None:
        cells += [words.rate(row.cost.tested_per_second)]
    style = "bold" if row.baseline else _style(row) if results else ""
    return [Text(cell, style=style) for cell in cells]


def _plain(head: Sequence[str], rows: Sequence[Sequence[str]]) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(head):
        grid.add_column(name, justify="right" if number else "left", no_wrap=True)
    for row in rows:
        grid.add_row(*map(Text, row))
    return grid


def _style(row: Row) -> str:
    if not row.n_ok:
        return "yellow"
    return STYLES.get(row.judgement.verdict, "yellow") if row.judgement else ""
