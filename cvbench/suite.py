"""A suite: the YAML schema, its defaults, its errors. Everything is checked before anything runs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from cvbench.errors import UserError, near_names
from cvbench.plugins import load_plugin, load_task, make_options
from cvbench.suite_names import builtin_suites, builtin_text
from cvbench.yaml_source import KeyPath, Source, parse_value, parse_yaml, read_yaml

GeneratorRegime = Literal["synthetic", "mixed", "finetune"]
Regime = Literal["synthetic", "mixed", "finetune", "augment"]
Ratio = Annotated[float, Field(gt=0, le=1000)]
Count = Annotated[int, Field(gt=0)]
Label = Annotated[str, Field(min_length=1, max_length=80)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class BudgetEntry(_Strict):
    """What a suite says of a budget; what it leaves out is the task's or generator's default."""

    steps: Count | None = None
    batch_size: Count | None = None
    precision: Literal["auto", "fp32", "bf16", "fp16"] | None = None

    def given(self) -> dict[str, Any]:
        """What was said."""
        return self.model_dump(exclude_none=True)


class _Entry(_Strict):
    """A thing named in a suite: ``name``, or a mapping with ``name``, ``as`` and options."""

    name: Label
    as_: Label | None = Field(None, alias="as")
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def label(self) -> str:
        """What the tables call it."""
        return self.as_ or self.name


class DatasetEntry(_Entry):
    """A data set: a reader's name, ``torchvision:NAME``, or a folder (a path with a slash or a leading dot)."""

    root: str | None = None
    val_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @property
    def is_path(self) -> bool:
        """Whether the name is a folder rather than a reader."""
        return os.sep in self.name or "/" in self.name or self.name.startswith((".", "~"))

    @property
    def reader(self) -> str:
        """The reader's entry-point name; empty when the folder's format is to be recognised."""
        return "" if self.is_path else self.name.partition(":")[0]

    @property
    def argument(self) -> str:
        """What follows the colon in ``torchvision:CIFAR10``."""
        return "" if self.is_path else self.name.partition(":")[2]

    @property
    def label(self) -> str:
        return self.as_ or (Path(self.name).name if self.is_path else self.argument or self.name)


class ModelEntry(_Entry):
    """A model of the suite's task."""

    budget: BudgetEntry = BudgetEntry()


class GeneratorEntry(_Entry):
    """A generator, with regimes and ratios of its own where it says so."""

    budget: BudgetEntry = BudgetEntry()
    regimes: Annotated[tuple[GeneratorRegime, ...], Field(min_length=1)] | None = None
    ratios: Annotated[tuple[Ratio, ...], Field(min_length=1)] | None = None


class RealShare(_Strict):
    """How much of the real train split a cell uses: a fraction of each class, or a number per class."""

    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    per_class: Count | None = None

    def __str__(self) -> str:
        return f"{self.per_class}/class" if self.per_class else f"{100 * (self.fraction or 0):g}%"


