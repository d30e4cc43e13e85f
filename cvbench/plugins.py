"""Finds plugins through entry points and imports one only when it is used.

The built-in tasks, generators and readers are found exactly as a stranger's are. A plugin that cannot be
imported is listed as unavailable, with its reason and the line that installs what it lacks.
"""

from __future__ import annotations

import dataclasses
import json
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from typing import Any, Literal, TypeVar

from cvbench.contracts import Budget, Generator, Reader, Task
from cvbench.errors import PluginError, UserError, near_names
from cvbench.samples import AnnotationKind

Kind = Literal["tasks", "generators", "readers"]
CONTRACTS: dict[Kind, type] = {"tasks": Task, "generators": Generator, "readers": Reader}
# Class attributes without a default
MUST_SAY: dict[Kind, dict[str, Any]] = {
    "tasks": {"kind": AnnotationKind, "metrics": Sequence, "default_budget": Budget},
    "generators": {"kinds": Set},
    "readers": {},
}
OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True)
class Listing:
    """One installed plugin as ``cvbench list`` shows it; ``problem`` says why it cannot be used."""

    name: str
    distribution: str
    plugin: type | None
    problem: str = ""


def installed(kind: Kind) -> dict[str, EntryPoint]:
    """Entry points of this kind by name; nothing is imported.

    A built-in keeps its name, and so does the first of two strangers, whoever came onto the path first.
    """
    return {name: found.point for name, found in _named(_by_precedence(kind)).items()}


@dataclass(frozen=True)
class _Found:
    """An entry point, and the distribution that brought it."""

    point: EntryPoint
    origin: str


def _by_precedence(kind: Kind) -> list[_Found]:
    points = entry_points(group=f"cvbench.{kind}")
    names = {point.dist: point.dist.name for point in points if point.dist}  # asked once each: it parses a file
    found = [_Found(point, names[point.dist] if point.dist else "?") for point in points]
    return sorted(found, key=lambda one: (one.origin != "cvbench", one.point.name, one.origin, one.point.value))


def _named(found: list[_Found]) -> dict[str, _Found]:
    """By name, the first of each."""
    named: dict[str, _Found] = {}
    for one in found:
        named.setdefault(one.point.name, one)
    return dict(sorted(named.items()))


def load_task(name: str, *, where: str = "") -> Task:
    """The task of this name. Raises as :func:`load_plugin` does."""
    task: Task = _made(load_plugin("tasks", name, where=where), f"task {name!r}")
    return task


def load_plugin(kind: Kind, name: str, *, where: str = "") -> type[Any]:
    """The plugin's class, imported now.

    Raises :class:`UserError` with near names for an unknown name, :class:`PluginError` when the plugin
    raises at import or is not what its group promises.
    """
    known = installed(kind)
    if name not in known:
        raise UserError(f"unknown {kind[:-1]} {name!r}", where=where, hint=near_names(name, known))
    plugin, problem = _import(kind, known[name])
    if plugin is None:
        raise PluginError(f"{kind[:-1]} {name!r} cannot be used: {problem}", where=where)
    return plugin


def listings(kind: Kind) -> list[Listing]:
    """Every installed plugin of this kind; the broken ones, and those whose name is taken, with their reason."""
    named = _named(_by_precedence(kind))
    return [Listing(name, one.origin, *_import(kind, one.point)) for name, one in named.items()] + eclipsed(kind)


def eclipsed(kind: Kind) -> list[Listing]:
    """What is installed and never used, since its name is taken."""
    found = _by_precedence(kind)
    named = _named(found)
    hint = "the name is taken by {}; give it another"
    return [
        Listing(one.point.name, one.origin, None, hint.format(named[one.point.name].origin))
        for one in found
        if one != named[one.point.name]
    ]


