"""``cvbench check-data``: what a folder holds, and what is wrong with it, item by item."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvbench.cli.app import app
from cvbench.cli.console import err, out

if TYPE_CHECKING:
    from cvbench.contracts import Splits


class CheckFormat(StrEnum):
    """How findings are printed."""

    table = "table"
    json = "json"


@app.command("check-data", rich_help_panel="Data")
def check_data(
    path: Annotated[Path, typer.Argument(help="A folder of data in any format that a reader knows.")],
    reader: Annotated[str, typer.Option(help="A reader's name [default: recognised].")] = "",
    size: Annotated[int | None, typer.Option(help="Check as if resized to size × size.")] = None,
    format: Annotated[CheckFormat, typer.Option(help="For people, or for scripts.")] = CheckFormat.table,
) -> None:
    """Tell what a folder holds and everything that is wrong with it. Exit code 2 when something is."""
    from cvbench.errors import DataError
    from cvbench.plugins import make_plugin
    from cvbench.readers import checked, recognise

    name = reader or recognise(path)
    plugin = make_plugin("readers", name, {} if size is None else {"size": size})
    with err.status("looking at every item"):
        findings = [vars_of(finding) for finding in plugin.check(path)]
        splits: Splits | None = None
        if not any(finding["level"] == "problem" for finding in findings):
            try:
                splits = checked(plugin.open(path))
                findings += [{"level": "problem", "where": str(path), "what": w, "hint": ""} for w in refusals(splits)]
                findings += [{"level": "note", "where": str(path), "what": w, "hint": ""} for w in remarks(splits)]
            except DataError as error:
                findings.append({"level": "problem", "where": error.where, "what": error.what, "hint": error.hint})
    bad = sum(finding["level"] == "problem" for finding in findings)
    if format is CheckFormat.json:
        facts = {"reader": name, "splits": counts(splits) if splits else None, "findings": findings}
        print(json.dumps(facts, indent=1))
    else:
        _print(path, name, splits, findings, bad)
    sys.exit(2 if bad else 0)


def vars_of(finding: Any) -> dict[str, str]:
    """A finding as plain data."""
    return {"level": finding.level, "where": finding.where, "what": finding.what, "hint": finding.hint}


def counts(splits: Splits) -> dict[str, dict[str, int]]:
    """Split → class → number of pictures."""
    parts = {"train": splits.train, "val": splits.val, "test": splits.test}
    return {
        split: dict(zip(data.spec.classes, map(int, _bincount(data)), strict=True))
        for split, data in parts.items()
        if data is not None
    }


def _bincount(data: Any) -> Any:
    import numpy as np

    return np.bincount(data.strata(), minlength=len(data.spec.classes))


def refusals(splits: Splits) -> list[str]:
    """Why tasks for this kind of annotation cannot use the data."""
    from cvbench.errors import DataError
    from cvbench.plugins import listings, load_task

    words = []
    for listing in listings("tasks"):
        if listing.plugin is None or getattr(listing.plugin, "kind", None) != splits.train.spec.kind:
            continue
        try:
            load_task(listing.name).check_splits(splits)
        except DataError as error:
            words.append(f"{listing.name} cannot use it: {error.what}")
    return words


def remarks(splits: Splits) -> list[str]:
    """What is allowed and yet worth knowing: duplicates across splits, contradictory labels, imbalance."""
    words = []
    train, test = splits.train.item_hashes(), splits.test.item_hashes()
    shared = len(set(train) & set(test))
    if shared:
        words.append(f"{shared} distinct test pictures are also training pictures")
    labels: dict[str, set[int]] = {}
    for digest, label in zip(train, splits.train.strata(), strict=True):
        labels.setdefault(digest, set()).add(int(label))
    if len(labels) < len(train):
        words.append(f"{len(train) - len(labels)} training pictures are there more than once")
    contradictory = sum(len(found) > 1 for found in labels.values())
    if contradictory:
        words.append(f"{contradictory} training pictures are there under different classes")
    per_class = _bincount(splits.train)
    if per_class.min() == 0:
        empty = splits.train.spec.classes[int(per_class.argmin())]
        words.append(f"class {empty!r} has no training picture")
    elif per_class.max() > 10 * per_class.min():
        words.append(f"unbalanced: {per_class.min()} to {per_class.max()} training pictures per class")
    return words


def _print(path: Path, reader: str, splits: Splits | None, findings: list[dict[str, str]], bad: int) -> None:
    from rich.table import Table

    out.print(f"[bold]{_shown(str(path))}[/bold] read as {reader}", soft_wrap=True)
    if splits is not None:
        spec = splits.train.spec
        kind = "grey" if spec.channels == 1 else "RGB"
        out.print(f"{spec.height}×{spec.width} {kind} pictures of {len(spec.classes)} classes")
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        by_split = counts(splits)
        table.add_column("class")
        for split in by_split:
            table.add_column(split, justify="right")
        for name in spec.classes:
            table.add_row(_shown(name), *(f"{by[name]:,}" for by in by_split.values()))
        table.add_row("[bold]all", *(f"[bold]{sum(by.values()):,}" for by in by_split.values()))
        out.print(table)
    for finding in findings:
        mark = "[red]✗[/red]" if finding["level"] == "problem" else "[yellow]•[/yellow]"
        hint = f". {finding['hint']}" if finding["hint"] else ""
        out.print(f"{mark} {_shown(finding['where'])}: {_shown(finding['what'] + hint)}", soft_wrap=True)
    out.print(f"[red]{bad} problem{'s' * (bad > 1)}[/red]" if bad else "[green]nothing wrong[/green]")


def _shown(text: str) -> str:
    """Text from the data, safe for one line of a terminal: file names may hold anything."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))
