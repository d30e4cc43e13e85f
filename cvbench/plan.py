"""From a suite to its work: cells, and the jobs behind them with everything shared done once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from cvbench.clips import Clips
from cvbench.contracts import Budget, Generator, Task
from cvbench.engine import engine_name
from cvbench.errors import NotApplicable, UserError
from cvbench.executors.together import check_batch
from cvbench.fidelity import fewest_compared
from cvbench.jobs import (
    CellJob,
    DataRef,
    Filter,
    FitJob,
    Job,
    JudgeJob,
    MixJob,
    PluginRef,
    ProbeJob,
    RealPart,
    SampleJob,
    SetJob,
    artefact_kind,
    closure,
)
from cvbench.ledger import FIDELITY, Coordinates
from cvbench.plugins import asking, load_plugin, load_task, make_options, make_plugin, options_json
from cvbench.readers import recognise
from cvbench.real_data import OpenedData, open_data
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, proportional_counts
from cvbench.seeds import derive_seed
from cvbench.store import Store, content_fingerprint, content_key
from cvbench.suite import BudgetEntry, DatasetEntry, GeneratorEntry, ModelEntry, RealShare, Suite

MOST_COMPARED = 10_000  # synthetic pictures that fidelity looks at: the distances between all pairs are taken


@dataclass(frozen=True)
class PlannedCell:
    """One cell of the grid. ``expected``: what a control must show here. ``skip`` says why it is not run."""

    coordinates: Coordinates
    job: CellJob | JudgeJob
    control: bool
    real_samples: int
    expected: str = ""
    skip: str = ""

    @property
    def id(self) -> str:
        """The cell's name in the ledger: it changes with its place and with anything that its result depends on."""
        return content_key("cell", {"scores": self.job.key, "place": asdict(self.coordinates)})[:20]


@dataclass(frozen=True)
class Plan:
    """All cells of a suite in its order, and the facts about its data that a report tells."""

    suite: Suite
    task: Task
    cells: tuple[PlannedCell, ...]
    datasets: Mapping[str, Mapping[str, Any]]

    def contests(self) -> dict[str, str]:
        """Model's label → what it competes in, in the task's words."""
        with asking(f"task {self.suite.task!r}"):
            return {
                entry.label: self.task.contest(
                    entry.name, make_options(self.task.model_options(entry.name), entry.options)
                )
                for entry in self.suite.models
            }

    def jobs(self, cells: tuple[PlannedCell, ...] | None = None) -> list[Job]:
        """The jobs behind these cells (or all), each once, fits first: they are long and others wait."""
        wanted = self.cells if cells is None else cells
        jobs = closure(cell.job for cell in wanted if not cell.skip).values()
        return sorted(jobs, key=lambda job: _ORDER.index(type(job)))


_ORDER = (FitJob, ProbeJob, SampleJob, MixJob, CellJob, JudgeJob)


def is_cached(job: Job, store: Store) -> bool:
    """Whether what the job makes is in the cache."""
    return store.has(artefact_kind(job), job.key)


def make_plan(suite: Suite, *, device: str, processes: int = 1) -> Plan:
    """Open the data, check that the task can use it, and span the grid.

    Raises :class:`UserError` for data that cannot be used: before anything is trained.
    """
    task = load_task(suite.task)
    cells: list[PlannedCell] = []
    facts: dict[str, Mapping[str, Any]] = {}
    for entry in suite.datasets:
        data, opened = open_entry(entry, task.kind)
        with asking(f"task {suite.task!r}"):
            task.check_splits(opened.splits)
        facts[entry.label] = _facts(data, opened)
        grid = _Grid(suite, task, data, opened, engine_name(device), processes)
        cells += [
            cell
            for model in suite.models
            for share in suite.shares
            for regime, generator, ratio in (_contenders(suite, share) if grid.learns(model) else ONLY_REAL)
            for seed in suite.seeds
            for cell in [grid.cell(model, share, regime, generator, ratio, seed)]
        ]
        if suite.fidelity != "none" and task.kind is not AnnotationKind.TRACKS:
            cells += [
                grid.judgement(share, generator, seed)
                for share in suite.shares
                for generator in suite.generators
                if suite.regimes_of(generator, share)
                for seed in suite.seeds
            ]
    return Plan(suite, task, tuple(cells), facts)


