"""``cvbench report``: a run's answers, for the terminal or to hand on."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from cvbench.cli.app import app
from cvbench.cli.console import err, out

if TYPE_CHECKING:
    from cvbench.report import Format


class ReportFormat(StrEnum):
    """What a report can be."""

    table = "table"
    md = "md"
    csv = "csv"
    json = "json"


@app.command(rich_help_panel="Run")
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/quickstart.")],
    format: Annotated[ReportFormat, typer.Option(help="How it is written.")] = ReportFormat.table,
    out_file: Annotated[Path | None, typer.Option("--out", help="Write to a file instead.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Compare by another metric of the task; all: the scores by every metric side by side.",
            show_default="the primary one",
        ),
    ] = None,
    per_class: Annotated[bool, typer.Option("--per-class", help="Differences class by class too.")] = False,
) -> None:
    """Print what a run says: differences with intervals, verdicts, costs, failures."""
    from cvbench.comparison import compare
    from cvbench.durable import write_durably
    from cvbench.report import as_text
    from cvbench.report.table import print_tables
    from cvbench.run_folder import open_run

    every_metric = metric == "all"
    comparison = compare(open_run(run), None if every_metric else metric)
    if format is not ReportFormat.table:
        text = as_text(comparison, cast("Format", format.value), per_class=per_class, every_metric=every_metric)
        if out_file is None:
            print(text, end="")
            return
    elif out_file is None:
        print_tables(comparison, out, per_class=per_class, every_metric=every_metric)
        return
    else:
        from rich.console import Console

        recorder = Console(record=True, width=140, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
        print_tables(comparison, recorder, per_class=per_class, every_metric=every_metric)
        text = recorder.export_text()
    write_durably(out_file, text.encode())
    err.print(f"written to {out_file}", markup=False, soft_wrap=True)
