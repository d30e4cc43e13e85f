"""``cvbench new`` and ``cvbench check``: for those who write a generator or a task of their own."""

from __future__ import annotations

import keyword
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from cvbench.cli.app import app
from cvbench.cli.console import complain, out
from cvbench.errors import UserError, counted, near_names

KindArgument = Annotated[str, typer.Argument(metavar="KIND", help="generator or task.")]


@app.command(rich_help_panel="Plugins")
def new(
    kind: KindArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name, in lower case: my_generator.")],
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="The folder to write.", show_default="./NAME")
    ] = None,
) -> None:
    """Write a small plugin package that works and passes its own tests."""
    from importlib import resources

    from cvbench.plugins import installed

    kinds = _kinds(kind)
    one = kinds.removesuffix("s")
    class_name = "".join(part.capitalize() for part in name.split("_") if part)
    if not re.fullmatch(r"[a-z]([a-z0-9_]*[a-z0-9])?", name) or any(map(keyword.iskeyword, (name, class_name))):
        hint = "lower-case letters, digits and underscores, none of them last, and no word of Python's"
        raise UserError(f"{name!r} is not a name", hint=hint)
    folder = out_folder or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError("already exists and is not empty", where=str(folder), hint="choose another --out")
    if name in installed(kinds):
        raise UserError(f"there is a {one} {name!r} already: yours would not be used", hint="choose another name")
    templates = resources.files("cvbench").joinpath("templates")
    files = {
        written: templates.joinpath(f"{template}.txt").read_text("utf-8")
        for written, template in {
            "pyproject.toml": "pyproject.toml",
            f"{name}.py": f"{one}.py",
            f"test_{name}.py": f"test_{one}.py",
        }.items()
    }
    if _is_a_module(name):
        raise UserError(f"there is a Python module {name!r} already", hint="choose another name")
    if any(re.search(rf"^(class|from|import)\b.*\b{class_name}\b", text, re.MULTILINE) for text in files.values()):
        raise UserError(
            f"the class of {name!r} would be {class_name}, which its file has already", hint="choose another"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for written, text in files.items():
        filled = text.replace("@name@", name).replace("@Class@", class_name).replace("@kind@", one)
        (folder / written).write_text(filled, encoding="utf-8")
    out.print(f"{folder}: `pip install -e {folder}`, then `cvbench check {one} {name}`", markup=False, soft_wrap=True)


@app.command(rich_help_panel="Plugins")
def check(
    kind: KindArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The installed plugin's name.")],
) -> None:
    """Hold a plugin against the contract that the built-in ones pass. Exit code 1 when it falls short."""
    from rich.markup import escape

    from cvbench.conformance import check_generator, check_task
    from cvbench.plugins import eclipsed, load_plugin

    kinds = _kinds(kind)
    cls = load_plugin(kinds, name)
    for listing in eclipsed(kinds):
        if listing.name == name:
            complain(f"{listing.distribution}'s {name!r} is not what is checked: {listing.problem}")
    broken = 0
    for result in check_generator(cls) if kinds == "generators" else check_task(cls):
        broken += bool(result.problem)
        mark = "[red]✗[/red]" if result.problem else "[green]✓[/green]" if result.checked else "[yellow]•[/yellow]"
        problem = f": {result.problem}" if result.problem else ""
        out.print(f"{mark} {escape(result.promise + problem)}", soft_wrap=True)
    out.print(f"{counted(broken, 'promise')} broken" if broken else "keeps the contract")
    sys.exit(1 if broken else 0)


def _is_a_module(name: str) -> bool:
    """Whether ``import name`` finds one already; a folder of that name is none."""
    found = find_spec(name)
    return name in sys.stdlib_module_names or (found is not None and found.origin is not None)


def _kinds(kind: str) -> Literal["generators", "tasks"]:
    """The plural of what was typed, one or many."""
    if kind in ("generator", "generators"):
        return "generators"
    if kind in ("task", "tasks"):
        return "tasks"
    raise UserError(f"unknown kind {kind!r}", hint=near_names(kind, ("generator", "task")))
