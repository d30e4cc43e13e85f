"""What a run's models made of test pictures: before and after, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from cvbench.contracts import NO_PICTURES, Model, Task, Workplace
from cvbench.errors import NotApplicable
from cvbench.ledger import CellRecord
from cvbench.plan import open_entry
from cvbench.plugins import load_task, make_options
from cvbench.run_folder import RunFolder
from cvbench.samples import DatasetSpec, labelled
from cvbench.sheets import of_each_class, rows_sheet
from cvbench.showing import file_name, finished, seed_of, suite_of, trained_on
from cvbench.store import Store


def before_after_sheets(run: RunFolder, store: Store, seed: int | None) -> Iterator[tuple[str, Image.Image]]:
    """File name and sheet per data set, share of real data, regime and contest, of one seed's models in the cache.

    Its rows: real test pictures, the same as the models are given them to be scored, then what each makes of that.
    Raises :class:`~cvbench.errors.UserError` for a seed that the run has not and
    :class:`~cvbench.errors.NotApplicable` for a task whose models do not give pictures.
    """
    suite = suite_of(run)
    task, chosen = load_task(suite.task), seed_of(suite, seed)
    if type(task).before_and_after is Task.before_and_after:
        raise NotApplicable(NO_PICTURES)  # before data are opened that may be no pictures of one class
    tests = {entry.label: labelled(open_entry(entry, task.kind)[1].splits.test) for entry in suite.datasets}
    for name, records in _contests(run, chosen).items():
        test = tests[records[0].coordinates.dataset]
        places = of_each_class(test)
        rows = {"real": test.images[places]}
        for record in records:
            model = trained_model(record, task, test.spec, store)
            if model is not None:
                before, after = task.before_and_after(model, test, places)
                rows.setdefault("corrupted", before)
                rows[record.coordinates.model] = after
        if len(rows) > 1:
            yield f"{name}.png", rows_sheet(rows)


def _contests(run: RunFolder, seed: int) -> dict[str, list[CellRecord]]:
    """A name for a file → the records whose models were given the same pictures after the same kind of training."""
    found: dict[str, list[CellRecord]] = {}
    for record in finished(run, seed):
        if (place := record.coordinates).model in run.contests:
            told = () if place.regime == "real" else trained_on(place)
            name = file_name(place.dataset, place.real, *told, run.contests[place.model], f"seed{seed}")
            found.setdefault(name, []).append(record)
    return found


def trained_model(record: CellRecord, task: Task, spec: DatasetSpec, store: Store) -> Model | None:
    """The cell's model as it was scored; None if it is gone from the cache."""
    kept = store.find("model", str(record.resolved.get("trained")))
    if kept is None:
        return None
    said, seed = record.resolved["model"], int(record.resolved.get("weights_seed") or 0)
    options: Any = make_options(task.model_options(said["name"]), said["options"])
    with TemporaryDirectory() as scratch:
        model = task.model(said["name"], spec, options=options, seed=seed, workplace=Workplace(Path(scratch)))
        model.load(kept.folder)
    return model
