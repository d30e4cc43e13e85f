"""``cvbench check-data``: what a folder holds, and what is wrong with it, item by item."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvbench.cli.app import app
from cvbench.cli.console import err, out
from cvbench.cli.printed import FormatOption, Printed
from cvbench.errors import counted, plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cvbench.contracts import Finding, Reader, Splits, Task
    from cvbench.readers.items import Item
    from cvbench.samples import DatasetSpec

SPLITS = ("train", "val", "test")
HOLDS = {  # what a class is counted in
    "label": "picture",
    "mask": "pixel",
    "boxes": "object",
    "instances": "object",
    "tracks": "box",
}
WITH = {  # what a kind of annotation is called after "pictures with"
    "label": "a class each",
    "mask": "a class per pixel",
    "boxes": "boxes",
    "instances": "instances",
    "tracks": "tracks",
}


@app.command("check-data", rich_help_panel="Data")
def check_data(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="A folder in any format that a reader knows, or a reader's name.")
    ],
    reader: Annotated[str, typer.Option(help="A reader's name.", show_default="recognised")] = "",
    data_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of the reader: size=32, or of scenes size=[240,320]."),
    ] = None,
    format: FormatOption = Printed.table,
) -> None:
    """Tell what data holds and everything that is wrong with it. Exit code 2 when something is."""
    from dataclasses import asdict

    from cvbench.plugins import make_plugin

    name, argument, root = located(data, reader)
    options = reader_options(data_option or []) | ({"dataset": argument} if argument else {})
    plugin = make_plugin("readers", name, options)
    with err.status("looking at every item"):
        findings, items, splits = looked_at(plugin, root, data)
    by_split = counts(items, splits)
    bad = sum(finding.level == "problem" for finding in findings)
    if format is Printed.json:
        spec = splits.train.spec if splits is not None else None
        facts = {
            "reader": name,
            "kind": items[0].kind.value if items else None,
            "size": [spec.height, spec.width, spec.channels] if spec is not None else None,
            "pictures": pictures(items) or None,
            "splits": by_split or None,
            **({"clips": clips} if (clips := clip_facts(items)) else {}),
            "findings": [asdict(finding) for finding in findings],
        }
        print(json.dumps(facts, indent=1))
    else:
        _print(data, name, splits, by_split, items, findings, bad)
    sys.exit(2 if bad else 0)


def reader_options(given: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE``, each value as YAML would read it. Raises :class:`UserError` for a text of another form."""
    from cvbench.errors import UserError
    from cvbench.yaml_source import parse_value

    options = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UserError("must be KEY=VALUE", where=f"--data-option {text}")
        options[key] = parse_value(value, f"--data-option {key}")
    return options


def located(data: str, reader: str) -> tuple[str, str, Path | None]:
    """The reader's name, what follows its colon, and the folder; None where a reader knows its own."""
    from cvbench.errors import DataError, near_names
    from cvbench.plugins import installed
    from cvbench.readers import recognise
    from cvbench.suite_reading import refuse_both

    path = Path(data)
    if reader:
        return reader, "", path
    if path.exists():
        refuse_both(data, data)
        return recognise(path), "", path
    name, _, argument = data.partition(":")
    if name in (known := installed("readers")):
        return name, argument, None
    hint = "" if "/" in data else f"nor a reader of this name: {near_names(name, known)}"
    raise DataError("there is no such folder", where=data, hint=hint)


def looked_at(plugin: Reader, root: Path | None, where: str) -> tuple[list[Finding], list[Item], Splits | None]:
    """What a reader finds, every picture that it can read, and the splits where nothing keeps them from opening."""
    from cvbench.contracts import Finding
    from cvbench.errors import DataError
    from cvbench.readers import checked
    from cvbench.readers.items import Itemised, items_of, repeats

    findings: list[Finding] = []
    items: list[Item] = []
    splits: Splits | None = None
    if isinstance(plugin, Itemised):
        findings, items = plugin.inspect(root)
    elif root is not None:
        findings = list(plugin.check(root))
    if not any(finding.level == "problem" for finding in findings):
        try:
            splits = checked(plugin.open(root))
            findings += refusals(splits, where)
        except DataError as error:
            findings.append(Finding("problem", error.where, error.what, error.hint))
    if splits is not None and not items:
        items = items_of(splits)
    findings += repeats(items, where)
    what = HOLDS[items[0].kind] if items else ""
    findings += [Finding("note", where, words) for words in remarks(counts(items, splits), what)]
    return sorted(findings, key=lambda finding: finding.level == "note"), items, splits


