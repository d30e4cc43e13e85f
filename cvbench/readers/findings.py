"""What a reader notices on its way through a data set: it stops at the first problem, or collects them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cvbench.contracts import Finding
from cvbench.errors import DataError, counted
from cvbench.readers.items import NAMED, named

MOST_OF_A_FILE = 10  # lines that are told of one text


@dataclass
class Findings:
    """``strict``: a problem is raised as :class:`DataError`; otherwise it is kept, and reading goes on."""

    strict: bool
    found: list[Finding] = field(default_factory=list)
    problems: int = 0  # how many of them are kept
    unread: bool = False  # whether there is something of which nothing could be used

    def problem(self, where: Path | str, what: str, hint: str = "") -> None:
        """What keeps the data from being used as it is."""
        self.blame(DataError(what, where=str(where), hint=hint))

    def blame(self, error: DataError) -> None:
        """A problem that was raised elsewhere."""
        if self.strict:
            raise error
        self.problems += 1
        self.found.append(Finding("problem", error.where, error.what, error.hint))

    def note(self, where: Path | str, what: str) -> None:
        """What is handled, and worth knowing."""
        self.found.append(Finding("note", str(where), what))

    def note_count(self, where: Path | str, number: int, one: str, what: str) -> None:
        """A note of so many of them: ``1 box of no area``, ``2 boxes of no area``; nothing of none."""
        if number:
            self.note(where, f"{counted(number, one)} {what}")


def summed_up(findings: Iterable[Finding], root: str) -> Iterator[Finding]:
    """Those that say the same of many places as one, with a few of their names and a number; problems first."""
    same: dict[tuple[str, str], list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: finding.level == "note"):
        same.setdefault((finding.what, finding.hint), []).append(finding)
    for (what, hint), alike in same.items():
        if len(alike) <= NAMED:
            yield from alike
        else:
            names = [finding.where.removeprefix(f"{root}/") for finding in alike]
            yield Finding(alike[0].level, root, f"{what} (in {len(alike):,} places: {named(names)})", hint)


def few_of_each_file(findings: Sequence[Finding]) -> Iterator[Finding]:
    """At most so many faulty lines of one text, then how many more it has."""
    every, told = Counter(_text(finding) for finding in findings), Counter[str]()
    for finding in findings:
        file = _text(finding)
        told[file] += 1
        if not file or told[file] <= MOST_OF_A_FILE:
            yield finding
        elif told[file] == every[file]:
            more = every[file] - MOST_OF_A_FILE
            yield finding if more == 1 else Finding("problem", file, f"and {more:,} more of this file")


def _text(finding: Finding) -> str:
    """The file, of a problem that names a line in it; else nothing."""
    file, _, line = finding.where.rpartition(":")
    return file if finding.level == "problem" and line.isdecimal() else ""
