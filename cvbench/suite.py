"""A suite: the YAML schema, its defaults, its errors. Everything is checked before anything runs."""

from __future__ import annotations

import difflib
import os
import reprlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from cvbench.contracts import Task
from cvbench.errors import PluginError, UserError, near_names
from cvbench.overrides import overridden
from cvbench.plugins import installed, load_plugin, load_task, make_options, one_line
from cvbench.suite_names import builtin_suites, builtin_text
from cvbench.yaml_source import KeyPath, Source, parse_yaml, read_yaml

GeneratorRegime = Literal["synthetic", "mixed", "finetune"]
Regime = Literal["synthetic", "mixed", "finetune", "augment"]
EntriesT = TypeVar("EntriesT", bound=tuple[Any, ...])


def _distinct(values: EntriesT) -> EntriesT:
    """Numbers that the tables would show alike are the same cell twice."""
    shown = Counter(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
    for value, count in shown.items():
        if count > 1:
            raise ValueError(f"{value} is there twice")
    return values


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"must be one line of printable text, not {reprlib.repr(text)}")
    return text


Count = Annotated[int, Field(gt=0, lt=2**31)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Ratios = Annotated[tuple[Annotated[float, Field(gt=0, le=1000)], ...], Field(min_length=1), AfterValidator(_distinct)]
Label = Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_printable)]


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

    name: Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(_printable)]
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
        return self.as_ or (Path(self.name).name if self.is_path else self.argument) or self.name


class ModelEntry(_Entry):
    """A model of the suite's task."""

    budget: BudgetEntry = BudgetEntry()


MIX = "mix"  # the name of an entry that is made of other entries


class GeneratorEntry(_Entry):
    """A generator, with regimes and ratios of its own where it says so, and what is done to its samples.

    ``spread``: the latent's standard deviation, below 1 truncates. ``filter``: the least probability that a
    classifier trained on the cell's real samples gives a sample's own class. ``refresh``: so many synthetic sets,
    one after another, in the place of one. ``of``: for the name ``mix``, the entries whose samples make it up.
    """

    budget: BudgetEntry = BudgetEntry()
    regimes: Annotated[tuple[GeneratorRegime, ...], Field(min_length=1), AfterValidator(_distinct)] | None = None
    ratios: Ratios | None = None
    spread: Annotated[float, Field(gt=0, le=10)] = 1.0
    filter: Annotated[float, Field(gt=0, lt=1)] | None = None
    refresh: Annotated[int, Field(ge=1, le=100)] = 1
    of: Annotated[tuple[Label, ...], Field(min_length=2), AfterValidator(_distinct)] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> GeneratorEntry:
        if (self.name == MIX) != (self.of is not None):
            raise ValueError("`of` lists the generators of a `mix`, and a `mix` needs it")
        given = self.model_fields_set & {"options", "budget", "spread", "filter"}
        if self.of and given:
            raise ValueError(f"a mix has no {sorted(given)[0]}: its generators have their own")
        return self


class RealShare(_Strict):
    """How much of the real train split a cell uses: a fraction of each class, or a number per class.

    ``regimes``, ``ratios``: at this share alone; a generator with regimes of its own takes those of both lists.
    """

    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    per_class: Count | None = None
    regimes: Annotated[tuple[Regime, ...], Field(min_length=1), AfterValidator(_distinct)] | None = None
    ratios: Ratios | None = None

    @model_validator(mode="after")
    def _is_one_number(self) -> RealShare:
        if (self.fraction is None) == (self.per_class is None):
            raise ValueError("give either a fraction or a number per_class")
        return self

    def __str__(self) -> str:
        return f"{self.per_class}/class" if self.per_class else f"{100 * (self.fraction or 0):g}%"


