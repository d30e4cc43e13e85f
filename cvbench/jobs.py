"""The steps of a plan as plain descriptions: what a worker is sent, what a content key is made of.

fit → sample → cell (train, then evaluate); beside it, sample → judge. A description says everything that the
result depends on and nothing else: no path, no order of a list, no number of workers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from cvbench.contracts import Budget
from cvbench.fidelity import PROBE_VERSION
from cvbench.samples import AnnotationKind
from cvbench.store import content_key

JUDGE_SEED = 0
JUDGE_VERSION = 1  # raise it when the same sets get other fidelity numbers
FILTER_VERSION = 2  # raise it when a filter keeps other samples


@dataclass(frozen=True)
class PluginRef:
    """A plugin with its options, defaults filled in. ``implementation`` is ``module:Class`` and version.

    ``reads``: a path that the options name → the fingerprint of what lies there.
    """

    name: str
    implementation: str
    options: Mapping[str, Any]
    reads: Mapping[str, str] = field(default_factory=dict)

    def description(self) -> dict[str, Any]:
        """For content keys: a path counts by what lies there, not by where it is."""
        options = _with_contents(dict(self.options), self.reads)
        said = {"name": self.name, "implementation": self.implementation, "options": options}
        return said | ({"reads": sorted(self.reads.values())} if self.reads else {})


@dataclass(frozen=True)
class DataRef:
    """Where a data set is opened and as which kind, its (H, W, C), and its content's fingerprints: only they enter a
    key.

    ``train_fingerprint`` is of the train split alone: what is fitted or drawn from it depends on no test picture.
    """

    label: str
    reader: str
    argument: str
    root: str | None
    options: Mapping[str, Any]
    val_fraction: float
    kind: AnnotationKind | None = None
    picture: tuple[int, int, int] = (0, 0, 0)
    fingerprint: str = ""
    train_fingerprint: str = ""


@dataclass(frozen=True)
class RealPart:
    """The real training samples that a cell may use: a stratified share, drawn from ``seed``."""

    data: DataRef
    fraction: float | None
    per_class: int | None
    seed: int
    samples: int | None = None

    def description(self) -> dict[str, Any]:
        """For content keys."""
        said = {
            "train": self.data.train_fingerprint,
            "fraction": self.fraction,
            "per_class": self.per_class,
            "seed": self.seed,
        }
        return said | ({"samples": self.samples} if self.samples else {})


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
            "generator": self.generator.description(),
            "budget": asdict(self.budget) if self.budget else None,
            "part": self.part.description(),
            "seed": self.seed,
            "engine": self.engine,
            "reads": sorted(self.generator.reads.values()),
        }

    @cached_property
    def key(self) -> str:
        """The content key of the fitted sampler."""
        return content_key("fit", self.description())


@dataclass(frozen=True)
class ProbeJob:
    """Train the probe on the real part: the harness's own classifier, never a contestant."""

    part: RealPart
    seed: int
    engine: str

    def description(self) -> dict[str, Any]:
        """For content keys."""
        part = self.part.description()
        return {"version": PROBE_VERSION, "part": part, "seed": self.seed, "engine": self.engine}

    @cached_property
    def key(self) -> str:
        """The content key of the trained probe."""
        return content_key("probe", self.description())


@dataclass(frozen=True)
class Filter:
    """Keep the samples whose own class has at least this probability by a probe that saw what the generator saw."""

    confidence: float
    seed: int


@dataclass(frozen=True)
class SampleJob:
    """Draw ``count`` samples, in the train split's class proportions, from a fitted generator."""

    fit: FitJob
    count: int
    seed: int
    spread: float = 1.0
    filter: Filter | None = None

    @property
    def probe(self) -> ProbeJob | None:
        """The filter's probe."""
        return ProbeJob(self.fit.part, self.filter.seed, self.fit.engine) if self.filter else None

    def description(self) -> dict[str, Any]:
        """For content keys. All of the data is in it: test pictures among the samples are counted."""
        return {
            "fit": self.fit.key,
            "data": self.fit.part.data.fingerprint,
            "count": self.count,
            "seed": self.seed,
            "spread": self.spread,
            "filter": asdict(self.filter) | {"version": FILTER_VERSION} if self.filter else None,
        } | ({"probe": self.probe.key} if self.probe else {})

    @cached_property
    def key(self) -> str:
        """The content key of the synthetic set."""
        return content_key("sample", self.description())


@dataclass(frozen=True)
class MixJob:
    """One synthetic set out of several generators' samples, in the order of their keys, whoever named them first."""

    parts: tuple[SampleJob, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(sorted(self.parts, key=lambda part: part.key)))

    @property
    def count(self) -> int:
        """Samples in all."""
        return sum(part.count for part in self.parts)

    def description(self) -> dict[str, Any]:
        """For content keys."""
        return {"parts": [part.key for part in self.parts]}

    @cached_property
    def key(self) -> str:
        """The content key of the synthetic set."""
        return content_key("mix", self.description())


SetJob = SampleJob | MixJob  # what makes a synthetic set