def counts(items: Sequence[Item], splits: Splits | None) -> dict[str, dict[str, int]]:
    """Split → class → how many pictures of it can be read; of scenes, how many objects or pixels of it they hold."""
    seen: Counter[tuple[str, str]] = Counter()
    for item in items:
        held = {item.label: 1} if item.holds is None else item.holds
        seen.update({(item.split, name): number for name, number in held.items()})
    classes = splits.train.spec.classes if splits else list(dict.fromkeys(name for _, name in seen))
    return {
        split: {name: seen[split, name] for name in classes}
        for split in SPLITS
        if any(item.split == split for item in items)
    }


def pictures(items: Sequence[Item]) -> dict[str, int]:
    """Split → how many pictures (or clips) of it can be read."""
    seen = Counter(item.split for item in items)
    return {split: seen[split] for split in SPLITS if split in seen}


def clip_facts(items: Sequence[Item]) -> dict[str, list[dict[str, Any]]]:
    """Split → of each clip that can be read: its name, and how much there is of it."""
    from dataclasses import asdict

    return {
        split: own
        for split in SPLITS
        if (own := [{"name": i.name} | asdict(i.extent) for i in items if i.split == split and i.extent is not None])
    }


def clip_lines(by_split: Mapping[str, Sequence[Mapping[str, Any]]]) -> Iterator[str]:
    """A line per split of :func:`clip_facts`: its first clips, each with frames and tracks; and sizes that differ."""
    from cvbench.readers.items import NAMED

    sizes = {clip["size"] for clips in by_split.values() for clip in clips}
    for split, clips in by_split.items():
        told = []
        for clip in clips[:NAMED]:
            size = f"{clip['size'][0]}×{clip['size'][1]}, " if len(sizes) > 1 else ""
            numbers = f"{counted(clip['frames'], 'frame')}, {counted(clip['tracks'], 'track')}"
            told.append(f"{clip['name']} ({size}{numbers})")
        more = len(clips) - len(told)
        least, most = min(clip["frames"] for clip in clips), max(clip["frames"] for clip in clips)
        lengths = f"; {least:,} to {most:,} frames" if most > least else f"; {most:,} frames each"
        yield f"{split}: {', '.join(told)}" + (f" and {more:,} more{lengths}" if more else "")


def refusals(splits: Splits, where: str) -> list[Finding]:
    """Why tasks for this kind of annotation cannot use the data: a problem where most cannot, else a note.

    (Clips of many objects are for one tracking task and not for the other; restoration takes pictures of one class.)
    """
    from cvbench.contracts import Finding
    from cvbench.errors import CvbenchError, DataError
    from cvbench.plugins import asking, listings, load_task
    from cvbench.samples import AnnotationKind

    spec = splits.train.spec
    can: list[str] = []
    refused: dict[str, str] = {}
    unless: dict[str, str] = {}
    broken: list[str] = []
    for listing in listings("tasks"):
        if listing.plugin is None or getattr(listing.plugin, "kind", None) != spec.kind:
            continue
        try:
            with asking(f"task {listing.name!r}"):
                task = load_task(listing.name)
                task.check_splits(splits)
                unless |= declined(listing.name, task, spec)
            can.append(listing.name)
        except DataError as error:
            refused[listing.name] = error.what
        except CvbenchError as error:  # a stranger's task fell over: that says nothing of the data
            broken.append(f"not held against what it needs: {error}")
    usable = ", ".join(name for name in can if name not in unless)
    if len(refused) > len(can) or (can and not usable):
        why_not = refused | {name: why for name, why in unless.items() if name in can}
        return [Finding("problem", where, f"{name} cannot use it: {why}") for name, why in why_not.items()]
    said = [f"not for {name}: {why}" for name, why in (refused | unless).items()]
    if usable:
        said = [f"for {usable}; {words}" for words in said]
        if not said and spec.kind is AnnotationKind.TRACKS:
            said = [f"for {usable}"]
    said += broken
    return [Finding("note", where, words) for words in said]


