"""Reports of a comparison: a rich table for the terminal, Markdown, CSV and JSON to hand on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from cvbench.comparison import Comparison

Format = Literal["md", "csv", "json"]


def as_text(comparison: Comparison, format: Format, *, per_class: bool = False, every_metric: bool = False) -> str:
    """The whole comparison as text; ``per_class``: the differences class by class too, which JSON has always.

    ``every_metric``: each metric's scores in the place of differences and verdicts; CSV and JSON always have both.
    """
    from cvbench.report.export import as_csv, as_json
    from cvbench.report.markdown import as_markdown

    writers: dict[Format, Callable[[], str]] = {
        "md": lambda: as_markdown(comparison, per_class=per_class, every_metric=every_metric),
        "csv": lambda: as_csv(comparison, per_class=per_class),
        "json": lambda: as_json(comparison),
    }
    return writers[format]()