class Suite(_Strict):
    """A grid of cells. The baseline regime ``real`` is always part of it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]
    summary: str = ""
    task: Label
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0, 1, 2)
    datasets: Annotated[tuple[DatasetEntry, ...], Field(min_length=1)]
    models: Annotated[tuple[ModelEntry, ...], Field(min_length=1)]
    generators: tuple[GeneratorEntry, ...] = ()
    regimes: tuple[Regime, ...] = ("synthetic", "mixed")
    ratios: Annotated[tuple[Ratio, ...], Field(min_length=1)] = (1.0,)
    real_fraction: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1)] | None = None
    real_per_class: Annotated[tuple[Count, ...], Field(min_length=1)] | None = None
    budget: BudgetEntry = BudgetEntry()
    time_limit: Annotated[float, Field(gt=0)] | None = None

    @field_validator("seeds", mode="before")
    @classmethod
    def _numbered(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            if not 1 <= value <= 10_000:
                raise ValueError(f"a number of seeds must be between 1 and 10000, not {value}")
            return tuple(range(value))
        return value

    @field_validator("seeds", "real_fraction", "real_per_class", "ratios", "regimes")
    @classmethod
    def _distinct(cls, value: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
        twice = [item for item, count in Counter(value or ()).items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is there twice")
        return value

    @model_validator(mode="after")
    def _spans_something(self) -> Suite:
        if not self.seeds:
            raise ValueError("seeds: at least one is needed")
        if self.real_fraction and self.real_per_class:
            raise ValueError("real_fraction and real_per_class exclude each other")
        for kind, entries in (("datasets", self.datasets), ("models", self.models), ("generators", self.generators)):
            labels = Counter(entry.label for entry in entries)
            for label, count in labels.items():
                if count > 1:
                    raise ValueError(f"{kind}: two entries are called {label!r}; give one another name with `as:`")
        if any(not self.regimes_of(generator) for generator in self.generators):
            raise ValueError("regimes: the generators need synthetic, mixed or finetune")
        if not self.generators and "augment" not in self.regimes:
            raise ValueError("an empty grid: no generators and no regime `augment`, so nothing to compare")
        return self

    @property
    def real(self) -> tuple[RealShare, ...]:
        """The shares of real data, in the suite's order."""
        if self.real_per_class:
            return tuple(RealShare(per_class=count) for count in self.real_per_class)
        return tuple(RealShare(fraction=fraction) for fraction in self.real_fraction or (1.0,))

    def regimes_of(self, generator: GeneratorEntry) -> tuple[str, ...]:
        """The regimes that a generator's samples are used in."""
        return generator.regimes or tuple(regime for regime in self.regimes if regime != "augment")

    def ratios_of(self, generator: GeneratorEntry) -> tuple[float, ...]:
        """Synthetic samples per real one."""
        return generator.ratios or self.ratios

    def canonical(self) -> dict[str, Any]:
        """Plain data: what was asked, with defaults filled in."""
        return self.model_dump(mode="json", by_alias=True)


# ---------------------------------------------------------------------------------------- loading


def load_suite(reference: str, overrides: Sequence[str] = ()) -> Suite:
    """A suite file, or a built-in suite by name, with ``key=value`` overrides put in.

    Raises :class:`UserError` naming file, line and key for whatever is wrong with it, its plugins' names and
    options included.
    """
    source = _source(reference)
    data, lines = source.data, dict(source.lines)
    for override in overrides:
        key = _override(data, override)
        for path in [path for path in lines if path[: len(key)] == key]:
            del lines[path]
    return parse_suite(Source(source.name, data, lines))


def parse_suite(source: Source) -> Suite:
    """The suite in a source. Raises :class:`UserError` as :func:`load_suite` does."""
    try:
        suite = Suite.model_validate(_as_tuples(source.data))
    except ValidationError as error:
        raise _explained(error, source) from None
    base = Path(source.name).parent
    for number, entry in enumerate(suite.datasets):
        _check_dataset(entry, source, ("datasets", number))
    suite = suite.model_copy(update={"datasets": tuple(_resolved(entry, base) for entry in suite.datasets)})
    _check_plugins(suite, source)
    return suite


def dataset_entry(name: str) -> DatasetEntry:
    """A data set by a name or folder, outside of a suite. Raises :class:`UserError`."""
    entry = DatasetEntry.model_validate(name)
    _check_dataset(entry, Source("--data", {}), ())
    return _resolved(entry, Path())


def generator_entry(name: str, settings: Sequence[str]) -> GeneratorEntry:
    """A generator by name with ``options.KEY=VALUE`` and ``budget.KEY=VALUE`` settings, outside of a suite."""
    data: dict[str, Any] = {"name": name, "options": {}, "budget": {}}
    for setting in settings:
        _override(data, setting)
    source = Source("--set", data)
    try:
        entry = GeneratorEntry.model_validate(_as_tuples(data))
    except ValidationError as error:
        raise _explained(error, source, GeneratorEntry) from None
    plugin = load_plugin("generators", entry.name)
    _check_options(plugin.Options, entry.options, source, ())
    return entry


def _source(reference: str) -> Source:
    if reference in (names := builtin_suites()):
        return parse_yaml(builtin_text(reference), f"{reference}.yaml")
    path = Path(reference)
    if path.suffix not in (".yaml", ".yml") and not path.exists():
        raise UserError(f"no suite {reference!r}", hint=f"a YAML file's path or a name; {near_names(reference, names)}")
    if not path.exists():
        raise UserError("there is no such file", where=reference)
    return read_yaml(path)


def _resolved(entry: DatasetEntry, base: Path) -> DatasetEntry:
    """Folders are meant from where the suite's file stands."""
    root = entry.name if entry.is_path else entry.root
    if root is None:
        return entry
    return entry.model_copy(update={"root": str((base / Path(root).expanduser()).resolve())})


