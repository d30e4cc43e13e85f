"""Weights that a library offers for download, by name: those that it does not have are refused at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from cvbench.errors import UserError, near_names


@cache
def weights_checked(options: type, name: str) -> type:
    """These options, of torchvision's model of this name: :func:`check_weights` looks at their ``weights``."""

    @dataclass(frozen=True)
    class Options(options):  # type: ignore[misc]
        def __post_init__(self) -> None:
            check_weights(name, self.weights)

    return Options


def check_weights(name: str, weights: str, *, option: str = "weights") -> None:
    """Raise :class:`UserError` with near names when torchvision has no such weights for its model of this name."""
    if weights != "none":  # only then is torchvision worth importing
        from torchvision.models import get_model_weights

        check_among([one.name for one in get_model_weights(name)], name, weights, option=option)


def check_among(known: Sequence[str], name: str, weights: str, *, option: str) -> None:
    """Raise :class:`UserError` with near names when the weights are not ``known`` for the network of this name."""
    if weights not in known:
        raise UserError(f"option {option!r}: {name} has no {weights!r}", hint=near_names(weights, [*known, "none"]))


@contextmanager
def downloading(name: str, weights: str, *, option: str = "weights") -> Iterator[None]:
    """Around what fetches the weights of a network. Raises :class:`UserError` where they cannot be had."""
    try:
        yield
    except OSError as error:
        raise UserError(
            f"the weights {weights} of {name} cannot be had: {' '.join(str(error).split())[:150]}",
            hint=f"they are downloaded once: this needs a network; or use {option}: none",
        ) from None
