"""What a worker does for one job: fit, sample, or train and evaluate. Results go to the store, whole."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from cvbench.filtering import Filtered

from cvbench.cell_training import fresh_model, synthetic_set, train_cell
from cvbench.contracts import Generator, Progress, Sampler, Splits, Workplace
from cvbench.datasets import gather, with_labels
from cvbench.durable import raise_if_full, write_durably
from cvbench.engine import environment
from cvbench.errors import CvbenchError, DataError, NotApplicable, NotInstalled, PluginError, TrainingDiverged
from cvbench.executors.together import RankDied, train_together
from cvbench.jobs import (
    CellJob,
    FitJob,
    Job,
    JudgeJob,
    MixJob,
    PluginRef,
    ProbeJob,
    SampleJob,
    SetJob,
    artefact_kind,
    first_phase,
    fits_of,
)
from cvbench.ledger import SETUP, Status
from cvbench.plugin_results import checked_chunk, checked_scores
from cvbench.plugins import load_task, make_plugin
from cvbench.real_data import held_back, open_data, real_part
from cvbench.samples import Dataset, labelled
from cvbench.store import Artefact, Store, content_fingerprint

WAITS = "another process is at it"  # a step's progress while one does the same
CLOCK_SECONDS = 5.0  # how often a step notes the time it has spent: a continued one tells its whole cost


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
        if isinstance(job, SampleJob | MixJob):
            return _set(job, store, progress, device)
        if isinstance(job, ProbeJob):
            return _probe(job, store, progress, device)
        if isinstance(job, JudgeJob):
            return _judge(job, store, progress, device)
        return _cell(job, store, progress, device, processes, phase)
    except NotInstalled as error:
        return Outcome("skipped", SETUP, str(error))
    except NotApplicable as error:
        return Outcome("skipped", phase[0], str(error))
    except (PluginError, DataError, TrainingDiverged) as error:
        return Outcome("failed", phase[0], str(error), _tail(error))
    except Exception as error:  # a plugin may raise anything; the cell fails, the rest goes on
        raise_if_full(error, store.root)
        said = " ".join(str(error).split())[:300]
        reason = said if isinstance(error, CvbenchError) else f"{_who(job)} raised {type(error).__name__}: {said}"
        return Outcome("oom" if _ran_out_of_memory(error) else "failed", phase[0], reason, _tail(error))


def found(job: Job, store: Store) -> Outcome | None:
    """The outcome of a job that is in the cache, or None; needs no torch."""
    if isinstance(job, CellJob):
        scored = store.find("scores", job.key)
        return _scored(scored, ("train", "evaluate")) if scored else None
    artefact = store.find(artefact_kind(job), job.key)
    return _outcome(first_phase(job), artefact, True) if artefact else None


# -------------------------------------------------------------------------------------------- fit


def _fit(job: FitJob, store: Store, progress: Progress, device: str) -> Outcome:
    def write(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        _check_unchanged(job.generator)
        generator = _generator(job)
        train = held_back(job.part) if generator.fits_on == "held_back" else real_part(job.part)
        if not len(train):
            raise NotApplicable("no real training samples are held back at this real fraction")
        sampler = generator.fit(
            train, budget=job.budget, seed=job.seed, progress=progress, workplace=Workplace(scratch, device)
        )
        if not (callable(getattr(sampler, "sample", None)) and callable(getattr(sampler, "save", None))):
            raise PluginError(f"{_who(job)}: fit returned {type(sampler).__name__}, not a Sampler")
        sampler.save(folder)
        _check_unchanged(job.generator)
        return {
            "fitted_on": len(train),
            "notes": list(getattr(sampler, "notes", ())),
            "parameters": int(getattr(sampler, "parameter_count", 0)),
        }

    artefact, cached = _once(store, "sampler", job.key, job.description(), progress, write)
    return _outcome("fit", artefact, cached)


def _generator(job: FitJob) -> Generator:
    return cast(Generator, make_plugin("generators", job.generator.name, job.generator.options))


# ----------------------------------------------------------------------------------------- sample


def _set(job: SetJob, store: Store, progress: Progress, device: str) -> Outcome:
    def write(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        real = open_data(fits_of(job)[0].part.data)
        if isinstance(job, MixJob):
            synthetic = gather((synthetic_set(part, store) for part in job.parts), real.splits.train.spec)
        else:
            sampler = prepared_sampler(job, store, device)
            synthetic = draw(sampler, job.count, job.seed, real.splits, progress, _who(job))
        synthetic.save(folder)
        seen = len(real.test_hashes.intersection(synthetic.item_hashes()))
        return {"count": len(synthetic), "test_pictures_among_synthetic": seen}

    artefact, cached = _once(store, "synthetic", job.key, job.description(), progress, write)
    return _outcome("sample", artefact, cached)


def prepared_sampler(job: SampleJob, store: Store, device: str) -> Sampler | Filtered:
    """The job's sampler from the cache, its latent widened and its samples filtered as the job says."""
    sampler = _generator(job.fit).load(_kept(job.fit, store).folder, device=device)
    if job.spread != 1:
        sampler = sampler.widened(job.spread)
    if job.filter is None or job.probe is None:
        return sampler
    from cvbench.fidelity.probe import load_probe
    from cvbench.filtering import Filtered

    train = real_part(job.fit.part)
    probe = load_probe(_kept(job.probe, store).folder, device)
    return Filtered(sampler, probe, job.filter.confidence, labelled(train).class_counts())


