"""Options that name another generator, by which a part of the samples is drawn."""

from __future__ import annotations

from cvbench.errors import UserError, near_names
from cvbench.plugins import installed, load_plugin
from cvbench.samples import AnnotationKind


def check_drawn_by(option: str, name: str, *besides: str) -> None:
    """Raise :class:`UserError` unless ``name`` is one of the words ``besides``, or that of an installed generator which
    draws pictures with one label each.
    """
    known = [*besides, *installed("generators")]
    if name not in known:
        raise UserError(f"{option}: unknown generator {name!r}", hint=near_names(name, known))
    if name not in besides and AnnotationKind.LABEL not in load_plugin("generators", name).kinds:
        raise UserError(f"{option}: {name} draws no pictures with one label each", hint="name another, such as flow")
