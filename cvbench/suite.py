"""A suite: the schema and its defaults. Everything is checked before anything runs."""

from __future__ import annotations

import os
import reprlib
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

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
NOT_OF_A_MIX = frozenset({"options", "budget", "spread", "filter"})


class GeneratorEntry(_Entry):
    """A generator, with regimes and ratios of its own where it says so, and what is done to its samples.

    ``spread``: the latent's standard deviation, below 1 truncates. ``filter``: the least probability that a
    classifier trained on the cell's real samples gives a sample's own class. ``refresh``: so many synthetic sets,
    one after another, in the place of one. ``real_share``: of real samples in a mixed batch, on average; else as many
    as there are. ``of``: for the name ``mix``, the entries whose samples make it up.
    """

    budget: BudgetEntry = BudgetEntry()
    regimes: Annotated[tuple[GeneratorRegime, ...], Field(min_length=1), AfterValidator(_distinct)] | None = None
    ratios: Ratios | None = None
    spread: Annotated[float, Field(gt=0, le=10)] = 1.0
    filter: Annotated[float, Field(gt=0, lt=1)] | None = None
    refresh: Annotated[int, Field(ge=1, le=100)] = 1
    real_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    of: Annotated[tuple[Label, ...], Field(min_length=2), AfterValidator(_distinct)] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> GeneratorEntry:
        if (self.name == MIX) != (self.of is not None):
            raise ValueError("`of` lists the generators of a `mix`, and a `mix` needs it")
        given = self.model_fields_set & NOT_OF_A_MIX
        if self.of and given:
            raise ValueError(f"a mix has no {sorted(given)[0]}: its generators have their own")
        return self


class RealShare(_Strict):
    """How much of the real train split a cell uses: a fraction of it, a number per class, or a number of samples.

    ``regimes``, ``ratios``: at this share alone; a generator with regimes of its own takes those of both lists.
    """

    fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    per_class: Count | None = None
    samples: Count | None = None
    regimes: Annotated[tuple[Regime, ...], Field(min_length=1), AfterValidator(_distinct)] | None = None
    ratios: Ratios | None = None

    @model_validator(mode="after")
    def _is_one_number(self) -> RealShare:
        if [self.fraction, self.per_class, self.samples].count(None) != 2:
            raise ValueError("give either a fraction, a number per_class, or a number of samples")
        return self

    def __str__(self) -> str:
        if self.samples:
            return f"{self.samples} samples"
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

    @field_validator("real_per_class", "real")
    @classmethod
    def _one_way_of_saying_it(cls, said: EntriesT | None, info: ValidationInfo) -> EntriesT | None:
        other = next((key for key in ("real_fraction", "real_per_class") if info.data.get(key)), None)
        if said and other:
            raise ValueError(f"{other} and {info.field_name} exclude each other")
        return said

    @model_validator(mode="after")
    def _spans_something(self) -> Suite:
        if not self.generators and not any(map(self.augments, self.shares)) and len(self.models) < 2:
            what = "an empty grid: no generators, no regime `augment` and one model: nothing to compare"
            raise ValueError(f"{what}. Add a generator, or regimes: [augment]")
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