class Suite(_Strict):
    """A grid of cells. The baseline regime ``real`` is always part of it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]
    summary: str = ""
    task: Label
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_distinct)] = (0, 1, 2)
    datasets: Annotated[tuple[DatasetEntry, ...], Field(min_length=1)]
    models: Annotated[tuple[ModelEntry, ...], Field(min_length=1)]
    generators: tuple[GeneratorEntry, ...] = ()
    regimes: Annotated[tuple[Regime, ...], AfterValidator(_distinct)] = ("synthetic", "mixed")
    ratios: Ratios = (1.0,)
    real_fraction: (
        Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(min_length=1), AfterValidator(_distinct)]
        | None
    ) = None
    real_per_class: Annotated[tuple[Count, ...], Field(min_length=1), AfterValidator(_distinct)] | None = None
    real: Annotated[tuple[RealShare, ...], Field(min_length=1), AfterValidator(_distinct)] | None = None
    budget: BudgetEntry = BudgetEntry()
    fidelity: Literal["task", "random", "pixel", "inception", "none"] = "task"
    time_limit: Annotated[float, Field(gt=0)] | None = None

    @field_validator("seeds", mode="before")
    @classmethod
    def _numbered(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            if not 1 <= value <= 10_000:
                raise ValueError(f"a number of seeds must be between 1 and 10000, not {value}")
            return tuple(range(value))
        return value

    @field_validator("datasets", "models", "generators")
    @classmethod
    def _labelled_apart(cls, entries: EntriesT) -> EntriesT:
        for label, count in Counter(entry.label for entry in entries).items():
            if count > 1:
                raise ValueError(f"two entries are called {label!r}; give one another name with `as:`")
        return entries

    @field_validator("regimes")
    @classmethod
    def _use_the_generators(cls, regimes: tuple[Regime, ...], info: ValidationInfo) -> tuple[Regime, ...]:
        idle = [generator.label for generator in info.data.get("generators", ()) if not generator.regimes]
        if idle and not set(regimes) - {"augment"}:
            raise ValueError(f"the generator {idle[0]!r} needs synthetic, mixed or finetune")
        return regimes

    @field_validator("real_per_class", "real")
    @classmethod
    def _one_way_of_saying_it(cls, said: EntriesT | None, info: ValidationInfo) -> EntriesT | None:
        other = next((key for key in ("real_fraction", "real_per_class") if info.data.get(key)), None)
        if said and other:
            raise ValueError(f"{other} and {info.field_name} exclude each other")
        return said

    @model_validator(mode="after")
    def _spans_something(self) -> Suite:
        if not self.generators and "augment" not in self.regimes:
            raise ValueError("an empty grid: no generators and no regime `augment`, so nothing to compare")
        return self

    @model_validator(mode="after")
    def _mixes_what_is_there(self) -> Suite:
        plain = {entry.label for entry in self.generators if not entry.of}
        for entry in self.generators:
            for label in entry.of or ():
                if label not in plain:
                    raise ValueError(f"the mix {entry.label!r} names {label!r}, which is no generator of this suite")
        return self

    def generator(self, label: str) -> GeneratorEntry:
        """The entry of that label."""
        return next(entry for entry in self.generators if entry.label == label)

    @property
    def shares(self) -> tuple[RealShare, ...]:
        """The shares of real data, in the suite's order."""
        if self.real:
            return self.real
        if self.real_per_class:
            return tuple(RealShare(per_class=count) for count in self.real_per_class)
        return tuple(RealShare(fraction=fraction) for fraction in self.real_fraction or (1.0,))

    def augments(self, share: RealShare) -> bool:
        """Whether the regime ``augment`` is asked for at this share."""
        return "augment" in (share.regimes or self.regimes)

    def regimes_of(self, generator: GeneratorEntry, share: RealShare) -> tuple[str, ...]:
        """The regimes that a generator's samples are used in at a share of the real data."""
        wanted = share.regimes or generator.regimes or self.regimes
        return tuple(r for r in wanted if r != "augment" and (generator.regimes is None or r in generator.regimes))

    def ratios_of(self, generator: GeneratorEntry, share: RealShare) -> tuple[float, ...]:
        """Synthetic samples per real one."""
        return generator.ratios or share.ratios or self.ratios

    def canonical(self) -> dict[str, Any]:
        """Plain data: what was asked, with defaults filled in."""
        return self.model_dump(mode="json", by_alias=True)


# ---------------------------------------------------------------------------------------- loading


def load_suite(reference: str, overrides: Sequence[str] = ()) -> Suite:
    """A suite file, or a built-in suite by name, with ``key=value`` overrides put in.

    Raises :class:`UserError` naming file, line and key for whatever is wrong with it, its plugins' names and
    options included.
    """
    return parse_suite(overridden(_source(reference), overrides))


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
                _check_generator(generator, task, suite.task, source, ("generators", number))
    if mistakes:
        raise _all_in_one(mistakes)
    return suite.model_copy(update={"datasets": tuple(datasets)})


def dataset_entry(name: str, options: Sequence[str] = ()) -> DatasetEntry:
    """A data set by a name or folder, with ``KEY=VALUE`` options, outside of a suite. Raises :class:`UserError`."""
    plain = Source("--data", {"name": name, "options": {}})
    source = overridden(plain, [f"options.{option}" for option in options])
    try:
        entry = DatasetEntry.model_validate(_as_tuples(source.data))
    except ValidationError as error:
        raise _explained(error, source, DatasetEntry) from None
    return _checked_dataset(entry, source, (), Path())


def generator_entry(name: str, settings: Sequence[str]) -> GeneratorEntry:
    """A generator by name with ``options.KEY=VALUE`` and ``budget.KEY=VALUE`` settings, outside of a suite."""
    source = overridden(Source("generator", {"name": name, "options": {}, "budget": {}}), settings)
    try:
        entry = GeneratorEntry.model_validate(_as_tuples(source.data))
    except ValidationError as error:
        raise _explained(error, source, GeneratorEntry) from None
    plugin = load_plugin("generators", entry.name)
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
        "budget": BudgetEntry,
    }
    kind = next((kinds[str(part)] for part in reversed(path) if part in kinds), root)
    return [field.alias or name for name, field in kind.model_fields.items()]


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
    with _blaming(f"task {task_name!r}", source.where(path)):
        options = task.model_options(model.name)
    _check_options(model.name, options, model.options, source, path)


def _check_generator(generator: GeneratorEntry, task: Task, task_name: str, source: Source, path: KeyPath) -> None:
    if generator.of:
        return
    plugin = load_plugin("generators", generator.name, where=source.where(path))
    with _blaming(f"generator {generator.name!r}", source.where(path)):
        makes, needs = sorted(plugin.kinds), task.kind
    if needs not in makes:
        makes_words = ", ".join(makes) or "nothing"
        raise UserError(f"makes {makes_words}, the task {task_name} needs {needs}", where=source.where((*path, "name")))
    _check_options(generator.name, plugin.Options, generator.options, source, path)
    if plugin.default_budget is None and generator.budget.given():
        raise UserError("this generator has no budget to set", where=source.where((*path, "budget")))


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


@contextmanager
def _blaming(plugin: str, where: str) -> Iterator[None]:
    """What a plugin raises while it is asked about itself is told at the key that named it."""
    try:
        yield
    except UserError as error:
        raise type(error)(error.what, where=where, hint=error.hint) from None
    except Exception as error:  # a stranger's code may raise anything
        raise PluginError(f"{plugin} raised {type(error).__name__}: {one_line(error)}", where=where) from error
