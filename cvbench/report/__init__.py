"""Reports of a comparison: a rich table for the terminal, Markdown, CSV and JSON to hand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from cvbench.comparison import Comparison

Format = Literal["md", "csv", "json"]


def as_text(comparison: Comparison, format: Format) -> str:
    """The whole comparison as text."""
    from cvbench.report.export import as_csv, as_json
    from cvbench.report.markdown import as_markdown

    writers: dict[Format, Callable[[Comparison], str]] = {"md": as_markdown, "csv": as_csv, "json": as_json}
    return writers[format](comparison)