def _override(data: dict[str, Any], text: str) -> KeyPath:
    key, equals, value = text.partition("=")
    where = f"--set {text}"
    if not equals or not key:
        raise UserError("must be KEY=VALUE", where=where)
    path: list[str | int] = []
    place: Any = data
    *parents, last = key.split(".")
    for part in parents:
        step = _step(place, part, where)
        if isinstance(place, dict) and step not in place:
            place[step] = {}
        if isinstance(place[step], str):
            place[step] = {"name": place[step]}
        place = place[step]
        path.append(step)
    step = _step(place, last, where)
    place[step] = parse_value(value, where)
    return (*path, step)


def _step(place: Any, part: str, where: str) -> Any:
    """A key of a mapping; a place in a list, by number or by an entry's label."""
    if isinstance(place, dict):
        return part
    if not isinstance(place, list):
        raise UserError(f"{part!r} is inside something that is neither a mapping nor a list", where=where)
    labels = [e.get("as", e.get("name")) if isinstance(e, dict) else str(e) for e in place]
    if part in labels:
        return labels.index(part)
    if part.isdigit() and int(part) < len(place):
        return int(part)
    raise UserError(f"there is no entry {part!r}", where=where, hint=near_names(part, map(str, labels)))


def _as_tuples(value: Any) -> Any:
    """Lists as tuples, which is what the strict schema holds; options stay as they are written."""
    if isinstance(value, dict):
        return {key: item if key == "options" else _as_tuples(item) for key, item in value.items()}
    return tuple(_as_tuples(item) for item in value) if isinstance(value, list) else value


# ----------------------------------------------------------------------------------- explaining


def _explained(error: ValidationError, source: Source, root: type[BaseModel] | None = None) -> UserError:
    # a misspelt key is also a missing one: say the misspelling
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    path: KeyPath = tuple(part for part in first["loc"])
    if first["type"] == "extra_forbidden":
        hint = near_names(str(path[-1]), _fields_at(path[:-1], root or Suite))
        return UserError(f"unknown key {path[-1]!r}", where=source.where(path), hint=hint)
    words = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return UserError(f"the key {path[-1]!r} is missing", where=source.where(path[:-1]))
    if first["type"] != "value_error":
        words = f"{words[0].lower()}{words[1:]}, not {first['input']!r}"
        if isinstance(first["input"], bool):
            words += " (YAML reads yes, no, on and off as true and false: quote the word)"
    return UserError(words, where=source.where(path))


def _fields_at(path: KeyPath, root: type[BaseModel]) -> list[str]:
    kinds: dict[str, type[BaseModel]] = {
        "datasets": DatasetEntry,
        "models": ModelEntry,
        "generators": GeneratorEntry,
        "budget": BudgetEntry,
    }
    kind = next((kinds[str(part)] for part in reversed(path) if part in kinds), root)
    return [field.alias or name for name, field in kind.model_fields.items()]


def _check_dataset(entry: DatasetEntry, source: Source, path: KeyPath) -> None:
    if not entry.is_path:
        reader = load_plugin("readers", entry.reader, where=source.where(path))
        _check_options(reader.Options, entry.options, source, path)


def _check_plugins(suite: Suite, source: Source) -> None:
    task = load_task(suite.task, where=source.where(("task",)))
    for number, model in enumerate(suite.models):
        path: KeyPath = ("models", number)
        try:
            options = task.model_options(model.name)
        except UserError as error:
            raise UserError(error.what, where=source.where(path), hint=error.hint) from None
        _check_options(options, model.options, source, path)
    for number, generator in enumerate(suite.generators):
        path = ("generators", number)
        plugin = load_plugin("generators", generator.name, where=source.where(path))
        _check_options(plugin.Options, generator.options, source, path)
        if task.kind not in plugin.kinds:
            makes = ", ".join(sorted(plugin.kinds))
            raise UserError(
                f"makes {makes}, the task {suite.task} needs {task.kind}", where=source.where((*path, "name"))
            )
        if plugin.default_budget is None and generator.budget.given():
            raise UserError("this generator has no budget to set", where=source.where((*path, "budget")))


def _check_options(cls: type, given: Mapping[str, Any], source: Source, path: KeyPath) -> None:
    try:
        make_options(cls, given)
    except UserError as error:
        named = next((key for key in given if f"option {key!r}" in error.what), None)
        place = (*path, "options", named) if named else (*path, "options")
        raise UserError(error.what, where=source.where(place), hint=error.hint) from None
