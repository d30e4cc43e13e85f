"""What a worker does for one job: fit, sample, or train and evaluate. Results go to the store, whole."""

from __future__ import annotations

import errno
import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from cvbench.cell_training import fresh_model, train_cell
from cvbench.contracts import Generator, Progress, Sampler, Splits, Workplace
from cvbench.errors import CvbenchError, DataError, NotApplicable, PluginError, TrainingDiverged
from cvbench.executors.together import train_together
from cvbench.jobs import CellJob, FitJob, Job, SampleJob, first_phase
from cvbench.ledger import Status
from cvbench.plugin_results import checked_chunk, checked_scores
from cvbench.plugins import load_task, make_plugin
from cvbench.real_data import open_data, real_part
from cvbench.samples import LabelledImages, gather
from cvbench.store import Artefact, Store

CLOCK_SECONDS = 5.0  # how often a step notes the time it has spent: a continued one tells its whole cost

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Outcome:
    """What became of a job. ``seconds``: phase → what computing it took; ``cached``: phases found done."""

    status: Status
    phase: str = ""
    reason: str = ""
    tail: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    cached: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


def run_job(job: Job, store: Store, progress: Progress, device: str, processes: int = 1) -> Outcome:
    """Do the job, or find it done. Whatever goes wrong comes back as an outcome with its phase and reason.
    ``processes``: how many share one cell's training.

    Raises OSError only for a disk that takes no more: no further job could succeed.
    """
    phase = [first_phase(job)]
    try:
        if isinstance(job, FitJob):
            return _fit(job, store, progress, device)
        if isinstance(job, SampleJob):
            return _sample(job, store, progress, device)
        return _cell(job, store, progress, device, processes, phase)
    except NotApplicable as error:
        return Outcome("skipped", phase[0], str(error))
    except (PluginError, DataError, TrainingDiverged) as error:
        return Outcome("failed", phase[0], str(error), _tail(error))
    except Exception as error:  # a plugin may raise anything; the cell fails, the rest goes on
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            raise
        out_of_memory = isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__
        who = _who(job)
        reason = f"{who} raised {type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return Outcome("oom" if out_of_memory else "failed", phase[0], reason, _tail(error))


def found(job: Job, store: Store) -> Outcome | None:
    """The outcome of a job that is in the cache, or None; needs no torch."""
    if isinstance(job, CellJob):
        scored, trained = store.find("scores", job.key), store.find("model", job.model_key)
        return _scored(trained, scored, ("train", "evaluate")) if scored and trained else None
    kind, phase = ("sampler", "fit") if isinstance(job, FitJob) else ("synthetic", "sample")
    artefact = store.find(kind, job.key)
    return _outcome(phase, artefact, True) if artefact else None


# -------------------------------------------------------------------------------------------- fit


