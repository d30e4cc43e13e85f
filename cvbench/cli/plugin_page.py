"""All that can be said of one plugin, model or suite: what ``cvbench list NAME`` prints. Imports no torch."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from cvbench.cli.console import out
from cvbench.errors import UserError, near_names

if TYPE_CHECKING:
    from cvbench.plugins import Kind


SUITE_WORDS = ("mix", "real", "synthetic", "mixed", "finetune", "augment")


def of_name(name: str, rows: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """What has this name, of whatever kind, each with all that can be said of it. Raises :class:`UserError`."""
    found = {kind: [_in_full(kind, row) for row in of_kind if row["name"] == name] for kind, of_kind in rows.items()}
    if not any(found.values()):
        known = [row["name"] for of_kind in rows.values() for row in of_kind]
        if len(rows) == 1:
            raise UserError(f"unknown {next(iter(rows)).removesuffix('s')} {name!r}", hint=near_names(name, known))
        if name in SUITE_WORDS:
            raise UserError(f"{name!r} is a suite's word, no plugin", hint="docs/suites.md tells what it means")
        hint = f"a kind ({', '.join(rows)}) or a name that `cvbench list` shows"
        close = near_names(name, [*known, *rows]).partition("? (known")
        raise UserError(f"nothing is called {name!r}", hint=f"{close[0]}? {hint}" if close[1] else hint)
    return {kind: of_kind for kind, of_kind in found.items() if of_kind}


def _in_full(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row with docstring, default budget and options as a JSON schema; a task's metrics; a suite's text."""
    from dataclasses import asdict
    from inspect import getdoc

    from cvbench.plugins import load_plugin, load_task
    from cvbench.suite_names import builtin_text

    if kind == "suites":
        return {**row, "yaml": builtin_text(row["name"])}
    if kind == "models":
        task = load_task(row["task"])
        return {**row, "budget": asdict(task.default_budget), **_options(task.model_options(row["name"]))}
    if row["status"] != "ok":
        return row
    plugin = load_plugin(cast("Kind", kind), row["name"])
    full = {**row, "about": getdoc(plugin) or ""}
    if kind != "readers":
        full["budget"] = asdict(plugin.default_budget) if plugin.default_budget else None
    if kind == "tasks":
        return {**full, "metrics": [asdict(metric) for metric in plugin.metrics], "models": task_models(plugin)}
    return {**full, **_options(plugin.Options)}


def task_models(task: Any) -> list[dict[str, Any]]:
    """Name, summary and licence of each model that a task's class knows."""
    from cvbench.plugins import one_line

    try:
        return [{"name": m.name, "summary": m.summary, "licence": m.licence} for m in task().models()]
    except Exception as error:  # a stranger's task may raise anything; the others are listed all the same
        reason = f"unavailable: models() raised {type(error).__name__}: {one_line(error)}"
        return [{"name": "?", "summary": reason, "licence": ""}]


def families(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Models of one task and summary in one row per family, so that eighty names stay readable."""

    def family(row: Mapping[str, Any]) -> tuple[str, str, str]:
        stem = re.split(r"[\d_]", row["name"].replace("wide_", "").replace("resnext", "resnet"))[0]
        return row.get("task", ""), stem, row["summary"]

    rows = []
    for _, group in itertools.groupby(sorted(models, key=family), key=family):
        members = list(group)
        rows.append({**members[0], "name": ", ".join(sorted(row["name"] for row in members))})
    return sorted(rows, key=lambda row: (row.get("task", ""), row["licence"] != "Apache-2.0"))


def _options(cls: type) -> dict[str, Any]:
    """The options' JSON schema and what their docstrings say, those that they take over included."""
    from inspect import cleandoc

    from pydantic import TypeAdapter

    from cvbench.contracts import NoOptions

    try:
        schema = TypeAdapter(cls).json_schema()
    except Exception as error:  # a stranger's options may be anything
        return {"options": {}, "about_options": f"cannot be told: {type(error).__name__}"}
    families = [family for family in cls.__mro__ if family not in (object, NoOptions)]
    said = [(family.__name__, vars(family).get("__doc__") or "") for family in families]
    return {
        "options": schema.get("properties", {}),
        # a dataclass without a docstring is given its signature for one
        "about_options": "\n\n".join(cleandoc(words) for name, words in said if not words.startswith(f"{name}(")),
    }


def print_page(kind: str, row: Mapping[str, Any]) -> None:
    """Print what :func:`of_name` found, for people."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    out.print(Text.assemble((row["name"], "bold"), f"  {kind.removesuffix('s')}: {row['summary']}"), soft_wrap=True)
    facts = {
        "licence": row.get("licence"),
        "from": row.get("from"),
        "task": row.get("task"),
        "default budget": _budget(row["budget"]) if row.get("budget") else "none" if "budget" in row else None,
        "status": row.get("status") if row.get("status") != "ok" else None,
    }
    for fact, value in facts.items():
        if value:
            out.print(Text.assemble((f"{fact}: ", "dim"), value), soft_wrap=True)
    for paragraph in (row.get("about", ""), row.get("yaml", "")):
        if paragraph:
            out.print(Text(f"\n{_plain(paragraph)}"), soft_wrap=True)
    if "metrics" in row:
        out.print()
        for metric in row["metrics"]:
            better = "higher" if metric["higher_is_better"] else "lower"
            words = f": {metric['summary']}; {better} is better{'; primary' if metric['primary'] else ''}"
            out.print(Text.assemble((metric["name"], "bold"), words), soft_wrap=True)
    if "models" in row:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("model", "summary", "licence"):
            table.add_column(column, overflow="fold")
        for model in families(row["models"]):
            table.add_row(*map(Text, (model["name"], model["summary"], model["licence"])))
        out.print(table)
        out.print("`cvbench list NAME` shows a model's options", style="dim")
    if row.get("options"):
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in ("option", "type", "bounds", "default"):
            table.add_column(column, overflow="fold")
        for option, schema in row["options"].items():
            table.add_row(*map(Text, (option, _type(schema), _bounds(schema), _default(schema))))
        out.print(table)
    elif "options" in row:
        out.print("no options")
    if row.get("about_options"):
        out.print(Text(_plain(row["about_options"])), soft_wrap=True)
    out.print()


def _budget(budget: Mapping[str, Any]) -> str:
    return f"{budget['steps']:,} steps of {budget['batch_size']:,}, precision {budget['precision']}"


_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "word",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}
_COUNTABLE = {"whole number", "number", "word", "mapping"}


def _type(schema: Mapping[str, Any]) -> str:
    """What a value of this JSON schema is, for people."""
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(map(str, schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "array":
        item = _type(schema["items"]) if "items" in schema else ""
        return f"list of {item}{'s' if item in _COUNTABLE else ''}" if item else "list"
    return _TYPES.get(schema.get("type", ""), "any")


_BOUNDS = {
    "exclusiveMinimum": "above {}",
    "minimum": "at least {}",
    "exclusiveMaximum": "below {}",
    "maximum": "at most {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "pattern": "matching {}",
}


def _default(schema: Mapping[str, Any]) -> str:
    """As it would stand in a suite."""
    if "default" not in schema:
        return "must be given"
    value = schema["default"]
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _bounds(schema: Mapping[str, Any]) -> str:
    parts = [schema, *schema.get("anyOf", ())]
    return ", ".join(words.format(part[key]) for part in parts for key, words in _BOUNDS.items() if key in part)


def _plain(docstring: str) -> str:
    """A docstring without the marks that a documentation tool reads."""
    return re.sub(r":\w+:`~?(?:\w+\.)*(\w+)`", r"\1", docstring.replace("``", "`"))
