"""The steps of a plan as plain descriptions: what a worker is sent, what a content key is made of.

fit → sample → cell (train, then evaluate). A description says everything that the result depends on and
nothing else: no path, no order of a list, no number of workers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from cvbench.contracts import Budget
from cvbench.store import content_key


@dataclass(frozen=True)
class PluginRef:
    """A plugin with its options, defaults filled in. ``implementation`` is ``module:Class`` and version."""

    name: str
    implementation: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class DataRef:
    """Where a data set is opened, its (H, W, C), and its content's fingerprint: only that enters a key."""

    label: str
    reader: str
    argument: str
    root: str | None
    options: Mapping[str, Any]
    val_fraction: float
    picture: tuple[int, int, int] = (0, 0, 0)
    fingerprint: str = ""


@dataclass(frozen=True)
class RealPart:
    """The real training samples that a cell may use: a stratified share, drawn from ``seed``."""

    data: DataRef
    fraction: float | None
    per_class: int | None
    seed: int

    def description(self) -> dict[str, Any]:
        """For content keys."""
        return {
            "data": self.data.fingerprint,
            "fraction": self.fraction,
            "per_class": self.per_class,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class FitJob:
    """Fit a generator on the real part (or, for the oracle, on what the part holds back)."""

    generator: PluginRef
    budget: Budget | None
    part: RealPart
    seed: int
    engine: str

    def description(self) -> dict[str, Any]:
        """For content keys."""
        return {
            "generator": asdict(self.generator),
            "budget": asdict(self.budget) if self.budget else None,
            "part": self.part.description(),
            "seed": self.seed,
            "engine": self.engine,
        }

    @cached_property
    def key(self) -> str:
        """The content key of the fitted sampler."""
        return content_key("fit", self.description())


@dataclass(frozen=True)
class SampleJob:
    """Draw ``count`` samples, in the train split's class proportions, from a fitted generator."""

    fit: FitJob
    count: int
    seed: int

    def description(self) -> dict[str, Any]:
        """For content keys."""
        return {"fit": self.fit.key, "count": self.count, "seed": self.seed}

    @cached_property
    def key(self) -> str:
        """The content key of the synthetic set."""
        return content_key("sample", self.description())


@dataclass(frozen=True)
class CellJob:
    """Train a model in one regime and score it on the real test split."""

    task: PluginRef
    model: PluginRef
    budget: Budget
    part: RealPart
    regime: str
    synthetic: SampleJob | None
    weights_seed: int
    order_seed: int
    engine: str

    def description(self) -> dict[str, Any]:
        """For content keys."""
        return {
            "task": asdict(self.task),
            "model": asdict(self.model),
            "budget": asdict(self.budget),
            "part": self.part.description(),
            "regime": self.regime,
            "synthetic": self.synthetic.key if self.synthetic else None,
            "weights_seed": self.weights_seed,
            "order_seed": self.order_seed,
            "engine": self.engine,
        }

    @cached_property
    def model_key(self) -> str:
        """The content key of the trained model."""
        return content_key("model", self.description())

    @cached_property
    def key(self) -> str:
        """The content key of the scores: the last thing that a cell makes."""
        return content_key("scores", {"model": self.model_key})


Job = FitJob | SampleJob | CellJob
ARTEFACT_KIND: dict[type, str] = {FitJob: "sampler", SampleJob: "synthetic", CellJob: "scores"}


def first_phase(job: Job) -> str:
    """The phase that a job begins with: fit, sample or train."""
    return "fit" if isinstance(job, FitJob) else "sample" if isinstance(job, SampleJob) else "train"


def artefact_kind(job: Job) -> str:
    """The store's name for what the job makes."""
    return ARTEFACT_KIND[type(job)]


def needs(job: Job) -> Job | None:
    """The job whose artefact this one reads, if any."""
    if isinstance(job, SampleJob):
        return job.fit
    return job.synthetic if isinstance(job, CellJob) else None
