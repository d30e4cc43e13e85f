"""``cvbench new`` and ``cvbench check``: for those who write a generator or a task of their own."""

from __future__ import annotations

import keyword
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cvbench.cli.app import app
from cvbench.cli.console import out


class NewKind(StrEnum):
    """What can be begun."""

    generator = "generator"
    task = "task"


class CheckKind(StrEnum):
    """What can be checked."""

    generators = "generators"
    tasks = "tasks"


@app.command(rich_help_panel="Plugins")
def new(
    kind: Annotated[NewKind, typer.Argument(help="What to begin.")],
    name: Annotated[str, typer.Argument(help="Its name, in lower case: my_generator.")],
    out_folder: Annotated[Path | None, typer.Option("--out", help="The folder to write [default: ./NAME].")] = None,
) -> None:
    """Write a small plugin package that works and passes its own tests."""
    from importlib import resources

    from cvbench.errors import UserError

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(f"{name!r} is not a name", hint="lower-case letters, digits and underscores")
    folder = out_folder or Path(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError("already exists and is not empty", where=str(folder), hint="choose another --out")
    class_name = "".join(part.capitalize() for part in name.split("_") if part)
    files = {"pyproject.toml": "pyproject.toml", f"{name}.py": f"{kind}.py", f"test_{name}.py": f"test_{kind}.py"}
    folder.mkdir(parents=True, exist_ok=True)
    for written, template in files.items():
        text = resources.files("cvbench").joinpath("templates", f"{template}.txt").read_text("utf-8")
        text = text.replace("@name@", name).replace("@Class@", class_name).replace("@kind@", kind)
        (folder / written).write_text(text, encoding="utf-8")
    out.print(f"{folder}: `pip install -e {folder}`, then `cvbench check {kind}s {name}`", markup=False, soft_wrap=True)


@app.command(rich_help_panel="Plugins")
def check(
    kind: Annotated[CheckKind, typer.Argument(help="Generators or tasks.")],
    name: Annotated[str, typer.Argument(help="The installed plugin's name.")],
) -> None:
    """Hold a plugin against the contract that the built-in ones pass. Exit code 1 when it falls short."""
    from rich.markup import escape

    from cvbench.conformance import check_generator, check_task
    from cvbench.plugins import load_plugin

    broken = 0
    cls = load_plugin("generators" if kind is CheckKind.generators else "tasks", name)
    for result in check_generator(cls) if kind is CheckKind.generators else check_task(cls):
        broken += bool(result.problem)
        mark = "[red]✗[/red]" if result.problem else "[green]✓[/green]"
        problem = f": {result.problem}" if result.problem else ""
        out.print(f"{mark} {escape(result.promise + problem)}", soft_wrap=True)
    out.print(f"{broken} promises broken" if broken else "keeps the contract")
    sys.exit(1 if broken else 0)
