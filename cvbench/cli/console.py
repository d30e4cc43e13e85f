"""The terminal: one console for results (stdout), one for what is going on (stderr)."""

from __future__ import annotations

from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
