"""One generator, fitted on a whole train split, and as many samples as asked: a plan's steps without a suite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import psutil

from cvbench.contracts import Generator, Progress
from cvbench.engine import engine_name
from cvbench.errors import CvbenchError, NotApplicable, NotInstalled, PluginError, UserError
from cvbench.jobs import DataRef, RealPart, SampleJob, needs
from cvbench.ledger import SETUP
from cvbench.plan import open_entry, sample_job
from cvbench.plugins import load_plugin, one_line
from cvbench.real_data import OpenedData, open_data
from cvbench.samples import AnnotationKind, Pictures
from cvbench.steps import draw, prepared_sampler, run_job
from cvbench.store import Store
from cvbench.suite import MIX, DatasetEntry
from cvbench.suite_reading import dataset_entry, generator_entry

HEEDED = frozenset({"name", "options", "budget", "spread", "filter"})  # of a suite's entry for a generator


@dataclass(frozen=True)
class SampleRequest:
    """What to fit and how much to draw; ``per_class`` overrides the train split's proportions.

    ``seed``: the user's, from which the job's own are derived. ``real``: the pictures that the generator sees.
    """

    job: SampleJob
    seed: int
    per_class: int | None
    real: Pictures

    def about(self, notes: Sequence[str]) -> Mapping[str, Any]:
        """For ``about.json`` beside the pictures: enough to make them again, and what the fit said."""
        fit = self.job.fit
        return {
            "generator": asdict(fit.generator),
            "budget": asdict(fit.budget) if fit.budget else None,
            "data": {"name": fit.part.data.label, "fingerprint": fit.part.data.fingerprint},
            "count": self.job.count,
            "spread": self.job.spread,
            "filter": self.job.filter.confidence if self.job.filter else None,
            "per_class": self.per_class,
            "seed": self.seed,
            "engine": fit.engine,
            "notes": list(notes),
        }


def request_samples(
    generator: str,
    data: str,
    *,
    count: int | None,
    per_class: int | None,
    seed: int,
    settings: Sequence[str],
    data_options: Sequence[str],
    reader: str = "",
    device: str,
) -> SampleRequest:
    """Check everything and open the data. Raises :class:`UserError` before anything is fitted."""
    if (count is None) == (per_class is None):
        raise UserError("give either --count or --per-class")
    if (asked := count if count is not None else per_class) is None or asked < 1:
        raise UserError(f"must be at least 1, not {asked}", where="--count" if per_class is None else "--per-class")
    if generator == MIX:
        raise UserError("a mix is for suites", where=MIX, hint="generate with each of its generators")
    entry = generator_entry(generator, settings)
    if idle := sorted(entry.model_fields_set - HEEDED):
        what = f"is for suites: `generate` heeds {', '.join(sorted(HEEDED - {'name'}))}"
        raise UserError(what, where=f"--set {idle[0].rstrip('_')}")
    plugin = load_plugin("generators", entry.name)
    if plugin.fits_on == "held_back":
        raise UserError(f"{generator!r} needs a suite: it gives real pictures that a suite holds back")
    reference, opened = _opened_for(plugin, generator, dataset_entry(data, data_options, reader=reader))
    if per_class is not None and opened.splits.train.spec.kind is not AnnotationKind.LABEL:
        raise UserError("is for pictures with one class each", where="--per-class", hint="give --count")
    part = RealPart(reference, 1.0, None, 0)
    classes = len(opened.splits.train.spec.classes)
    total = per_class * classes if per_class is not None else asked
    _refuse_more_than_memory(total, reference.picture, "--count" if per_class is None else "--per-class")
    job = sample_job(entry, part, total, seed, engine_name(device))
    return SampleRequest(job, seed, per_class, cast(Pictures, opened.splits.train))


def _opened_for(plugin: type[Generator], name: str, entry: DatasetEntry) -> tuple[DataRef, OpenedData]:
    """The data set, as its own kind if the generator can annotate that, else as one that it can be turned into."""
    own = open_entry(entry)
    kind = own[1].splits.train.spec.kind
    if kind in plugin.kinds:
        return own
    if kind is AnnotationKind.INSTANCES:
        for other in (AnnotationKind.MASK, AnnotationKind.BOXES):
            if other in plugin.kinds:
                return open_entry(entry, other)
    makes = " or ".join(sorted(plugin.kinds))
    raise UserError(f"{name!r} makes pictures with {makes}, {entry.label!r} has {kind.value}")


def _refuse_more_than_memory(count: int, picture: tuple[int, int, int], where: str) -> None:
    needed, there = count * math.prod(picture), psutil.virtual_memory().total
    if needed > there:
        size = "x".join(map(str, picture))
        raise UserError(
            f"{count:,} pictures of {size} take {needed / 2**30:,.0f} GiB at once, this machine has {there >> 30}",
            where=where,
            hint="ask for fewer; another --seed gives others",
        )


def sample_set(
    request: SampleRequest, store: Store, device: str, progress: Progress
) -> tuple[Pictures, tuple[str, ...]]:
    """Fit (or find the fit in the cache) and draw: the pictures, and what the fitted sampler notes of itself.

    Raises :class:`CvbenchError` with the reason if that fails.
    """
    job = request.job
    notes: tuple[str, ...] = ()
    for source in needs(job):
        outcome = run_job(source, store, progress, device)
        if outcome.phase == SETUP:
            raise NotInstalled(outcome.reason)
        if outcome.status == "skipped":
            raise NotApplicable(f"{job.fit.generator.name} is not for this data: {outcome.reason}")
        if outcome.status != "ok":
            raise CvbenchError(f"the {outcome.phase} {outcome.status}: {outcome.reason}")
        notes += tuple(outcome.facts.get("notes", ()))
    splits = open_data(job.fit.part.data).splits
    asked: dict[str, Any] = {}
    if request.per_class is not None:
        asked["class_counts"] = np.full(len(splits.train.spec.classes), request.per_class, dtype=np.int64)
    who = f"generator {job.fit.generator.name!r}"
    try:
        made = draw(prepared_sampler(job, store, device), job.count, job.seed, splits, progress, who, **asked)
        return cast(Pictures, made), notes
    except NotApplicable as error:
        raise NotApplicable(f"{who}: {error}") from None
    except CvbenchError:
        raise
    except Exception as error:  # a plugin may raise anything
        raise PluginError(f"{who} raised {type(error).__name__}: {one_line(error)}") from error
