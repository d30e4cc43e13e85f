"""Trains the model of one cell: its regime's stages one after another, the budget's steps in all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cvbench.contracts import Budget, Model, Progress, Workplace
from cvbench.datasets import load_dataset
from cvbench.errors import CvbenchError
from cvbench.jobs import CellJob, SetJob
from cvbench.plugins import load_task, make_options
from cvbench.real_data import open_data, real_part
from cvbench.regimes import compose
from cvbench.samples import Dataset
from cvbench.seeds import derive_seed
from cvbench.store import Store


def fresh_model(job: CellJob, workplace: Workplace) -> Model:
    """The cell's model with its initial weights."""
    task = load_task(job.task.name)
    options: Any = make_options(task.model_options(job.model.name), job.model.options, where=job.model.name)
    spec = open_data(job.part.data).splits.train.spec
    return task.model(job.model.name, spec, options=options, seed=job.weights_seed, workplace=workplace)


def train_cell(job: CellJob, store: Store, scratch: Path, progress: Progress, device: str) -> tuple[Model, list[int]]:
    """The trained model, and how many samples each stage trained on."""
    kept = real_part(job.part)
    synthetic = synthetic_set(job.synthetic, store) if job.synthetic else None
    data = compose(job.regime, kept, synthetic, refresh=job.refresh, real_share=job.real_share)
    model = fresh_model(job, Workplace(scratch, device))
    done = 0
    for number, stage in enumerate(data.stages):
        last = number == len(data.stages) - 1
        steps = job.budget.steps - done if last else job.budget.share(stage.share).steps
        model.train(
            stage.data,
            open_data(job.part.data).splits.val,
            budget=Budget(steps, job.budget.batch_size, job.budget.precision),
            augmentation=data.augmentation,
            seed=derive_seed(job.order_seed, "stage", number) if number else job.order_seed,
            progress=_shifted(progress, done, job.budget.steps),
            workplace=Workplace(scratch / f"stage-{number}", device),
        )
        done += steps
    return model, [len(stage.data) for stage in data.stages]


def synthetic_set(job: SetJob, store: Store) -> Dataset:
    """The job's synthetic set, from the cache."""
    artefact = store.find("synthetic", job.key)
    if artefact is None:
        raise CvbenchError("the synthetic set is gone from the cache; the same command makes it again")
    return load_dataset(artefact.folder)


def _shifted(progress: Progress, done_before: int, all_steps: int) -> Progress:
    def report(done: int, total: int, note: str = "") -> None:
        progress(done_before + done, all_steps, note)

    return report
