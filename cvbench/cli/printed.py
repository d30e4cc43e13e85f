"""What results are printed as: the option of every command that can print for people and for scripts."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Printed(StrEnum):
    """A table for people, JSON for scripts."""

    table = "table"
    json = "json"


FormatOption = Annotated[Printed, typer.Option(help="For people, or for scripts.")]
