"""Reads YAML that a stranger wrote: plain data only, small, and with a line for every key."""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cvbench.errors import UserError

MOST_BYTES = 1_000_000
MOST_NODES = 20_000  # after aliases are followed: a "billion laughs" file stops here
MOST_DEPTH = 30
LONGEST_KEY = 200

KeyPath = tuple[str | int, ...]
SCALAR_TAGS = {"tag:yaml.org,2002:" + name for name in ("str", "int", "float", "bool", "null")}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, without tags."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise yaml.MarkedYAMLError(
                problem=f"the tag {tag} is not allowed: plain values only", problem_mark=event.start_mark
            )
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


# YAML 1.1 reads 1e-3 as a word, for it lacks the point; everybody means the number
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


@dataclass(frozen=True)
class Source:
    """Plain data with the place where each key path was written: ``suite.yaml:12``, ``--set seeds``."""

    name: str
    data: dict[str, Any]
    places: Mapping[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """``suite.yaml:12: generators[0].ratios`` for the path, at its own place or its nearest parent's."""
        known = path
        while known and known not in self.places:
            known = known[:-1]
        return self.places.get(known, self.name) + (f": {written(path)}" if path else "")


def written(path: KeyPath) -> str:
    """A key path as people write it: ``generators[0].ratios``."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return words.removeprefix(".")


def read_yaml(file: Path) -> Source:
    """The file's mapping. Raises :class:`UserError` with file and line for anything that is not plain data."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MOST_BYTES + 1)  # a device or a pipe has no size to ask for beforehand
    except FileNotFoundError:
        raise UserError("there is no such file", where=str(file)) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if len(content) > MOST_BYTES:
        raise UserError(f"larger than {MOST_BYTES:,} bytes: not a suite", where=str(file))
    try:
        return parse_yaml(content.decode("utf-8"), str(file))
    except UnicodeDecodeError:
        raise UserError("not text in UTF-8", where=str(file)) from None


def parse_yaml(text: str, name: str) -> Source:
    """The text's mapping, from a file called ``name``. Raises as :func:`read_yaml` does."""
    root = _compose(text, name)
    reader = _Reader(name)
    data = reader.plain(root, (), 0) if root is not None else None
    if not isinstance(data, dict):
        raise UserError("must be a mapping of keys to values", where=name)
    return Source(name, data, reader.places)


def parse_value(text: str, name: str) -> Any:
    """One value, as in ``--set key=value``, under the same rules; errors stand at ``name``."""
    try:
        root = _compose(text, name)
        return None if root is None else _Reader(name).plain(root, (), 0)
    except UserError as error:  # a value has no lines worth naming
        raise UserError(error.what, where=name) from None


def _compose(text: str, name: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
        return node
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"not plain YAML: {error.problem or error.context}", where=f"{name}:{line}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UserError(f"not plain YAML: the character #x{int(error.character):04x}", where=f"{name}:{line}") from None
    except RecursionError:
        raise UserError("nested too deep", where=name) from None


def _sexagesimal(node: yaml.ScalarNode) -> bool:
    """Whether YAML 1.1 would read ``1:30`` as 90."""
    return ":" in node.value and node.tag.endswith((":int", ":float"))


class _Reader:
    """Turns nodes into plain data, noting lines and refusing what a suite never needs."""

    def __init__(self, name: str) -> None:
        self.name, self.places, self.nodes = name, dict[KeyPath, str](), 0
        self.scalars = yaml.SafeLoader("")

    def plain(self, node: yaml.Node, path: KeyPath, depth: int) -> Any:
        line = node.start_mark.line + 1
        self.places.setdefault(path, f"{self.name}:{line}")
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise self._refuse(line, "grows without end through its aliases (a YAML bomb)")
        if depth > MOST_DEPTH:
            raise self._refuse(line, f"nested deeper than {MOST_DEPTH} levels")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*path, n), depth + 1) for n, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)  # there is no fourth kind
        return self._scalar(node, line)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._scalar(key_node, line) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise self._refuse(line, "a key must be a word (quote it if it looks like a number or yes/no)")
            if len(key) > LONGEST_KEY or not key.isprintable():
                raise self._refuse(line, f"a key must be printable and at most {LONGEST_KEY} characters long")
            if key in result:
                raise self._refuse(line, f"the key {key!r} is there twice")
            self.places[(*path, key)] = f"{self.name}:{line}"
            result[key] = self.plain(value_node, (*path, key), depth + 1)
        return result

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Any:
        if node.tag not in SCALAR_TAGS or _sexagesimal(node):  # a date, "<<", "=" or 1:30: a suite means the word
            return node.value
        try:
            value = self.scalars.construct_object(node, deep=True)
        except ValueError:
            raise self._refuse(line, f"{reprlib.repr(node.value)} is not a value") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refuse(line, f"{node.value[:40]} is not a number that can be used")
        if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            raise self._refuse(line, f"{reprlib.repr(value)} holds a character that is not text")
        return value

    def _refuse(self, line: int, what: str) -> UserError:
        return UserError(what, where=f"{self.name}:{line}")
