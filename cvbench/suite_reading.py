"""Reads a suite: a file, overrides and defaults together, held against the schema and what is installed.

Whatever is wrong is told with its file, line and key, every mistake on a line of its own.
"""

from __future__ import annotations

import dataclasses
import difflib
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cvbench.contracts import Generator, NoOptions, Task
from cvbench.errors import PluginError, UserError, near_names
from cvbench.overrides import overridden
from cvbench.plugins import asking, installed, listings, load_plugin, load_task, make_options, one_line
from cvbench.samples import AnnotationKind
from cvbench.suite import BudgetEntry, DatasetEntry, GeneratorEntry, ModelEntry, RealShare, Suite
from cvbench.suite_names import builtin_suites, builtin_text
from cvbench.yaml_source import KeyPath, Source, parse_yaml, read_yaml


def load_suite(reference: str, overrides: Sequence[str] = ()) -> Suite:
    """A suite file, or a built-in suite by name, with ``key=value`` overrides put in.

    Raises :class:`UserError` naming file, line and key for whatever is wrong with it, its plugins' names and
    options included, and for an override of the budget that no model heeds.
    """
    suite = parse_suite(overridden(_source(reference), overrides))
    for key, own in _shadowed(suite, overrides).items():
        if len(own) == len(suite.models):
            hint = f"--set models.{own[0]}.budget.{key}={getattr(suite.budget, key)}"
            raise UserError(f"changes nothing: {_their_own(own, key)}", where=f"--set budget.{key}", hint=hint)
    return suite


def half_heeded(suite: Suite, overrides: Sequence[str]) -> list[str]:
    """A note for each override of the suite's budget that only some of its models heed."""
    shadowed = _shadowed(suite, overrides).items()
    return [f"--set budget.{key} does not reach all models: {_their_own(own, key)}" for key, own in shadowed]


def _shadowed(suite: Suite, overrides: Sequence[str]) -> dict[str, list[str]]:
    """Overridden key of the suite's budget → the models that have a value of their own for it."""
    given = [override.partition("=")[0].partition(".") for override in overrides]
    keys = [key for first, _, rest in given if first == "budget" for key in ([rest] if rest else suite.budget.given())]
    found = {key: [model.label for model in suite.models if key in model.budget.given()] for key in keys}
    return {key: own for key, own in found.items() if own}


def _their_own(labels: Sequence[str], key: str) -> str:
    """``yolov8n and fasterrcnn have steps of their own``."""
    have, their = ("have", "their") if len(labels) > 1 else ("has", "its")
    return f"{' and '.join(labels)} {have} {key} of {their} own"


def parse_suite(source: Source) -> Suite:
    """The suite in a source. Raises :class:`UserError` as :func:`load_suite` does."""
    try:
        suite = Suite.model_validate(_as_tuples(source.data))
    except ValidationError as error:
        raise _explained(error, source) from None
    mistakes: list[UserError] = []
    datasets: list[DatasetEntry] = []
    for number, entry in enumerate(suite.datasets):
        with _gathering(mistakes):
            datasets.append(_checked_dataset(entry, source, ("datasets", number), Path(source.name).parent))
    with _gathering(mistakes):
        task = load_task(suite.task, where=source.where(("task",)))
        for number, model in enumerate(suite.models):
            with _gathering(mistakes):
                _check_model(model, task, suite.task, source, ("models", number))
        for number, generator in enumerate(suite.generators):
            with _gathering(mistakes):
                _check_regimes(generator, suite, source, ("generators", number))
                _check_generator(generator, task, suite.task, source, ("generators", number))
    if mistakes:
        raise _all_in_one(mistakes)
    return suite.model_copy(update={"datasets": tuple(datasets)})


