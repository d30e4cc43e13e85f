"""From a suite to its work: cells, and the jobs behind them with everything shared done once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from typing import Any

from cvbench.contracts import Budget, Generator, Task
from cvbench.errors import UserError
from cvbench.jobs import CellJob, DataRef, FitJob, Job, PluginRef, RealPart, SampleJob, artefact_kind
from cvbench.ledger import Coordinates
from cvbench.plugins import load_plugin, load_task, make_options, options_json
from cvbench.real_data import OpenedData, open_data
from cvbench.regimes import split_real
from cvbench.seeds import derive_seed
from cvbench.store import Store, content_key
from cvbench.suite import BudgetEntry, DatasetEntry, GeneratorEntry, ModelEntry, RealShare, Suite

WITHOUT_GENERATOR = ("real", "augment")


@dataclass(frozen=True)
class PlannedCell:
    """One cell of the grid. ``skip`` says why it is not run, or is empty."""

    coordinates: Coordinates
    job: CellJob
    control: bool
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

    def jobs(self, cells: tuple[PlannedCell, ...] | None = None) -> list[Job]:
        """The jobs behind these cells (or all), each once, fits first: they are long and others wait."""
        jobs: dict[str, Job] = {}
        for cell in self.cells if cells is None else cells:
            if cell.skip:
                continue
            if cell.job.synthetic is not None:
                jobs.setdefault(cell.job.synthetic.fit.key, cell.job.synthetic.fit)
                jobs.setdefault(cell.job.synthetic.key, cell.job.synthetic)
            jobs.setdefault(cell.job.key, cell.job)
        order = {FitJob: 0, SampleJob: 1, CellJob: 2}
        return sorted(jobs.values(), key=lambda job: order[type(job)])


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
        data, opened = open_entry(entry)
        task.check_splits(opened.splits)
        facts[entry.label] = _facts(data, opened)
        grid = _Grid(suite, task, data, opened, engine_name(device), processes)
        cells += [
            cell
            for model in suite.models
            for share in suite.real
            for regime, generator, ratio in _contenders(suite)
            for seed in suite.seeds
            for cell in [grid.cell(model, share, regime, generator, ratio, seed)]
        ]
    return Plan(suite, task, tuple(cells), facts)


def open_entry(entry: DatasetEntry) -> tuple[DataRef, OpenedData]:
    """A suite's data set, opened, with what a worker needs to open it again."""
    data = DataRef(entry.label, entry.reader, entry.argument, entry.root, dict(entry.options), entry.val_fraction)
    opened = open_data(data)
    spec = opened.splits.train.spec
    picture = (spec.height, spec.width, spec.channels)
    return replace(data, picture=picture, fingerprint=opened.fingerprint), opened


def _facts(data: DataRef, opened: OpenedData) -> dict[str, Any]:
    splits = opened.splits
    return {
        "fingerprint": data.fingerprint,
        "classes": list(splits.train.spec.classes),
        "picture": list(data.picture),
        "train": len(splits.train),
        "val": len(splits.val) if splits.val is not None else 0,
        "test": len(splits.test),
        "licence": load_plugin("readers", data.reader).licence if data.reader else "unknown",
        "test_pictures_in_train": opened.test_pictures_in_train,
    }


def _contenders(suite: Suite) -> list[tuple[str, GeneratorEntry | None, float | None]]:
    """The rows of every comparison: real, augment, then generator × regime × ratio."""
    rows: list[tuple[str, GeneratorEntry | None, float | None]] = [("real", None, None)]
    if "augment" in suite.regimes:
        rows.append(("augment", None, None))
    for generator in suite.generators:
        for regime in suite.regimes_of(generator):
            rows += [(regime, generator, ratio) for ratio in suite.ratios_of(generator)]
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
        kept, held_back = self._sizes(share, part.seed)
        plugin: type[Generator] | None = load_plugin("generators", generator.name) if generator else None
        synthetic, skip = None, ""
        if generator is not None and plugin is not None and ratio is not None:
            fit = fit_job(generator, part, derive_seed(seed, "fit"), self.engine)
            synthetic = SampleJob(fit, max(1, round(kept * ratio)), derive_seed(seed, "sample"))
            if plugin.fits_on == "held_back" and not held_back:
                skip = "nothing is held back: all real training samples are in use"
        options: Any = make_options(self.task.model_options(model.name), model.options, where=model.label)
        job = CellJob(
            task=PluginRef(self.suite.task, _implementation(type(self.task)), {}),
            model=PluginRef(model.name, _implementation(type(self.task)), options_json(options)),
            budget=_filled(model.budget, _filled(self.suite.budget, self.task.default_budget)),
            part=part,
            regime=regime,
            synthetic=synthetic,
            weights_seed=derive_seed(seed, "weights", model.name),
            order_seed=derive_seed(seed, "order"),
            engine=self.engine if self.processes == 1 else f"{self.engine} x{self.processes}",
        )
        place = Coordinates(
            self.suite.task,
            self.data.label,
            model.label,
            str(share),
            regime,
            generator.label if generator else None,
            ratio,
            seed,
        )
        return PlannedCell(place, job, bool(plugin and plugin.control), skip)

    def _part(self, share: RealShare, seed: int) -> RealPart:
        return RealPart(
            self.data,
            share.fraction,
            share.per_class,
            # at the whole train split the seed changes nothing, and one key serves all seeds
            0 if share.fraction == 1 else derive_seed(seed, "real part", self.data.fingerprint),
        )

    def _sizes(self, share: RealShare, seed: int) -> tuple[int, int]:
        """How many training samples the share keeps and how many it holds back."""
        if (share, seed) not in self.sizes:
            strata = self.opened.splits.train.strata()
            try:
                kept, held_back = split_real(strata, fraction=share.fraction, per_class=share.per_class, seed=seed)
            except UserError as error:
                raise UserError(error.what, where=f"data set {self.data.label!r}", hint=error.hint) from None
            self.sizes[share, seed] = len(kept), len(held_back)
        return self.sizes[share, seed]


def fit_job(entry: GeneratorEntry, part: RealPart, seed: int, engine: str) -> FitJob:
    """The fit of a suite's generator on this part of the real data, defaults filled in."""
    plugin: type[Generator] = load_plugin("generators", entry.name)
    options: Any = make_options(plugin.Options, entry.options, where=entry.label)
    budget = _filled(entry.budget, plugin.default_budget) if plugin.default_budget else None
    reference = PluginRef(entry.name, _implementation(plugin), options_json(options))
    return FitJob(reference, budget, part, seed, engine)


def engine_name(device: str) -> str:
    """What computes, as far as the last bits of a result depend on it."""
    return f"torch {version('torch')} {device}"


def _filled(asked: BudgetEntry, default: Budget) -> Budget:
    """The default budget with what the suite asked for put in."""
    return Budget(**(asdict(default) | asked.given()))


def _implementation(plugin: type[Any]) -> str:
    return f"{plugin.__module__}:{plugin.__qualname__} v{plugin.version}"
