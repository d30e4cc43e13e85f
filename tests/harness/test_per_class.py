"""Differences class by class: in the terminal, in Markdown and in CSV."""

import csv
import io

import pytest

from cvbench.comparison import compare
from cvbench.contracts import Metric
from cvbench.ledger import CellRecord, Coordinates, Ledger
from cvbench.report import as_text
from cvbench.report.per_class import class_grids
from cvbench.run_folder import RunFolder

SCORES = {  # regime → class → one score per seed
    "real": {"road": [0.8, 0.9], "car": [0.2, 0.3], "sky": [None, None]},
    "mixed": {"road": [0.8, 0.9], "car": [0.3, 0.5], "sky": [None, None]},
}


@pytest.fixture
def run(tmp_path):
    cells = {}
    for regime, by_class in SCORES.items():
        for seed in (0, 1):
            made = ("gen", 1.0) if regime == "mixed" else (None, None)
            place = Coordinates("segmentation", "streets", "unet", "100%", regime, *made, seed)
            cell = f"{regime}{seed}"
            cells[cell] = place
            record = CellRecord(
                cell,
                place,
                "ok",
                metrics={"mIoU": 0.5},
                resolved={"real_samples": 10},
                per_class={"iou": {c: s[seed] for c, s in by_class.items()}},
            )
            Ledger(tmp_path).append(record)
    facts = {"streets": {"test": 10}}
    return RunFolder(tmp_path, "streets", {}, (Metric("mIoU", "", primary=True),), cells, facts, 1)


def test_a_class_has_the_baselines_score_and_the_others_differences(run):
    (grid,) = class_grids(compare(run).tables[0])
    assert grid.head == ("class", "real", "mixed gen ×1")
    lines = {line[0]: line[1:] for line in grid.rows}
    assert lines["road"][1] == "0.00 ±0.00"
    assert lines["car"][0].startswith("25.00 ±")
    assert lines["car"][1].startswith("+15.00 ±")
    assert lines["sky"] == ("–", "–")


def test_they_are_told_when_asked(run):
    comparison = compare(run)
    assert "iou per class" not in as_text(comparison, "md")
    assert "| car | 25.00" in as_text(comparison, "md", per_class=True)
    assert all(not line["class"] for line in csv.DictReader(io.StringIO(as_text(comparison, "csv"))))
    lines = list(csv.DictReader(io.StringIO(as_text(comparison, "csv", per_class=True))))
    (car,) = [line for line in lines if line["class"] == "car" and line["regime"] == "mixed"]
    assert (car["metric"], float(car["difference"])) == ("iou", pytest.approx(0.15))


def test_they_are_of_the_metric_that_is_asked_for_where_it_has_classes(run):
    for cell, place in run.cells.items():
        by_class = {"mIoU": {"road": 0.5}, "dice": {"road": 0.25}}
        metrics = {"mIoU": 0.5, "dice": 0.25, "time": 1.0}
        run.ledger.append(
            CellRecord(cell, place, "ok", metrics=metrics, resolved={"real_samples": 10}, per_class=by_class)
        )
    every = (Metric("mIoU", "", primary=True), Metric("dice", ""), Metric("time", ""))
    whole = RunFolder(run.path, run.name, {}, every, run.cells, run.datasets, 1)
    titles = [class_grids(compare(whole, asked).tables[0])[0].title for asked in ("mIoU", "dice", "time")]
    assert [title.split(" · ")[-1] for title in titles] == [f"{name} per class %" for name in ("mIoU", "dice", "mIoU")]
