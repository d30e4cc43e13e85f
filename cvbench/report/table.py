"""The comparison in the terminal: one rich table per data set and model, the real row first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from cvbench.comparison import Comparison
from cvbench.effects import Verdict
from cvbench.report import columns, words
from cvbench.report.columns import Column
from cvbench.report.per_class import NOTE, class_grids
from cvbench.rows import Row, Table

T = TypeVar("T")
STYLES = {Verdict.BETTER: "bold green", Verdict.WORSE: "bold red", Verdict.NO_DIFFERENCE: "dim"}
WIDE = 140  # columns from which results and cost stand in one table
NARROW_NAME = 20  # columns of a row's name beside its results, where there is less room
VERDICT = 13  # columns of a verdict on several lines


def print_tables(
    comparison: Comparison, console: Console, *, per_class: bool = False, every_metric: bool = False
) -> None:
    """Print every table with its footnotes, if asked class by class too, then how many cells ended how.

    ``every_metric``: each metric's scores in the place of differences and verdicts.
    """
    for number, table in enumerate(comparison.tables):
        summary = "" if every_metric else f"  {table.measure.summary}"
        console.print(Text.assemble((words.title(table, every_metric=every_metric), "bold"), (summary, "dim")))
        for grid in _grids(table, console.width, every_metric=every_metric):
            console.print(grid)
        wide = console.width >= WIDE
        for line in words.footnotes(table, comparison.tables[:number], every_metric=every_metric, items=wide):
            console.print(Text(line, style="dim"))
        if worths := [] if every_metric else words.worth_rows(table):
            _print_plain(console, words.WORTH_HEAD, worths)
        console.print()
        for by_class in class_grids(table) if per_class else ():
            console.print(Text(by_class.title, style="bold"))
            _print_plain(console, [name.replace(" ", "\n") for name in by_class.head], by_class.rows)
            console.print(Text(NOTE, style="dim"))
            console.print()
    for field in comparison.fields:
        console.print(Text(words.field_title(field), style="bold"))
        if rows := words.field_rows(field, comparison.tables[0].measure):
            _print_plain(console, words.FIELD_HEAD, rows)
        for line in words.field_footnotes(field, comparison.tables[0].measure):
            console.print(Text(line, style="dim"))
        console.print()
    for note in comparison.notes:
        console.print(Text(f"note: {note}"))
    console.print(Text(f"{comparison.name}: cells: {words.ended(comparison.statuses)}"))


def _grids(table: Table, width: int, *, every_metric: bool) -> Iterator[RichTable]:
    """All columns, in as many tables as the width asks for: no column is cut, and every table names its rows."""
    wide = width >= WIDE
    results = columns.all_scores(table) if every_metric else columns.results(table, items=wide)
    left = results if every_metric else results + columns.cost(table)
    most = len(left) if wide else len(results)  # of the first table
    name_width: int | None = None if wide else NARROW_NAME
    shown_results = not every_metric
    while left:
        count = _fitting(left[:most], partial(_width, table, name_width=name_width), width)
        yield _grid(table, left[:count], name_width, no_wrap=wide, coloured=shown_results)
        left, name_width, shown_results = left[count:], None, False
        most = len(left)


def _fitting(left: Sequence[T], width_of: Callable[[Sequence[T]], int], width: int) -> int:
    """How many of the columns that are left stand side by side; one does, however wide it is."""
    count = 1
    while count < len(left) and width_of(left[: count + 1]) <= width:
        count += 1
    return count


def _width(table: Table, shown: Sequence[Column], name_width: int | None) -> int:
    """How wide a table with these columns is where no word is cut."""
    names = [
        _name_head(table),
        *(row.label for row in table.rows),
        *(_block_head(table, real) for real in table.blocks),
    ]
    longest = max(map(cell_len, names))
    widths = [min(longest, name_width or longest)]
    for column in shown:
        told = [VERDICT] if column.wraps else [cell_len(column.told(row)) for row in table.rows]
        widths.append(max(cell_len(column.head), *told))
    return sum(widths) + 2 * len(widths)  # a blank at each side of the table, two between columns


def _name_head(table: Table) -> str:
    return "trained on" if table.contest is None else "model"


def _block_head(table: Table, real: str) -> str:
    return f"{real} of real{words.real_samples(table, real)}"


def _grid(table: Table, shown: Sequence[Column], name_width: int | None, *, no_wrap: bool, coloured: bool) -> RichTable:
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(_name_head(table), max_width=name_width, no_wrap=no_wrap, overflow="fold")
    for column in shown:
        grid.add_column(
            column.head,
            justify="left" if column.wraps else "right",
            no_wrap=not column.wraps,
            min_width=VERDICT if column.wraps else None,
        )
    for number, (real, rows) in enumerate(table.blocks.items()):
        if number:
            grid.add_section()
        if len(table.blocks) > 1 or real != "100%":
            grid.add_row(Text(_block_head(table, real), style="italic"))
        for place, row in enumerate(rows):
            if row.control and not rows[place - 1].control:
                grid.add_row(Text("controls", style="italic"))
            style = "bold" if row.baseline else _style(row) if coloured else ""
            cells = [row.label, *(column.told(row) for column in shown)]
            grid.add_row(*(Text(cell, style=style) for cell in cells))
    return grid


def _print_plain(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """All columns, in as many tables as the width asks for: no column is cut, and every table names its rows."""
    names, *left = zip(head, *rows, strict=True)
    while left:
        count = _fitting(left, lambda shown: _plain_width([names, *shown]), console.width)
        part, left = [names, *left[:count]], left[count:]
        grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for number, (name, *_) in enumerate(part):
            grid.add_column(name, justify="right" if number else "left", no_wrap=True)
        for row in zip(*(cells for _, *cells in part), strict=True):
            grid.add_row(*map(Text, row))
        console.print(grid)


def _plain_width(shown: Sequence[Sequence[str]]) -> int:
    widths = [max(cell_len(line) for told in column for line in told.split("\n")) for column in shown]
    return sum(widths) + 2 * len(widths)


def _style(row: Row) -> str:
    if not row.n_ok:
        return "yellow"
    return STYLES.get(row.judgement.verdict, "yellow") if row.judgement else ""