def open_entry(entry: DatasetEntry, kind: AnnotationKind | None = None) -> tuple[DataRef, OpenedData]:
    """A suite's data set, opened as this kind (else as its own), with what a worker needs to open it again."""
    data = DataRef(entry.label, entry.reader, entry.argument, entry.root, dict(entry.options), entry.val_fraction, kind)
    opened = open_data(data)
    spec = opened.splits.train.spec
    picture = (spec.height, spec.width, spec.channels)
    return replace(
        data, picture=picture, fingerprint=opened.fingerprint, train_fingerprint=opened.train_fingerprint
    ), opened


def _facts(data: DataRef, opened: OpenedData) -> dict[str, Any]:
    splits, test = opened.splits, opened.splits.test
    frames = {"item": "clip", "test_frames": sum(map(len, test.clips))} if isinstance(test, Clips) else {}
    return {
        "fingerprint": data.fingerprint,
        "classes": list(splits.train.spec.classes),
        "picture": list(data.picture),
        "train": len(splits.train),
        "val": len(splits.val) if splits.val is not None else 0,
        "test": len(test),
        "licence": load_plugin("readers", data.reader or recognise(Path(str(data.root)))).licence,
        "test_pictures_in_train": opened.test_pictures_in_train,
        "item": "picture",
        **frames,
    }


Contender = tuple[str, GeneratorEntry | None, float | None]  # regime, generator, ratio
ONLY_REAL: tuple[Contender, ...] = (("real", None, None),)


def _contenders(suite: Suite, share: RealShare) -> list[Contender]:
    """The rows of every comparison: real, augment, then generator × regime × ratio."""
    rows = list(ONLY_REAL)
    if suite.augments(share):
        rows.append(("augment", None, None))
    for generator in suite.generators:
        for regime in suite.regimes_of(generator, share):
            rows += [(regime, generator, ratio) for ratio in suite.ratios_of(generator, share)]
    return rows