def dataset_entry(name: str, options: Sequence[str] = (), *, reader: str = "", where: str = "--data") -> DatasetEntry:
    """A data set by a name or folder, with ``KEY=VALUE`` options, outside of a suite.

    ``reader``: the folder's; empty: it is recognised. ``where``: what the user calls the data set. A folder needs no
    slash here. Raises :class:`UserError`, and for what is both a folder and a reader's name.
    """
    said = {"name": reader, "root": name} if reader else {"name": name}
    plain = Source("--reader" if reader else where, {**said, "options": {}})
    source = overridden(plain, [f"options.{option}" for option in options])
    try:
        entry = DatasetEntry.model_validate(_as_tuples(source.data))
    except ValidationError as error:
        raise _explained(error, source, DatasetEntry) from None
    if not reader and not entry.is_path and Path(name).is_dir():
        refuse_both(name, where)
        entry = entry.model_copy(update={"name": f"./{name}"})
    checked = _checked_dataset(entry, source, (), Path())
    return checked.model_copy(update={"as_": Path(str(checked.root)).name}) if reader else checked


def refuse_both(name: str, where: str) -> None:
    """Raise :class:`UserError` for the name of a folder here, written without a slash, that is a reader's too."""
    if name in installed("readers"):
        hint = f"for the folder write ./{name}; for the reader, go to another folder or rename this one"
        raise UserError(f"{name!r} is a reader's name and a folder here", where=where, hint=hint)


def generator_entry(name: str, settings: Sequence[str]) -> GeneratorEntry:
    """A generator by name with ``options.KEY=VALUE`` and ``budget.KEY=VALUE`` settings, outside of a suite."""
    source = overridden(Source("generator", {"name": name, "options": {}, "budget": {}}), settings)
    try:
        entry = GeneratorEntry.model_validate(_as_tuples(source.data))
    except ValidationError as error:
        raise _explained(error, source, GeneratorEntry) from None
    plugin: type[Generator] = load_plugin("generators", entry.name)
    _check_spread(entry, plugin, source, ())
    _check_options(entry.name, plugin.Options, entry.options, source, ())
    return entry


def _source(reference: str) -> Source:
    if reference in (names := builtin_suites()):
        return parse_yaml(builtin_text(reference), f"{reference}.yaml")
    path = Path(reference)
    if path.suffix not in (".yaml", ".yml") and len(path.parts) < 2:
        raise UserError(f"no suite {reference!r}", hint=f"a YAML file's path or a name; {near_names(reference, names)}")
    return read_yaml(path)


def _as_tuples(value: Any) -> Any:
    """Lists as tuples, which is what the strict schema holds; options stay as they are written."""
    if isinstance(value, dict):
        return {key: item if key == "options" else _as_tuples(item) for key, item in value.items()}
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value


# ----------------------------------------------------------------------------------- explaining


MOST_MISTAKES = 20  # told at once

IN_THE_USERS_WORDS = {
    "tuple_type": "must be a list",
    "too_short": "must have at least one entry",
    "model_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a word",
    "string_pattern_mismatch": "must be small letters, digits, - and _",
}


def _explained(error: ValidationError, source: Source, root: type[BaseModel] | None = None) -> UserError:
    """All that is wrong, the misspelt keys first, and nothing twice.

    A misspelt key is also a missing one, and a list without its wrong entries is also too short.
    """
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    unknown = [fault["loc"] for fault in faults if fault["type"] == "extra_forbidden"]

    def follows(fault: ErrorDetails) -> bool:
        path = fault["loc"]
        if fault["type"] == "missing":
            there = [str(other[-1]) for other in unknown if other[:-1] == path[:-1]]
            return bool(difflib.get_close_matches(str(path[-1]), there))
        inside = [other for other in faults if other["loc"][: len(path)] == path and len(other["loc"]) > len(path)]
        return fault["type"] == "too_short" and bool(inside)

    return _all_in_one([_explained_alone(fault, source, root) for fault in faults if not follows(fault)])


def _all_in_one(mistakes: Sequence[UserError]) -> UserError:
    """The first mistake with the others as its notes: the command line gives each its line."""
    lines = [line for mistake in mistakes for line in (str(mistake), *getattr(mistake, "__notes__", ()))]
    first = type(mistakes[0])(mistakes[0].what, where=mistakes[0].where, hint=mistakes[0].hint)
    for line in lines[1:MOST_MISTAKES]:
        first.add_note(line)
    if len(lines) > MOST_MISTAKES:
        first.add_note(f"and {len(lines) - MOST_MISTAKES} more")
    return first