@cache
def _import(kind: Kind, point: EntryPoint) -> tuple[type[Any] | None, str]:
    try:
        plugin = point.load()
    except ModuleNotFoundError as error:
        missing = (error.name or str(error)).partition(".")[0]
        return None, f"module {missing!r} is not installed; {_install_line(missing, point.dist)}"
    except Exception as error:  # a stranger's module may raise anything at import
        return None, f"{point.value} raised {type(error).__name__} at import: {one_line(error)}"
    contract = CONTRACTS[kind]
    if not (isinstance(plugin, type) and issubclass(plugin, contract)):
        return None, f"{point.value} is not a subclass of cvbench.contracts.{contract.__name__}"
    missing_methods = sorted(getattr(plugin, "__abstractmethods__", ()))
    if missing_methods:
        return None, f"{point.value} does not define {', '.join(missing_methods)}"
    if unsaid := [name for name, kinds in MUST_SAY[kind].items() if not isinstance(getattr(plugin, name, None), kinds)]:
        return None, f"{point.value} does not say its {', '.join(unsaid)} as cvbench.contracts.{contract.__name__} does"
    if (
        kind == "tasks"
        and [getattr(metric, "primary", None) for metric in getattr(plugin, "metrics", ())].count(True) != 1
    ):
        return None, f"exactly one of the metrics of {point.value} must be primary"
    return plugin, ""


def _install_line(module: str, distribution: Distribution | None) -> str:
    """``pip install`` of the extra that brings the module, if the plugin's package has one for it."""
    for requirement in (distribution.requires or []) if distribution else []:
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", requirement)
        if extra and distribution and re.match(rf"{re.escape(module)}\b", requirement.replace("-", "_")):
            return install_line(extra[1], distribution.name)
    return f"pip install {module}"


def install_line(extra: str, distribution: str = "cvbench") -> str:
    """``pip install`` of a package's extra; cvbench itself is often a checkout that no index knows."""
    checkout = f", in a checkout '.[{extra}]'" if distribution == "cvbench" else ""
    return f"pip install '{distribution}[{extra}]'{checkout}"


def one_line(error: BaseException) -> str:
    """What an exception says, on one line of bounded length."""
    return " ".join(str(error).split())[:300] or "no message"


@contextmanager
def asking(plugin: str, where: str = "") -> Iterator[None]:
    """What a plugin raises while it is asked about itself becomes one line, at ``where`` if that is given."""
    try:
        yield
    except UserError as error:
        raise type(error)(error.what, where=where or error.where, hint=error.hint) from None
    except Exception as error:  # a stranger's code may raise anything
        raise PluginError(f"{plugin} raised {type(error).__name__}: {one_line(error)}", where=where) from error


def _made(plugin: type[Any], what: str, *arguments: Any) -> Any:
    try:
        return plugin(*arguments)
    except Exception as error:
        raise PluginError(f"{what} raised {type(error).__name__}: {one_line(error)}") from error


# ---------------------------------------------------------------------------------------- options


def make_plugin(kind: Literal["generators", "readers"], name: str, options: Mapping[str, Any]) -> Any:
    """A generator or reader with these options, checked."""
    plugin = load_plugin(kind, name)
    return _made(plugin, f"{kind[:-1]} {name!r}", make_options(plugin.Options, options, where=name))


def make_options(cls: type[OptionsT], given: Mapping[str, Any], *, where: str = "") -> OptionsT:
    """The frozen options with defaults filled in.

    Raises :class:`UserError` that names the key: unknown (with the near one), of a wrong type, out of range.
    """
    from pydantic import TypeAdapter, ValidationError

    fields = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in given:
        if key not in fields:
            raise UserError(f"unknown option {key!r}", where=where, hint=near_names(key, fields))
    try:
        return TypeAdapter(cls).validate_json(json.dumps(dict(given)), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        words = f"{first['msg'][0].lower()}{first['msg'][1:]}".replace("input should", "must")
        words = words.replace("be a valid array", "be a list in brackets, such as [64, 64] or [a, b]")
        raise UserError(f"option {key!r}: {words}, not {reprlib.repr(first['input'])}", where=where) from None


def options_json(options: Any) -> dict[str, Any]:
    """Options as plain data for a content key or a record: what was asked with the defaults filled in."""
    plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(options), default=str))
    return plain