def declined(name: str, task: Task, spec: DatasetSpec) -> dict[str, str]:
    """Which models of a task are not for data of this spec with their defaults, and why; for all of them the task."""
    from cvbench.errors import NotApplicable, UserError
    from cvbench.plugins import make_options
    from cvbench.readers.items import named

    reasons: dict[str, list[str]] = {}
    models = [model.name for model in task.models()]
    for model in models:
        try:
            task.check_model(model, make_options(task.model_options(model), {}, where=model), spec)
        except NotApplicable as error:
            reasons.setdefault(str(error), []).append(model)
        except UserError:  # it has no defaults
            continue
    return {name if len(own) == len(models) else f"{named(own)} of {name}": why for why, own in reasons.items()}


def remarks(by_split: Mapping[str, Mapping[str, int]], what: str) -> Iterator[str]:
    """What is allowed of the numbers per class and yet worth knowing. Pixels are never alike: that is not told."""
    train, test = by_split.get("train", {}), by_split.get("test", {})
    if any(train.values()) and what != "pixel" and max(train.values()) > 10 * min(train.values()) > 0:
        least, most = min(train.values()), max(train.values())
        yield f"unbalanced: {least:,} to {most:,} training {plural(what)} per class"
    if lacking := [name for name, number in train.items() if number == 0]:
        yield f"{_have(lacking)} no training {what}"
    if untested := [name for name, number in test.items() if number == 0 and name not in lacking]:
        of = "it" if len(untested) == 1 else "them"
        yield f"{_have(untested)} no test {what}: what is learnt of {of} is not tested"


def _have(classes: Sequence[str]) -> str:
    from cvbench.readers.items import named

    names = named([repr(name) for name in classes])
    return f"class {names} has" if len(classes) == 1 else f"classes {names} have"


def _print(
    data: str,
    reader: str,
    splits: Splits | None,
    by_split: Mapping[str, Mapping[str, int]],
    items: Sequence[Item],
    findings: Sequence[Finding],
    bad: int,
) -> None:
    from rich.table import Table

    kind = items[0].kind.value if items else ""
    units = "clips" if kind == "tracks" else "pictures"
    numbers = pictures(items)
    parts = " + ".join(f"{number:,}" for number in numbers.values())
    holds = f": {parts} {units[:-1] if parts == '1' else units} with {WITH[kind]}" if numbers else ""
    out.print(f"[bold]{_shown(data)}[/bold] read as {reader}{holds}", soft_wrap=True)
    if by_split:
        classes = next(iter(by_split.values()))
        of = f"{units} of {counted(len(classes), 'class')}"
        of += "" if kind == "label" else f", counted in {plural(HOLDS[kind])}"
        if splits is not None:
            spec = splits.train.spec
            size = f"{spec.height}×{spec.width}" if spec.height else "of unequal size,"
            out.print(f"{size} {'grey' if spec.channels == 1 else 'RGB'} {of}")
        else:
            out.print(f"{of}, those that can be read")
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        table.add_column("class")
        for split in by_split:
            table.add_column(split, justify="right")
        for name in classes:
            table.add_row(_shown(name), *(f"{by[name]:,}" for by in by_split.values()))
        table.add_row("[bold]all", *(f"[bold]{sum(by.values()):,}" for by in by_split.values()))
        if any(item.holds is not None for item in items):
            table.add_row(f"[bold]{units}", *(f"[bold]{numbers[split]:,}" for split in by_split))
        clips = clip_facts(items)
        for fact in ("frames", "tracks") if clips else ():
            table.add_row(fact, *(f"{sum(clip[fact] for clip in clips[split]):,}" for split in by_split))
        out.print(table)
        for line in clip_lines(clips):
            out.print(_shown(line), soft_wrap=True)
    for finding in findings:
        mark = "[red]✗[/red]" if finding.level == "problem" else "[yellow]•[/yellow]"
        hint = f". {finding.hint}" if finding.hint else ""
        out.print(f"{mark} {_shown(finding.where)}: {_shown(finding.what + hint)}", soft_wrap=True)
    out.print(f"[red]{counted(bad, 'problem')}[/red]" if bad else "[green]nothing wrong[/green]")


def _shown(text: str) -> str:
    """Text from the data, safe for one line of a terminal: file names may hold anything."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))
