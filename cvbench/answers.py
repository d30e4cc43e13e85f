"""What a run's models answer to real test pictures and clips, to be drawn beside the truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from cvbench.before_after import trained_model
from cvbench.clips import Clips
from cvbench.drawing import answers_sheet
from cvbench.ledger import CellRecord
from cvbench.plan import open_entry
from cvbench.plugins import load_task
from cvbench.run_folder import RunFolder
from cvbench.samples import Dataset, Pictures
from cvbench.showing import file_name, seed_of, suite_of
from cvbench.store import Store

SHOWN = 6  # test items that are answered


def sheets_of_answers(run: RunFolder, store: Store, seed: int | None) -> Iterator[tuple[str, Image.Image]]:
    """File name and sheet per data set, share of real data and model of one seed: the truth, then a row per training.

    Raises :class:`~cvbench.errors.UserError` for a seed that the run has not and
    :class:`~cvbench.errors.NotApplicable` for a task whose predictions cannot be drawn.
    """
    rows: dict[str, dict[str, Dataset]] = {}
    truths: dict[str, Dataset] = {}
    for record, truth, found in answers(run, store, seed, SHOWN):
        place = record.coordinates
        name = file_name(place.dataset, place.real, place.model, f"seed{place.seed}")
        rows.setdefault(name, {})[_trained_on(record)] = found
        truths[name] = truth
    for name, own in rows.items():
        yield f"{name}.png", answers_sheet(drawable(truths[name]), {row: drawable(one) for row, one in own.items()})


def answers(run: RunFolder, store: Store, seed: int | None, most: int) -> Iterator[tuple[CellRecord, Dataset, Dataset]]:
    """Every cell of one seed whose model is in the cache, some test items, and what the model answers to them.

    The items are evenly spread over the test split; controls are left out.
    """
    suite = suite_of(run)
    task, chosen = load_task(suite.task), seed_of(suite, seed)
    tests = {entry.label: open_entry(entry, task.kind)[1].splits.test for entry in suite.datasets}
    records = run.ledger.read()
    for cell in run.cells:
        record = records.get(cell)
        if record is None or record.status != "ok" or record.coordinates.seed != chosen:
            continue
        if record.resolved.get("control") or record.resolved.get("model") is None:
            continue
        test = tests[record.coordinates.dataset]
        shown = test.select(np.unique(np.linspace(0, len(test) - 1, most).astype(np.int64)))
        model = trained_model(record, task, test.spec, store)
        if model is not None:
            yield record, shown, task.answers(model.predict(shown), shown)


def drawable(data: Dataset) -> Pictures | Clips:
    """The data, which is pictures or clips: nothing else is annotated in a way that can be drawn."""
    assert isinstance(data, Pictures | Clips)
    return data


def _trained_on(record: CellRecord) -> str:
    place = record.coordinates
    made = f" {place.generator} x{place.ratio:g}" if place.generator and place.ratio else ""
    return f"{place.regime}{made}"
