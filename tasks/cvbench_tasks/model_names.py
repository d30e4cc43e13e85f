"""Models are asked for by name: what the options of a name are, and what is said to one that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cvbench.errors import UserError, near_names


def options_of(name: str, options: Mapping[str, type]) -> type:
    """The options of the model of this name. Raises :class:`UserError` as :func:`unknown_model` words it."""
    if name not in options:
        raise unknown_model(name, options)
    return options[name]


def unknown_model(name: str, known: Iterable[str]) -> UserError:
    """The error to raise, with near names."""
    return UserError(f"unknown model {name!r}", hint=near_names(name, known))
