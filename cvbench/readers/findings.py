"""What a reader notices on its way through a data set: it stops at the first problem, or collects them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cvbench.contracts import Finding
from cvbench.errors import DataError
from cvbench.readers.items import NAMED, named


@dataclass
class Findings:
    """``strict``: a problem is raised as :class:`DataError`; otherwise it is kept, and reading goes on."""

    strict: bool
    found: list[Finding] = field(default_factory=list)

    def problem(self, where: Path | str, what: str, hint: str = "") -> None:
        """What keeps the data from being used as it is."""
        self.blame(DataError(what, where=str(where), hint=hint))

    def blame(self, error: DataError) -> None:
        """A problem that was raised elsewhere."""
        if self.strict:
            raise error
        self.found.append(Finding("problem", error.where, error.what, error.hint))

    def note(self, where: Path | str, what: str) -> None:
        """What is handled, and worth knowing."""
        self.found.append(Finding("note", str(where), what))


def summed_up(findings: Iterable[Finding], root: str) -> Iterator[Finding]:
    """The problems one by one; notes that say the same of many files as one, with a few names and a number."""
    same: dict[str, list[str]] = {}
    for finding in findings:
        if finding.level == "problem":
            yield finding
        else:
            same.setdefault(finding.what, []).append(finding.where)
    for what, places in same.items():
        if len(places) <= NAMED:
            yield from (Finding("note", where, what) for where in places)
        else:
            names = [where.removeprefix(f"{root}/") for where in places]
            yield Finding("note", root, f"{what} (in {len(places):,} places: {named(names)})")
