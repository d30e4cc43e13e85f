"""What a run's models answer to real test pictures and clips, to be drawn beside the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from cvbench.before_after import trained_model
from cvbench.clips import Clips
from cvbench.datasets import blinded
from cvbench.drawing import COLUMNS, answers_sheet
from cvbench.ledger import CellRecord
from cvbench.plan import open_entry
from cvbench.plugins import load_task
from cvbench.run_folder import RunFolder
from cvbench.samples import AnnotationKind, Dataset, IntArray, Pictures
from cvbench.showing import file_name, finished, seed_of, suite_of, trained_on
from cvbench.store import Store


def sheets_of_answers(run: RunFolder, store: Store, seed: int | None) -> Iterator[tuple[str, Image.Image]]:
    """File name and sheet per data set, share of real data and model of one seed: the truth, then a row per training.

    Raises :class:`~cvbench.errors.UserError` for a seed that the run has not and
    :class:`~cvbench.errors.NotApplicable` for a task whose predictions cannot be drawn.
    """
    rows: dict[str, dict[str, Dataset]] = {}
    truths: dict[str, Dataset] = {}
    most = 1 if load_task(run.suite["task"]).kind is AnnotationKind.TRACKS else COLUMNS
    for record, truth, found in answers(run, store, seed, most):
        place = record.coordinates
        name = file_name(place.dataset, place.real, place.model, f"seed{place.seed}")
        rows.setdefault(name, {})[" ".join(trained_on(place))] = found
        truths[name] = truth
    for name, own in rows.items():
        yield f"{name}.png", answers_sheet(_drawable(truths[name]), {row: _drawable(one) for row, one in own.items()})


def answers(run: RunFolder, store: Store, seed: int | None, most: int) -> Iterator[tuple[CellRecord, Dataset, Dataset]]:
    """Every cell of one seed whose model is in the cache, some test items, and what the model answers to them.

    As :func:`predicted` gives them, as data that can be drawn.
    """
    task = load_task(run.suite["task"])
    for record, items, found in predicted(run, store, seed, most):
        yield record, items, task.answers(found, items)


def predicted(
    run: RunFolder, store: Store, seed: int | None, most: int | None
) -> Iterator[tuple[CellRecord, Dataset, Iterator[Any]]]:
    """Every cell of one seed whose model is in the cache, some test items, and what the model predicts of them.

    The items are evenly spread over the test split, all of them if ``most`` is None; controls are left out.
    """
    suite = suite_of(run)
    task, chosen = load_task(suite.task), seed_of(suite, seed)
    tests = {entry.label: open_entry(entry, task.kind)[1].splits.test for entry in suite.datasets}
    shown = {label: test.select(_spread_evenly(len(test), most or len(test))) for label, test in tests.items()}
    for record in finished(run, chosen):
        if record.resolved.get("control") or record.resolved.get("model") is None:
            continue
        items = shown[record.coordinates.dataset]
        model = trained_model(record, task, items.spec, store)
        if model is not None:
            yield record, items, model.predict(blinded(items))


def _spread_evenly(count: int, most: int) -> IntArray:
    return np.unique(np.linspace(0, count - 1, most).astype(np.int64))


def _drawable(data: Dataset) -> Pictures | Clips:
    """The data, which is pictures or clips: nothing else is annotated in a way that can be drawn."""
    assert isinstance(data, Pictures | Clips)
    return data