@dataclass(frozen=True)
class _Grid:
    """The cells of one data set; splits that several cells share are drawn once."""

    suite: Suite
    task: Task
    data: DataRef
    opened: OpenedData
    engine: str
    processes: int
    sizes: dict[tuple[RealShare, int], tuple[int, int]] = field(default_factory=dict)

    def cell(
        self,
        model: ModelEntry,
        share: RealShare,
        regime: str,
        generator: GeneratorEntry | None,
        ratio: float | None,
        seed: int,
    ) -> PlannedCell:
        part = self._part(share, seed)
        synthetic = self._set(generator, share, part, ratio, seed) if generator and ratio else None
        reference, learnt = self._references(model)
        skip = self._refusal(model)
        budget = _filled(model.budget, _filled(self.suite.budget, self.task.default_budget))
        check_batch(budget.batch_size, self.processes)
        job = CellJob(
            task=PluginRef(self.suite.task, _implementation(type(self.task)), {}),
            model=reference,
            learnt=learnt,
            budget=budget,
            part=part,
            regime=regime,
            synthetic=synthetic,
            weights_seed=derive_seed(seed, "weights", (learnt or reference).name),
            order_seed=derive_seed(seed, "order"),
            engine=self.engine if self.processes == 1 else f"{self.engine} x{self.processes}",
            refresh=generator.refresh if generator and regime == "mixed" else 1,
            real_share=generator.real_share if generator and regime == "mixed" else None,
        )
        return self._planned(job, model.label, share, regime, generator, ratio, seed, skip)

    def _refusal(self, model: ModelEntry) -> str:
        """Why the model is not for this data; empty when it is."""
        options: Any = make_options(self.task.model_options(model.name), model.options, where=model.label)
        with asking(f"model {model.name!r}"):
            try:
                self.task.check_model(model.name, options, self.opened.splits.train.spec)
            except NotApplicable as error:
                return str(error)
        return ""

    def learns(self, model: ModelEntry) -> bool:
        """Whether what the model is trained on changes anything."""
        return self._references(model)[1] is not None

    def _references(self, model: ModelEntry) -> tuple[PluginRef, PluginRef | None]:
        """The model, and the part of it that learns."""
        options: Any = make_options(self.task.model_options(model.name), model.options, where=model.label)
        with asking(f"model {model.name!r}"):
            learnt = self.task.learnt(model.name, options)
        reads = _contents(learnt.reads) if learnt else {}
        whole = self._reference(model.name, options, None, reads)
        return whole, self._reference(learnt.name, learnt.options, learnt.version, reads) if learnt else None

    def _reference(self, name: str, options: Any, version: int | None, reads: Mapping[str, str]) -> PluginRef:
        known = {info.name: info.version for info in self.task.models()}
        which = f"v{known.get(name, 1) if version is None else version}"
        task = type(self.task)
        implementation = f"{task.__module__}:{task.__qualname__}.model {which}"
        return PluginRef(name, implementation, options_json(options), reads)

    def judgement(self, share: RealShare, generator: GeneratorEntry, seed: int) -> PlannedCell:
        """The fidelity of a generator's largest set of this seed: nothing is trained on it."""
        part, ratio = self._part(share, seed), max(self.suite.ratios_of(generator, share))
        job = JudgeJob(
            synthetic=self._set(generator, share, part, ratio, seed),
            part=part,
            extractor=self.extractor,
            most=self._compared(share, part),
            seed=derive_seed(seed, "judge"),
            engine=self.engine,
        )
        return self._planned(job, self.extractor, share, FIDELITY, generator, ratio, seed)

    def _compared(self, share: RealShare, part: RealPart) -> int:
        """How many pictures of every generator are judged at a share: as many as the smallest set has.

        A set too small to say anything of is refused when it is judged, and makes no other small.
        """
        kept, _ = self._sizes(share, part.seed)
        judged = [entry for entry in self.suite.generators if self.suite.regimes_of(entry, share)]
        sizes = [_count(entry, kept, max(self.suite.ratios_of(entry, share))) for entry in judged]
        alone = self.task.kind is not AnnotationKind.LABEL  # scenes are compared as pictures of one class
        fewest = fewest_compared(1 if alone else len(self.opened.splits.train.spec.classes))
        return min([MOST_COMPARED, *(size for size in sizes if size >= fewest)])

    @property
    def extractor(self) -> str:
        """The suite's; scenes have no class from which `task` could learn, `random` sees them instead."""
        learns = self.task.kind is AnnotationKind.LABEL
        return self.suite.fidelity if learns or self.suite.fidelity != "task" else "random"

    def _planned(
        self,
        job: CellJob | JudgeJob,
        model: str,
        share: RealShare,
        regime: str,
        generator: GeneratorEntry | None,
        ratio: float | None,
        seed: int,
        skip: str = "",
    ) -> PlannedCell:
        label = generator.label if generator else None
        place = Coordinates(self.suite.task, self.data.label, model, str(share), regime, label, ratio, seed)
        entries = [self.suite.generator(name) for name in generator.of] if generator and generator.of else [generator]
        plugins: list[type[Generator]] = [load_plugin("generators", entry.name) for entry in entries if entry]
        kept, held_back = self._sizes(share, self._part(share, seed).seed)
        lacking = any(plugin.fits_on == "held_back" for plugin in plugins) and not held_back
        skip = skip or ("nothing is held back: all real training samples are in use" if lacking else "")
        expected = plugins[0].control.get(regime, "") if len(plugins) == 1 else ""
        return PlannedCell(place, job, any(plugin.control for plugin in plugins), kept, expected, skip)

    def _set(self, entry: GeneratorEntry, share: RealShare, part: RealPart, ratio: float, seed: int) -> SetJob:
        """The synthetic set of a cell: as many samples as the ratio says, for each refresh."""
        kept, _ = self._sizes(share, part.seed)
        count = _count(entry, kept, ratio)
        if not entry.of:
            return sample_job(entry, part, count, seed, self.engine)
        counts = proportional_counts([1] * len(entry.of), max(count, len(entry.of))).tolist()
        entries = [self.suite.generator(label) for label in entry.of]
        pairs = zip(entries, counts, strict=True)
        return MixJob(tuple(sample_job(part_of, part, number, seed, self.engine) for part_of, number in pairs))

    def _part(self, share: RealShare, seed: int) -> RealPart:
        return RealPart(
            self.data,
            share.fraction,
            share.per_class,
            # at the whole train split the seed changes nothing, and one key serves all seeds
            0 if share.fraction == 1 else derive_seed(seed, "real part", self.data.train_fingerprint),
            share.samples,
        )

    def _sizes(self, share: RealShare, seed: int) -> tuple[int, int]:
        """How many training samples the share keeps and how many it holds back."""
        if (share, seed) not in self.sizes:
            strata = self.opened.splits.train.strata()
            try:
                kept, held_back = split_real(
                    strata, fraction=share.fraction, per_class=share.per_class, samples=share.samples, seed=seed
                )
            except UserError as error:
                raise UserError(error.what, where=f"data set {self.data.label!r}", hint=error.hint) from None
            self.sizes[share, seed] = len(kept), len(held_back)
        return self.sizes[share, seed]