@dataclass(frozen=True)
class JudgeJob:
    """Set a synthetic set's fidelity against the real test split, through a feature extractor.

    ``part`` is the real data that the generator saw: memorization is looked for there. ``most``: pictures compared,
    the same for all generators of a share, because the Fréchet distance depends on their number.
    """

    synthetic: SetJob
    part: RealPart
    extractor: str
    most: int
    seed: int
    engine: str

    @property
    def probe(self) -> ProbeJob | None:
        """One for all: it has seen the whole train split, for it judges and does not compete. None for scenes."""
        if self.part.data.kind not in (None, AnnotationKind.LABEL):
            return None
        return ProbeJob(replace(self.part, fraction=1.0, per_class=None, samples=None, seed=0), JUDGE_SEED, self.engine)

    def description(self) -> dict[str, Any]:
        """For content keys."""
        return {
            "version": JUDGE_VERSION,
            "synthetic": self.synthetic.key,
            "data": self.part.data.fingerprint,
            "part": self.part.description(),
            "probe": self.probe.key if self.probe else None,
            "extractor": self.extractor,
            "most": self.most,
            "seed": self.seed,
        }

    @cached_property
    def key(self) -> str:
        """The content key of the fidelity."""
        return content_key("fidelity", self.description())


@dataclass(frozen=True)
class CellJob:
    """Train a model in one regime and score it on the real test split.

    ``learnt``: the part of the model that its training depends on; None when it learns nothing.
    """

    task: PluginRef
    model: PluginRef
    learnt: PluginRef | None
    budget: Budget
    part: RealPart
    regime: str
    synthetic: SetJob | None
    weights_seed: int
    order_seed: int
    engine: str
    refresh: int = 1
    real_share: float | None = None

    def description(self) -> dict[str, Any]:
        """For the trained model's content key: the task's version counts for the scores alone."""
        always = {
            "task": self.task.name,
            "data": self.part.data.fingerprint,
            "model": (self.learnt or self.model).description(),
            "weights_seed": self.weights_seed,
            "engine": self.engine,
        }
        if self.learnt is None:
            return always
        said = always | {
            "budget": asdict(self.budget),
            "part": self.part.description(),
            "regime": self.regime,
            "synthetic": self.synthetic.key if self.synthetic else None,
            "order_seed": self.order_seed,
            "refresh": self.refresh,
        }
        return said | ({"real_share": self.real_share} if self.real_share else {})

    @cached_property
    def model_key(self) -> str:
        """The content key of the trained model."""
        return content_key("model", self.description())

    @cached_property
    def key(self) -> str:
        """The content key of the scores: the last thing that a cell makes."""
        said = {"model": self.model_key, "task": self.task.description()}
        around = self.learnt is not None and self.learnt != self.model  # what is scored is more than what was trained
        return content_key("scores", said | ({"around": self.model.description()} if around else {}))


def _with_contents(options: Any, reads: Mapping[str, str]) -> Any:
    """The options with fingerprints in the place of the paths."""
    if isinstance(options, Mapping):
        return {name: _with_contents(value, reads) for name, value in options.items()}
    return reads.get(str(Path(options)), options) if isinstance(options, str) else options


Job = FitJob | ProbeJob | SampleJob | MixJob | JudgeJob | CellJob

# artefact in the store, and the phase that the job begins with
_KINDS: dict[type, tuple[str, str]] = {
    FitJob: ("sampler", "fit"),
    ProbeJob: ("probe", "probe"),
    SampleJob: ("synthetic", "sample"),
    MixJob: ("synthetic", "sample"),
    JudgeJob: ("fidelity", "judge"),
    CellJob: ("scores", "train"),
}


def artefact_kind(job: Job) -> str:
    """The store's name for what the job makes."""
    return _KINDS[type(job)][0]


def first_phase(job: Job) -> str:
    """The phase that a job begins with: fit, probe, sample, judge or train."""
    return _KINDS[type(job)][1]


def needs(job: Job) -> tuple[Job, ...]:
    """The jobs whose artefacts this one reads."""
    if isinstance(job, SampleJob):
        return (job.fit, job.probe) if job.probe else (job.fit,)
    if isinstance(job, MixJob):
        return job.parts
    if isinstance(job, JudgeJob):
        return (job.synthetic, job.probe) if job.probe else (job.synthetic,)
    return (job.synthetic,) if isinstance(job, CellJob) and job.synthetic else ()


def closure(jobs: Iterable[Job]) -> dict[str, Job]:
    """Key → job, of these jobs and all that they need, what is needed before what needs it."""
    found: dict[str, Job] = {}
    for job in jobs:
        if job.key not in found:
            found |= closure(needs(job)) | {job.key: job}
    return found


def parts_of(made: SetJob) -> tuple[SampleJob, ...]:
    """The samples that a synthetic set is put together from."""
    return made.parts if isinstance(made, MixJob) else (made,)


def fits_of(made: SetJob) -> tuple[FitJob, ...]:
    """The fits behind a synthetic set."""
    return tuple(part.fit for part in parts_of(made))
