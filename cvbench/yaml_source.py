"""Reads YAML that a stranger wrote: plain data only, small, and with a line for every key."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cvbench.errors import UserError

MOST_BYTES = 1_000_000
MOST_NODES = 20_000  # after aliases are followed: a "billion laughs" file stops here
MOST_DEPTH = 30

KeyPath = tuple[str | int, ...]
SCALAR_TAGS = {"tag:yaml.org,2002:" + name for name in ("str", "int", "float", "bool", "null")}


@dataclass(frozen=True)
class Source:
    """Plain data with the line that each key path stands on."""

    name: str
    data: dict[str, Any]
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """``suite.yaml:12: generators[0].ratios`` for the path, or its nearest parent that has a line."""
        known = path
        while known and known not in self.lines:
            known = known[:-1]
        line = f":{self.lines[known]}" if known in self.lines else ""
        return f"{self.name}{line}" + (f": {written(path)}" if path else "")


def written(path: KeyPath) -> str:
    """A key path as people write it: ``generators[0].ratios``."""
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return words.removeprefix(".")


def read_yaml(file: Path) -> Source:
    """The file's mapping. Raises :class:`UserError` with file and line for anything that is not plain data."""
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UserError(f"larger than {MOST_BYTES:,} bytes: not a suite", where=str(file))
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError("not text in UTF-8", where=str(file)) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(file)) from None
    return parse_yaml(text, str(file))


def parse_yaml(text: str, name: str) -> Source:
    """The text's mapping, from a file called ``name``. Raises as :func:`read_yaml` does."""
    root = _compose(text, name)
    reader = _Reader(name)
    data = reader.plain(root, (), 0) if root is not None else None
    if not isinstance(data, dict):
        raise UserError("must be a mapping of keys to values", where=name)
    return Source(name, data, reader.lines)


def parse_value(text: str, name: str) -> Any:
    """One value, as in ``--set key=value``, under the same rules."""
    root = _compose(text, name)
    return None if root is None else _Reader(name).plain(root, (), 0)


def _compose(text: str, name: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
        return node
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"not YAML: {error.problem or error.context}", where=f"{name}:{line}") from None
    except yaml.YAMLError as error:
        raise UserError(f"not YAML: {' '.join(str(error).split())}", where=name) from None
    except RecursionError:
        raise UserError("nested too deep", where=name) from None


class _Reader:
    """Turns nodes into plain data, noting lines and refusing what a suite never needs."""

    def __init__(self, name: str) -> None:
        self.name, self.lines, self.nodes = name, dict[KeyPath, int](), 0
        self.scalars = yaml.SafeLoader("")

    def plain(self, node: yaml.Node, path: KeyPath, depth: int) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise self._refuse(line, "grows without end through its aliases (a YAML bomb)")
        if depth > MOST_DEPTH:
            raise self._refuse(line, f"nested deeper than {MOST_DEPTH} levels")
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.plain(item, (*path, n), depth + 1) for n, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line)
        raise self._refuse(line, f"the tag {node.tag} is not allowed: plain values only")

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._scalar(key_node, line) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise self._refuse(line, "a key must be a word (quote it if it looks like a number or yes/no)")
            if key in result:
                raise self._refuse(line, f"the key {key!r} is there twice")
            self.lines[(*path, key)] = line
            result[key] = self.plain(value_node, (*path, key), depth + 1)
        return result

    def _scalar(self, node: yaml.ScalarNode, line: int) -> Any:
        if node.tag in ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"):
            return node.value
        if node.tag not in SCALAR_TAGS:
            raise self._refuse(line, f"the tag {node.tag} is not allowed: plain values only")
        try:
            value = self.scalars.construct_object(node, deep=True)
        except (ValueError, yaml.YAMLError):
            raise self._refuse(line, f"{node.value!r} is not a value") from None
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refuse(line, f"{node.value} is not a number that can be used")
        return value

    def _refuse(self, line: int, what: str) -> UserError:
        return UserError(what, where=f"{self.name}:{line}")