def _explained_alone(first: ErrorDetails, source: Source, root: type[BaseModel] | None) -> UserError:
    path: KeyPath = tuple(part for part in first["loc"])
    if first["type"] == "extra_forbidden":
        hint = near_names(str(path[-1]), _fields_at(path[:-1], root or Suite))
        if str(path[-1]) in _options_at(path[:-1], source, root):
            hint = f"did you mean options.{path[-1]}?"
        return UserError(f"unknown key {path[-1]!r}", where=source.where(path), hint=hint)
    if first["type"] == "missing":
        return UserError(f"the key {path[-1]!r} is missing", where=source.where(path[:-1]))
    if first["type"] == "value_error":
        return UserError(first["msg"].removeprefix("Value error, "), where=source.where(path))
    words = first["msg"].replace("Input should", "must").replace("String should", "must")
    words = IN_THE_USERS_WORDS.get(first["type"], words)
    if path == ("seeds",) and first["type"] == "tuple_type":
        words = "must be a number of seeds or a list of them"
    if first["type"] == "model_type" and isinstance(path[-1], int):
        words = "must be a name, or a mapping with a name"
    if first["type"] != "too_short":
        words += f", not {'nothing' if first['input'] is None else reprlib.repr(first['input'])}"
    if isinstance(first["input"], bool):
        words += " (YAML reads yes, no, on and off as true and false: quote the word)"
    single = first["type"] == "tuple_type" and isinstance(first["input"], int | float) and path != ("seeds",)
    return UserError(words, where=source.where(path), hint=f"write [{first['input']}]" if single else "")


def _fields_at(path: KeyPath, root: type[BaseModel]) -> list[str]:
    kinds: dict[str, type[BaseModel]] = {
        "datasets": DatasetEntry,
        "models": ModelEntry,
        "generators": GeneratorEntry,
        "real": RealShare,
        "budget": BudgetEntry,
    }
    kind = next((kinds[str(part)] for part in reversed(path) if part in kinds), root)
    return [field.alias or name for name, field in kind.model_fields.items()]


def _options_at(path: KeyPath, source: Source, root: type[BaseModel] | None) -> set[str]:
    """The options of the plugin or model in whose entry this is; none where there is no such thing."""
    entry: Any = source.data
    kind = "generators" if root is GeneratorEntry else path[0] if len(path) == 2 else ""
    options: Any = NoOptions
    try:
        for part in path:
            entry = entry[part]
        if kind == "models":
            options = load_task(source.data["task"]).model_options(entry["name"])
        elif kind == "generators":
            options = load_plugin("generators", entry["name"]).Options
        return {field.name for field in dataclasses.fields(options)}
    except Exception:  # what is wrong with the name, or with a stranger's plugin, is told elsewhere
        return set()


# ------------------------------------------------------------------------------------- plugins


def _checked_dataset(entry: DatasetEntry, source: Source, path: KeyPath, base: Path) -> DatasetEntry:
    """The entry with its folder found from ``base``, where the suite's file stands."""
    where = source.where(path)
    if not entry.is_path:
        if entry.reader not in installed("readers") and (base / entry.name).is_dir():
            raise UserError(f"unknown reader {entry.name!r}", where=where, hint=f"for the folder write ./{entry.name}")
        reader = load_plugin("readers", entry.reader, where=where)
        if entry.argument and "dataset" not in getattr(reader.Options, "__dataclass_fields__", {}):
            raise UserError(f"the reader {entry.reader!r} takes no name after a colon", where=where)
        if entry.name.endswith(":"):
            raise UserError("a name must follow the colon", where=where)
        _check_options(entry.reader, reader.Options, entry.options, source, path)
    elif entry.root is not None:
        raise UserError("the name is a folder already, so `root` has no place here", where=where)
    root = entry.name if entry.is_path else entry.root
    if root is None:
        return entry
    try:
        found = (base / Path(root).expanduser()).resolve()
    except RuntimeError as error:  # a home that nobody has, links that run in a circle
        raise UserError(f"{root!r} cannot be followed: {one_line(error)}", where=where) from None
    return entry.model_copy(update={"root": str(found)})


