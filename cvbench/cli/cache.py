"""``cvbench cache``: what the cache holds, and ``cvbench cache prune``: make room in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from cvbench.cli.app import app
from cvbench.cli.console import out
from cvbench.errors import counted

if TYPE_CHECKING:
    from cvbench.store import Holding

DAY = 86_400.0  # seconds

cache_app = typer.Typer(invoke_without_command=True, context_settings=app.info.context_settings)
app.add_typer(cache_app, name="cache", rich_help_panel="Run")


@cache_app.callback()
def cache(context: typer.Context) -> None:
    """Tell what the cache holds, by kind: how many, how large, when last used. `cvbench cache prune` makes room."""
    from rich.table import Table

    from cvbench.store import Store, default_cache

    if context.invoked_subcommand is not None:
        return
    store = Store(default_cache())
    by_kind: dict[str, list[Holding]] = {}
    for holding in store.holdings():
        by_kind.setdefault(holding.kind, []).append(holding)
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for column in ("kind", "artefacts", "size", "newest use"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for kind, held in by_kind.items():
        table.add_row(kind, f"{len(held):,}", _size(held), _date(max(holding.used for holding in held)))
    everything = [holding for held in by_kind.values() for holding in held]
    table.add_row("[bold]all", f"[bold]{len(everything):,}", f"[bold]{_size(everything)}", "")
    out.print(f"{store.root}", markup=False, soft_wrap=True)
    out.print(table)


@cache_app.command()
def prune(
    older_than: Annotated[
        int | None, typer.Option(metavar="DAYS", help="Delete what nobody has used for so many days, at least 1.")
    ] = None,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="Delete what was set aside as damaged, however new.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
) -> None:
    """Delete what has not been used for long; fetched data sets stay, and so does what a running cvbench works on."""
    import time

    from cvbench.errors import UserError
    from cvbench.store import Store, default_cache

    if older_than is None and not damaged:
        raise UserError("give --older-than DAYS, --damaged, or both")
    if older_than is not None and older_than < 1:
        raise UserError(f"must be at least 1, not {older_than}", where="--older-than")
    store = Store(default_cache())
    latest = time.time() - older_than * DAY if older_than is not None else 0.0
    old = [
        holding
        for holding in store.holdings()
        if holding.kind != "data" and (holding.used < latest or (damaged and holding.kind == "damaged"))
    ]
    gone = [holding for holding in old if dry_run or store.remove(holding)]
    out.print(f"{counted(len(gone), 'artefact')} ({_size(gone)}) {'would be ' if dry_run else ''}deleted")
    if len(gone) < len(old):
        out.print(f"{counted(len(old) - len(gone), 'artefact')} kept: a running cvbench works on them")


def _size(held: Iterable[Holding]) -> str:
    from rich.filesize import decimal

    return decimal(sum(holding.size for holding in held))


def _date(seconds: float) -> str:
    from datetime import datetime

    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M}"
