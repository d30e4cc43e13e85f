"""The terminal: one console for results (stdout), one for what is going on (stderr)."""

from __future__ import annotations

import os
import sys

from rich.console import Console

PIPE_WIDTH = 150  # columns of a table that goes into a file or another program

out = Console(highlight=False, width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH)
err = Console(stderr=True, highlight=False)


def complain(message: str) -> None:
    """One line on stderr. What is not printable is shown by its code: text of files moves no cursor."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in " ".join(message.split()))
    print(f"cvbench: {shown}", file=sys.stderr)
