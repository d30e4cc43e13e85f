"""Options that name another generator, by which a part of the samples is drawn."""

from __future__ import annotations

from cvbench.errors import UserError, near_names
from cvbench.plugins import installed


def check_drawn_by(option: str, name: str, *besides: str) -> None:
    """Raise :class:`UserError` unless ``name`` is an installed generator's, or one of the words ``besides``."""
    known = [*besides, *installed("generators")]
    if name not in known:
        raise UserError(f"{option}: unknown generator {name!r}", hint=near_names(name, known))