def _fit(job: FitJob, store: Store, progress: Progress, device: str) -> Outcome:
    def write(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        generator = _generator(job)
        kept, held_back = real_part(job.part)
        train = held_back if generator.fits_on == "held_back" else kept
        if not len(train):
            raise NotApplicable("no real training samples are held back at this real fraction")
        sampler = generator.fit(
            train, budget=job.budget, seed=job.seed, progress=progress, workplace=Workplace(scratch, device)
        )
        if not (callable(getattr(sampler, "sample", None)) and callable(getattr(sampler, "save", None))):
            raise PluginError(f"{_who(job)}: fit returned {type(sampler).__name__}, not a Sampler")
        sampler.save(folder)
        return {"fitted_on": len(train), "notes": list(getattr(sampler, "notes", ()))}

    artefact, cached = _once(store, "sampler", job.key, job.description(), progress, write)
    return _outcome("fit", artefact, cached)


def _generator(job: FitJob) -> Generator:
    return cast(Generator, make_plugin("generators", job.generator.name, job.generator.options))


# ----------------------------------------------------------------------------------------- sample


def _sample(job: SampleJob, store: Store, progress: Progress, device: str) -> Outcome:
    def write(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        real = open_data(job.fit.part.data)
        sampler = fitted_sampler(job.fit, store, device)
        synthetic = draw(sampler, job.count, job.seed, real.splits, progress, _who(job))
        synthetic.save(folder)
        seen = len(real.test_hashes.intersection(synthetic.item_hashes()))
        return {"count": len(synthetic), "test_pictures_among_synthetic": seen}

    artefact, cached = _once(store, "synthetic", job.key, job.description(), progress, write)
    return _outcome("sample", artefact, cached)


def fitted_sampler(job: FitJob, store: Store, device: str) -> Sampler:
    """The job's sampler, from the cache."""
    fitted = store.find("sampler", job.key)
    if fitted is None:
        raise CvbenchError("the fitted generator is gone from the cache; the same command makes it again")
    return _generator(job).load(fitted.folder, device=device)


def draw(
    sampler: Any, count: int, seed: int, splits: Splits, progress: Progress, who: str, **asked: Any
) -> LabelledImages:
    """Exactly ``count`` samples from a sampler, every chunk held to the contract."""

    def chunks() -> Iterator[LabelledImages]:
        done = 0
        progress(0, count, "sampling")
        for chunk in sampler.sample(count, seed=seed, **asked):
            yield checked_chunk(chunk, splits.train.spec, who)
            done += len(chunk)
            progress(min(done, count), count, "sampling")
            if done > count:
                raise PluginError(f"{who}: was asked for {count} samples and gave more")
        if done != count:
            raise PluginError(f"{who}: was asked for {count} samples and gave {done}")

    return gather(chunks(), splits.train.spec)


# ------------------------------------------------------------------------------- train and evaluate


def _cell(job: CellJob, store: Store, progress: Progress, device: str, processes: int, phase: list[str]) -> Outcome:
    task, splits = load_task(job.task.name), open_data(job.part.data).splits

    def train(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        if processes > 1:
            return {"trained_on": train_together(job, store, folder, scratch, progress, device, processes)}
        model, sizes = train_cell(job, store, scratch, progress, device)
        model.save(folder)
        return {"trained_on": sizes}

    def evaluate(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        model = fresh_model(job, Workplace(scratch, device))
        model.load(trained.folder)
        progress(0, 1, "evaluating")
        scores = task.score(model.predict(splits.test), splits.test)
        scores = checked_scores(scores, task.metrics, len(splits.test), _who(job))
        np.savez(folder / "items.npz", allow_pickle=False, **scores.per_item)
        return {
            "metrics": {name: _number(value) for name, value in scores.values.items()},
            "per_class": {m: {c: _number(v) for c, v in by.items()} for m, by in scores.per_class.items()},
        }

    trained, train_cached = _once(store, "model", job.model_key, job.description(), progress, train)
    phase[0] = "evaluate"
    scored, scored_cached = _once(store, "scores", job.key, {"model": job.model_key}, progress, evaluate)
    return _scored(trained, scored, ("train",) * train_cached + ("evaluate",) * scored_cached)


def _scored(trained: Artefact, scored: Artefact, cached: tuple[str, ...]) -> Outcome:
    seconds = {"train": trained.seconds, "evaluate": scored.seconds}
    return Outcome("ok", seconds=seconds, cached=cached, facts={**trained.facts, **scored.facts})


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


# ------------------------------------------------------------------------------------ shared parts


def _once(
    store: Store,
    kind: str,
    key: str,
    description: Mapping[str, Any],
    progress: Progress,
    write: Callable[[Path, Path, Progress], Mapping[str, Any]],
) -> tuple[Artefact, bool]:
    """The artefact and whether it was found; ``write(folder, scratch, progress)`` makes it otherwise."""
    found = store.find(kind, key)
    if found is None:
        with store.claim(f"{kind}-{key}") as scratch:
            found = store.find(kind, key)  # another process may have made it while we waited
            if found is None:
                clock = _Clock(scratch / "seconds.json", progress)
                made = store.make(
                    kind,
                    key,
                    description,
                    lambda folder: {**write(folder, scratch, clock), "seconds": clock.seconds},
                )
                store.drop_scratch(f"{kind}-{key}")
                return made, False
    return found, True


class _Clock:
    """A step's progress that also counts its seconds, those before a kill included."""

    def __init__(self, file: Path, progress: Progress) -> None:
        self.file, self.progress = file, progress
        self.before = float(json.loads(file.read_text())) if file.exists() else 0.0
        self.started = self.noted = time.monotonic()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        self.progress(done, total, note)
        if time.monotonic() - self.noted > CLOCK_SECONDS:
            self.noted = time.monotonic()
            torn = self.file.with_suffix(".part")
            torn.write_text(json.dumps(self.seconds))
            torn.replace(self.file)

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.started


def _outcome(phase: str, artefact: Artefact, cached: bool) -> Outcome:
    found = (phase,) if cached else ()
    return Outcome("ok", seconds={phase: artefact.seconds}, cached=found, facts=artefact.facts)


def _who(job: Job) -> str:
    if isinstance(job, CellJob):
        return f"model {job.model.name!r}"
    return f"generator {(job if isinstance(job, FitJob) else job.fit).generator.name!r}"


def _tail(error: BaseException) -> tuple[str, ...]:
    lines = "".join(traceback.format_exception(error)).strip().splitlines()
    return tuple(line.strip() for line in lines[-6:])
