"""The comparison in the terminal: one rich table per data set and model, the real row first."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from cvbench.comparison import Comparison, Row, Table
from cvbench.effects import Verdict
from cvbench.report import words

STYLES = {Verdict.BETTER: "bold green", Verdict.WORSE: "bold red", Verdict.NO_DIFFERENCE: "dim"}


def print_tables(comparison: Comparison, console: Console) -> None:
    """Print every table with its footnotes, then how many cells ended how."""
    for table in comparison.tables:
        console.print(_table(table, wide=console.width >= 118))
        for line in words.footnotes(table):
            console.print(Text(line, style="dim"))
        console.print()
    ended = ", ".join(f"{count} {status}" for status, count in sorted(comparison.statuses.items()))
    console.print(Text(f"{comparison.name}: {ended}"))


def _table(table: Table, *, wide: bool) -> RenderableType:
    metric = table.primary
    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1), title_justify="left", title_style="bold")
    grid.add_column("trained on", no_wrap=True)
    grid.add_column(f"{metric.name}{words.unit(metric)}", justify="right", no_wrap=True)
    grid.add_column("Δ [95 %]", justify="right", no_wrap=wide)
    if wide:
        grid.add_column("items", justify="right", no_wrap=True)
    grid.add_column("verdict")
    for name in ("n", "fit s", "samples/s", "train s") if wide else ("n", "fit s", "train s"):
        grid.add_column(name, justify="right", no_wrap=True)
    for number, (real, rows) in enumerate(table.blocks.items()):
        if number:
            grid.add_section()
        if len(table.blocks) > 1 or real != "100%":
            grid.add_row(Text(f"{real} of the real data", style="italic"))
        for row in rows:
            grid.add_row(*_cells(row, table, wide))
    head = Text.assemble((words.title(table), "bold"), (f"  ({metric.summary})", "dim"))
    return Group(head, grid)


def _cells(row: Row, table: Table, wide: bool) -> Iterator[RenderableType]:
    metric = table.primary
    measured = row.measured[metric.name]
    yield Text(
        f"{row.label}{' (control)' if row.control and wide else ''}", style="bold" if row.regime == "real" else ""
    )
    yield words.score(measured.mean, metric)
    yield escape(words.difference(measured.effect, metric))
    if wide:
        yield escape(words.span(measured.items, metric))
    yield Text(words.verdict(row), style=_style(row))
    yield f"{row.n_ok}/{row.n}"
    yield words.seconds(row.cost.fit)
    if wide:
        yield words.rate(row.cost.samples_per_second)
    yield words.seconds(row.cost.train)


def _style(row: Row) -> str:
    if row.regime != "real" and not row.n_ok:
        return "yellow"
    return STYLES.get(row.judgement.verdict, "yellow") if row.judgement else "dim"
