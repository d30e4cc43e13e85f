"""The command line: thin Typer commands; heavy imports happen inside the command that needs them."""

from __future__ import annotations

import errno
import sys

from cvbench.cli.app import app
from cvbench.cli.console import complain
from cvbench.errors import CvbenchError


def main() -> None:
    """Run the command line: a user's mistake is one line on stderr and exit code 2, never a traceback."""
    # each adds its commands
    from cvbench.cli import cache, data, generate, listing, plugin_author, quality, report, run, show  # noqa: F401

    try:
        app()
    except CvbenchError as error:
        fail(str(error))
    except OSError as error:
        another_place = error.errno in (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT)
        if not another_place and error.filename is None:
            raise
        where = f"{error.filename}: " if error.filename is not None else ""
        hint = ". Make room or choose another folder; the same command continues" if another_place else ""
        fail(f"{where}{error.strerror}{hint}")


def fail(message: str) -> None:
    """One line on stderr, exit code 2."""
    complain(message)
    sys.exit(2)
