"""``cvbench list``: what is installed, what it is, and what cannot be used and why. Imports no torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from cvbench.cli.app import app
from cvbench.cli.console import out
from cvbench.cli.printed import FormatOption, Printed
from cvbench.errors import UserError, near_names

if TYPE_CHECKING:
    from cvbench.plugins import Kind

KINDS = ("tasks", "models", "generators", "readers", "suites")


@app.command("list", rich_help_panel="Plugins")
def list_(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[KIND|NAME]", help="tasks, models, generators, readers, suites; or one by its name."),
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of that kind only.")] = None,
    format: FormatOption = Printed.table,
) -> None:
    """List what is installed, with licences and what is wrong with broken ones. With a NAME: all of its options."""
    from cvbench.cli.plugin_page import families, of_name, print_page

    kind = next((kind for kind in KINDS if what in (kind, kind.removesuffix("s"))), None)
    if name and not kind:
        raise UserError(f"unknown kind {what!r}", hint=near_names(str(what), KINDS))
    rows = {one: _rows(one) for one in ([kind] if kind else KINDS)}
    wanted = name if kind else what
    if wanted:
        rows = of_name(wanted, rows)
    if format is Printed.json:
        print(json.dumps(rows, indent=1))
        return
    for kind, found in rows.items():
        if wanted:
            for row in found:
                print_page(kind, row)
        else:
            _print(kind, families(found) if kind == "models" else found)


def _rows(kind: str) -> list[dict[str, Any]]:
    from cvbench.cli.plugin_page import task_models
    from cvbench.plugins import listings

    if kind == "suites":
        from cvbench.suite_names import builtin_suites

        return [{"name": name, "summary": summary} for name, summary in builtin_suites().items()]
    if kind == "models":
        return [
            {**row, "task": listing.name}
            for listing in listings("tasks")
            if listing.plugin is not None
            for row in task_models(listing.plugin)
        ]
    return [
        {
            "name": listing.name,
            "summary": getattr(listing.plugin, "summary", ""),
            **(_made_by(listing.plugin) if kind == "generators" else {}),
            "licence": getattr(listing.plugin, "licence", ""),
            "from": listing.distribution,
            "status": f"unavailable: {listing.problem}" if listing.problem else "ok",
        }
        for listing in listings(cast("Kind", kind))
    ]


def _made_by(generator: Any) -> dict[str, str]:
    """What a generator annotates its samples with, and how long it is fitted unless a suite says otherwise."""
    budget = getattr(generator, "default_budget", None)
    return {
        "makes": ", ".join(sorted(getattr(generator, "kinds", ()))),
        "steps": f"{budget.steps:,}" if budget is not None else "",
    }


def _print(kind: str, rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=kind, title_justify="left", title_style="bold")
    columns = [
        c for c in (rows[0] if rows else {"name": ""}) if c != "status" or any(r["status"] != "ok" for r in rows)
    ]
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        broken = row.get("status", "ok") != "ok"
        table.add_row(*(Text(row.get(column, ""), style="yellow" if broken else "") for column in columns))
    out.print(table)