def _kept(job: Job, store: Store) -> Artefact:
    artefact = store.find(artefact_kind(job), job.key)
    if artefact is None:
        raise CvbenchError(f"what {first_phase(job)} made is gone from the cache; the same command makes it again")
    return artefact


def draw(sampler: Any, count: int, seed: int, splits: Splits, progress: Progress, who: str, **asked: Any) -> Dataset:
    """Exactly ``count`` samples from a sampler, every chunk held to the contract."""

    def chunks() -> Iterator[Dataset]:
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


# ------------------------------------------------------------------------------------------ judge


def _probe(job: ProbeJob, store: Store, progress: Progress, device: str) -> Outcome:
    def write(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        from cvbench.fidelity.probe import train_probe

        train = labelled(real_part(job.part))
        train_probe(train, seed=job.seed, workplace=Workplace(scratch, device), progress=progress).save(folder)
        return {}

    artefact, cached = _once(store, "probe", job.key, job.description(), progress, write)
    return _outcome("probe", artefact, cached)


def _judge(job: JudgeJob, store: Store, progress: Progress, device: str) -> Outcome:
    def write(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        from cvbench.fidelity.extractors import make_extractor
        from cvbench.fidelity.judge import judge_samples
        from cvbench.fidelity.probe import load_probe, untrained_probe

        progress(0, 1, "judging")
        test = with_labels(open_data(job.part.data).splits.test)
        train, synthetic = with_labels(real_part(job.part)), with_labels(synthetic_set(job.synthetic, store))
        learnt = load_probe(_kept(job.probe, store).folder, device) if job.probe else None
        probe = learnt or untrained_probe(test.spec, job.seed)
        extractor = make_extractor(job.extractor, probe=probe, spec=test.spec, device=device)
        found = judge_samples(train, test, synthetic, extractor, probe, most=job.most, seed=job.seed)
        return {"fidelity": found.to_json()}

    artefact, cached = _once(store, "fidelity", job.key, job.description(), progress, write)
    return _outcome("judge", artefact, cached)


# ------------------------------------------------------------------------------- train and evaluate


def _cell(job: CellJob, store: Store, progress: Progress, device: str, processes: int, phase: list[str]) -> Outcome:
    task, real = load_task(job.task.name), open_data(job.part.data)

    def train(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        _check_unchanged(job.model)
        if processes > 1:
            sizes = train_together(job, store, folder, scratch, progress, device, processes)
        else:
            model, sizes = train_cell(job, store, scratch, progress, device)
            model.save(folder)
        _check_unchanged(job.model)
        return {"trained_on": sizes, "environment": environment(device, processes)}

    def evaluate(folder: Path, scratch: Path, progress: Progress) -> Mapping[str, Any]:
        model = fresh_model(job, Workplace(scratch, device))
        model.load(trained.folder)
        progress(0, 1, "evaluating")
        scores = task.score(model.predict(real.blind_test), real.splits.test)
        scores = checked_scores(scores, task.metrics, len(real.splits.test), _who(job))
        np.savez(folder / "items.npz", allow_pickle=False, **scores.per_item)
        return {
            "metrics": {name: _number(value) for name, value in scores.values.items()},
            "per_class": {m: {c: _number(v) for c, v in by.items()} for m, by in scores.per_class.items()},
            "train_seconds": trained.seconds,
            **trained.facts,
        }

    if (scored := store.find("scores", job.key)) is not None:
        return _scored(scored, ("train", "evaluate"))
    trained, train_cached = _once(store, "model", job.model_key, job.description(), progress, train)
    phase[0] = "evaluate"
    scored, scored_cached = _once(store, "scores", job.key, {"model": job.model_key}, progress, evaluate)
    return _scored(scored, ("train",) * train_cached + ("evaluate",) * scored_cached)


def _scored(scored: Artefact, cached: tuple[str, ...]) -> Outcome:
    seconds = {"train": float(scored.facts["train_seconds"]), "evaluate": scored.seconds}
    return Outcome("ok", seconds=seconds, cached=cached, facts=scored.facts)


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
        with store.claim(f"{kind}-{key}", lambda: progress(0, 1, WAITS)) as scratch:
            found = store.find(kind, key)  # another process may have made it while we waited
            if found is None:
                clock = _Clock(scratch / "seconds.json", progress)
                try:
                    made = store.make(
                        kind,
                        key,
                        description,
                        lambda folder: {**write(folder, scratch, clock), "seconds": clock.seconds},
                    )
                except Exception as error:
                    if not (isinstance(error, OSError | RankDied) or _ran_out_of_memory(error)):
                        store.drop_scratch(f"{kind}-{key}")  # a mended plugin must not go on from what failed
                    raise
                store.drop_scratch(f"{kind}-{key}")
                return made, False
    return found, True


def _check_unchanged(plugin: PluginRef) -> None:
    """Raise :class:`DataError` when a file that the options name is no longer what the plan saw: the key says it is."""
    for path, fingerprint in plugin.reads.items():
        if content_fingerprint(Path(path)) != fingerprint:
            raise DataError("changed since the run began", where=path, hint="put it back, or choose another --out")


def _ran_out_of_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__  # torch's own is a RuntimeError


class _Clock:
    """A step's progress that also counts its seconds, those before a kill included."""

    def __init__(self, file: Path, progress: Progress) -> None:
        self.file, self.progress = file, progress
        self.before = _noted_seconds(file)
        self.started = self.noted = time.monotonic()

    def __call__(self, done: int, total: int, note: str = "") -> None:
        self.progress(done, total, note)
        if time.monotonic() - self.noted > CLOCK_SECONDS:
            self.noted = time.monotonic()
            write_durably(self.file, json.dumps(self.seconds).encode())

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.started


def _noted_seconds(file: Path) -> float:
    try:
        return float(json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):  # none yet, or torn: the time before a kill is then not counted
        return 0.0


def _outcome(phase: str, artefact: Artefact, cached: bool) -> Outcome:
    found = (phase,) if cached else ()
    return Outcome("ok", seconds={phase: artefact.seconds}, cached=found, facts=artefact.facts)


def _who(job: Job) -> str:
    if isinstance(job, CellJob):
        return f"model {job.model.name!r}"
    if isinstance(job, ProbeJob | JudgeJob):
        return "cvbench's fidelity"
    fits = (job,) if isinstance(job, FitJob) else fits_of(job)
    return "generator " + " + ".join(repr(fit.generator.name) for fit in fits)


def _tail(error: BaseException) -> tuple[str, ...]:
    lines = "".join(traceback.format_exception(error)).strip().splitlines()
    return tuple(line.strip() for line in lines[-6:])