def _count(entry: GeneratorEntry, real: int, ratio: float) -> int:
    """How many samples stand beside so many real ones, for all refreshes together."""
    return max(1, round(real * ratio)) * entry.refresh


def sample_job(entry: GeneratorEntry, part: RealPart, count: int, seed: int, engine: str) -> SampleJob:
    """So many samples of a suite's generator, fitted on this part of the real data, its filter and spread applied."""
    fit = fit_job(entry, part, derive_seed(seed, "fit"), engine)
    kept = Filter(entry.filter, derive_seed(seed, "filter")) if entry.filter else None
    return SampleJob(fit, count, derive_seed(seed, "sample"), entry.spread, kept)


def fit_job(entry: GeneratorEntry, part: RealPart, seed: int, engine: str) -> FitJob:
    """The fit of a suite's generator on this part of the real data, defaults filled in."""
    plugin: type[Generator] = load_plugin("generators", entry.name)
    options: Any = make_options(plugin.Options, entry.options, where=entry.label)
    budget = _filled(entry.budget, plugin.default_budget) if plugin.default_budget else None
    made: Generator = make_plugin("generators", entry.name, entry.options)
    with asking(f"generator {entry.name!r}"):
        parts = [load_plugin("generators", name) for name in made.fits()]
        reads = made.reads()
    implementation = " with ".join(_implementation(one) for one in (plugin, *parts))
    reference = PluginRef(entry.name, implementation, options_json(options), _contents(reads))
    return FitJob(reference, budget, part, seed, engine)


def _contents(paths: Iterable[Path]) -> dict[str, str]:
    """Path, as the options have it → the fingerprint of what lies there."""
    return {str(path): _read_once(path) for path in paths}


@cache
def _read_once(path: Path) -> str:
    """The content's fingerprint; all cells of a plan have the same."""
    return content_fingerprint(path)


def _filled(asked: BudgetEntry, default: Budget) -> Budget:
    """The default budget with what the suite asked for put in."""
    return Budget(**(asdict(default) | asked.given()))


def _implementation(plugin: type[Any]) -> str:
    return f"{plugin.__module__}:{plugin.__qualname__} v{plugin.version}"
