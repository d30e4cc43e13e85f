"""The Typer application that each command module adds its commands to."""

from __future__ import annotations

from typing import Annotated

import typer

from cvbench import __version__

app = typer.Typer(
    name="cvbench",
    help="Does this synthetic data help my computer-vision model? By how much, and how sure are we?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cvbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...
