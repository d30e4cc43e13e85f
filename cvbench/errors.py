"""The few exception types of the house, and the words of their lines. Each prints as one: where, what, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

MOST_NAMES = 30  # in one line; `cvbench list` shows all


class CvbenchError(Exception):
    """Anything that cvbench itself raises; ``str(error)`` is one line for a person."""


class UserError(CvbenchError):
    """What the user gave cannot be used: one line on stderr, exit code 2, nothing half-written."""

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        self.what, self.where, self.hint = what, where, hint
        said = (f"{where}: " if where else "") + what + (f". {hint}" if hint else "")
        super().__init__(" ".join(said.split()))

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.hint)


class DataError(UserError):
    """A data set is missing, broken or not what the task needs."""


class PluginError(UserError):
    """A plugin cannot be loaded, raised, or returned something that its contract does not allow."""


class TrainingDiverged(CvbenchError):
    """A loss became NaN or infinite; says which one and at what step."""


class NotApplicable(CvbenchError):
    """A plugin says "not for this", with its reason: the cell is skipped, not failed."""


class NotInstalled(NotApplicable):
    """A library that a plugin needs is missing here: the cell is skipped, and tried again by the next command."""


def _rebuild(kind: type[UserError], what: str, where: str, hint: str) -> UserError:
    return kind(what, where=where, hint=hint)


def counted(number: int, one: str, more: str = "") -> str:
    """``1 picture``, ``2 pictures``; ``more`` is the plural where it is not :func:`plural`'s."""
    return f"{number:,} {one if number == 1 else more or plural(one)}"


def plural(one: str) -> str:
    """``pictures``, ``boxes``, ``classes``."""
    return one + ("es" if one.endswith(("s", "x")) else "s")


def near_names(name: str, known: Iterable[str]) -> str:
    """A hint that names what the user probably meant, then what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    shown = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
    listing = f"known: {shown}" if names else "there are none"
    return f"did you mean {' or '.join(repr(n) for n in close)}? ({listing})" if close else listing
