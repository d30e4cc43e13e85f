"""``cvbench list``: what is installed, what it is, and what cannot be used and why. Imports no torch."""

from __future__ import annotations

import itertools
import json
import re
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
    from cvbench.cli.plugin_page import of_name, print_page

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
            _print(kind, _families(found) if kind == "models" else found)


def _rows(kind: str) -> list[dict[str, Any]]:
    from cvbench.plugins import listings

    if kind == "suites":
        from cvbench.suite_names import builtin_suites

        return [{"name": name, "summary": summary} for name, summary in builtin_suites().items()]
    if kind == "models":
        return [row for listing in listings("tasks") for row in _models(listing)]
    return [
        {
            "name": listing.name,
            "summary": getattr(listing.plugin, "summary", ""),
            "licence": getattr(listing.plugin, "licence", ""),
            "from": listing.distribution,
            "status": f"unavailable: {listing.problem}" if listing.problem else "ok",
        }
        for listing in listings(cast("Kind", kind))
    ]


def _models(listing: Any) -> list[dict[str, Any]]:
    from cvbench.plugins import one_line

    if listing.plugin is None:
        return []
    try:
        return [
            {"name": model.name, "summary": model.summary, "licence": model.licence, "task": listing.name}
            for model in listing.plugin().models()
        ]
    except Exception as error:  # a stranger's task may raise anything; the others are listed all the same
        reason = f"unavailable: models() raised {type(error).__name__}: {one_line(error)}"
        return [{"name": "?", "summary": reason, "licence": "", "task": listing.name}]


def _families(models: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Models of one task and summary in one row per family, so that eighty names stay readable."""

    def family(row: dict[str, Any]) -> tuple[str, str]:
        return row["task"], re.split(r"[\d_]", row["name"].replace("wide_", "").replace("resnext", "resnet"))[0]

    rows = []
    for _, group in itertools.groupby(sorted(models, key=family), key=family):
        members = list(group)
        rows.append({**members[0], "name": ", ".join(sorted(row["name"] for row in members))})
    return sorted(rows, key=lambda row: (row["task"], row["licence"] != "Apache-2.0"))


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