def _check_model(model: ModelEntry, task: Task, task_name: str, source: Source, path: KeyPath) -> None:
    with asking(f"task {task_name!r}", source.where(path)):
        try:
            options = task.model_options(model.name)
        except UserError as error:
            others = _tasks_that_know(model.name)
            hint = f"it is a model of the task {others[0]}; or {error.hint}" if others else error.hint
            raise type(error)(error.what, hint=hint) from None
    _check_options(model.name, options, model.options, source, path)


def _tasks_that_know(model: str) -> list[str]:
    tasks = {listing.name: listing.plugin for listing in listings("tasks") if listing.plugin is not None}
    found = []
    for name, plugin in tasks.items():
        with suppress(Exception):  # a stranger's task may raise anything
            if any(info.name == model for info in plugin().models()):
                found.append(name)
    return found


def _check_regimes(generator: GeneratorEntry, suite: Suite, source: Source, path: KeyPath) -> None:
    """A generator that no regime uses is a mistake, unless a mix uses it."""
    mixed = {label for entry in suite.generators for label in entry.of or ()}
    if generator.label not in mixed and not any(suite.regimes_of(generator, share) for share in suite.shares):
        what = f"the generator {generator.label!r} needs synthetic, mixed or finetune"
        own = f": its own regimes ({', '.join(generator.regimes)}) are those of no share" if generator.regimes else ""
        raise UserError(f"{what}{own}", where=source.where(path))


def _check_generator(generator: GeneratorEntry, task: Task, task_name: str, source: Source, path: KeyPath) -> None:
    if generator.of:
        return
    plugin = load_plugin("generators", generator.name, where=source.where(path))
    with asking(f"generator {generator.name!r}", source.where(path)):
        makes, needs = sorted(plugin.kinds), task.kind
    if needs not in makes:
        makes_words = ", ".join(makes) or "nothing"
        raise UserError(f"makes {makes_words}, the task {task_name} needs {needs}", where=source.where((*path, "name")))
    if generator.filter and needs is not AnnotationKind.LABEL:
        what = f"a filter asks a classifier for a sample's class, {needs.value} has none"
        raise UserError(what, where=source.where((*path, "filter")))
    _check_spread(generator, plugin, source, path)
    _check_options(generator.name, plugin.Options, generator.options, source, path)
    if plugin.default_budget is None and generator.budget.given():
        raise UserError("this generator has no budget to set", where=source.where((*path, "budget")))


def _check_spread(generator: GeneratorEntry, plugin: type[Generator], source: Source, path: KeyPath) -> None:
    if generator.spread != 1 and not plugin.latent:
        raise UserError(f"{generator.name} has no latent to widen", where=source.where((*path, "spread")))


def _check_options(name: str, cls: type, given: Mapping[str, Any], source: Source, path: KeyPath) -> None:
    mistakes: list[UserError] = []
    left = dict(given)
    while True:
        try:
            make_options(cls, left)
            break
        except UserError as error:
            named = next((key for key in left if f"option {key!r}" in error.what), None)
            place = (*path, "options", named) if named else (*path, "options")
            mistakes.append(UserError(error.what, where=source.where(place), hint=error.hint))
            if named is None:
                break
            left.pop(named)
        except Exception as error:  # a stranger's options may be anything
            what = f"the options of {name!r} cannot be used: {type(error).__name__}: {one_line(error)}"
            raise PluginError(what, where=source.where(path)) from error
    if mistakes:
        raise _all_in_one(mistakes)


@contextmanager
def _gathering(mistakes: list[UserError]) -> Iterator[None]:
    """Go on after a mistake: one look at a suite tells them all."""
    try:
        yield
    except UserError as error:
        mistakes.append(error)
