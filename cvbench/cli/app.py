"""The Typer application that each command module adds its commands to."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cvbench import __version__
from cvbench.cli.console import complain
from cvbench.errors import UserError

# Its home is click's before Typer 0.26 and Typer's own after; its place above BadParameter is the same.
UsageError: type[Any] = typer.BadParameter.__bases__[0]


class Commands(TyperGroup):
    """The commands, with a wrong command line told as any other mistake: a line on stderr each, exit code 2."""

    def main(self, *arguments: Any, **settings: Any) -> Any:
        try:
            sys.exit(super().main(*arguments, **settings | {"prog_name": "cvbench", "standalone_mode": False}))
        except UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":  # the help has been printed by then
                sys.exit(error.exit_code)
            raise usage_mistake(error) from None
        except UserError as error:
            mistakes: list[str] = [str(error), *getattr(error, "__notes__", [])]
            for mistake in mistakes[:-1]:
                complain(mistake)
            raise UserError(mistakes[-1]) from None


def usage_mistake(error: Any) -> UserError:
    """What Typer says of a command line, in the house's words: where, what, what to do."""
    said = error.format_message().strip().rstrip(".").replace("Value error, ", "").replace("Input should be", "must be")
    said = said.replace("a valid integer, unable to parse string as an integer", "a whole number")
    named = re.match(r"Invalid value for '?(?P<where>[^':]+)'?: (?P<what>.*)", said, re.DOTALL)
    where, what = (named["where"], named["what"]) if named else ("", said[:1].lower() + said[1:])
    what, asked, near = what.partition(". Did you mean ")
    command = error.ctx.command_path if error.ctx is not None else "cvbench"
    return UserError(what, where=where, hint=f"{'did you mean ' if asked else ''}{near} See `{command} --help`".strip())


app = typer.Typer(
    name="cvbench",
    help="Does this synthetic data help my computer-vision model? By how much, and how sure are we?",
    cls=Commands,
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
