"""Tables: what stands in them at what width, and by another metric than the primary one."""

import csv
import io
from dataclasses import replace

import pytest
from rich.console import Console

from cvbench.comparison import compare
from cvbench.contestants import Contestant, Field
from cvbench.contracts import Metric
from cvbench.effects import Effect, Interval, Judgement, Verdict
from cvbench.errors import UserError
from cvbench.ledger import FIDELITY, CellRecord, Coordinates, Ledger
from cvbench.report import as_text
from cvbench.report.table import print_tables
from cvbench.report.words import FIELD_HEAD, controls_judged, difference, score
from cvbench.rows import Cost, Row, Table
from cvbench.run_folder import RunFolder

METRICS = (
    Metric("mAP50-95", "", primary=True),
    Metric("mAP50", ""),
    Metric("normalised_precision", ""),
    Metric("failures", "", higher_is_better=False, high=None),
)
SCORES = {  # model → metric → one score per seed
    "fasterrcnn": {"mAP50-95": [0.50, 0.52, 0.51], "mAP50": [0.6, 0.7, 0.65], "failures": [3.0, 4.0, 5.0]},
    "yolov8n": {"mAP50-95": [0.51, 0.50, 0.52], "mAP50": [0.8, 0.9, 0.84], "failures": [1.0, 2.1, 3.0]},
}


@pytest.fixture
def contest(tmp_path):
    cells = {}
    for model, by_metric in SCORES.items():
        for seed in range(3):
            cell, place = f"{model}{seed}", Coordinates("detection", "cells", model, "100%", "real", None, None, seed)
            scores = {"normalised_precision": 0.5} | {metric: scores[seed] for metric, scores in by_metric.items()}
            spent, resolved = {"train": 12.5, "evaluate": 2.0}, {"real_samples": 10}
            record = CellRecord(cell, place, "ok", metrics=scores, seconds=spent, resolved=resolved)
            cells[cell] = place
            Ledger(tmp_path).append(record)
    return RunFolder(tmp_path, "cells", {}, METRICS, cells, {"cells": {"test": 10}}, 1)


def printed(folder, width, metric=None, **how):
    console = Console(width=width, file=io.StringIO(), highlight=False)
    print_tables(compare(folder, metric), console, **how)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 100, 139, 140, 150, 200])
def test_names_and_columns_are_whole_at_every_width(contest, width):
    said = printed(contest, width)
    tables = said.count("model ")
    assert said.count(" fasterrcnn ") == said.count(" yolov8n ") == tables
    heads = [line for line in said.splitlines() if line.startswith(" model ")]
    columns = [head for line in heads for head in line.split("  ")[1:] if head.strip()]
    assert [head.strip() for head in columns] == [
        "mAP50-95 %", "Δ [95 %]", "verdict", "mAP50 %", "normalised_precision %", "failures", "n", "train s", "test/s"
    ]  # fmt: skip
    assert "…" not in said
    assert tables == 1 or width < 150


@pytest.mark.parametrize("width", [40, 60, 80, 139, 200])
def test_the_generators_table_is_whole_at_every_width(contest, width):
    one = Contestant("shuffled_labels", True, {}, None, None, Cost(1.5, 4_280.0, None, 93_000), {"ok": 3}, ())
    two = replace(one, generator="flow", fidelity={"trts": Interval(0.5, None, None, 1)})
    field = Field("cells", "100%", "", "task", "ffd13a93", (120,), {}, (one, two))
    console = Console(width=width, file=io.StringIO(), highlight=False)
    print_tables(replace(compare(contest), fields=(field,)), console)
    said = console.file.getvalue().partition("generators · cells")[2]
    heads = [line for line in said.splitlines() if line.startswith(" generator ")]
    assert " ".join(heads).replace("generator", "").split() == " ".join(FIELD_HEAD[1:]).split()
    assert said.count(" shuffled_labels ") == said.count(" flow ") == len(heads)
    assert "…" not in said
    assert "4,280" in said
    assert len(heads) == 1 or width < 139


def test_a_column_and_a_sentence_on_items_only_where_one_has_an_interval(contest):
    said = printed(contest, 200)
    assert "items [95 %]" not in said
    assert "paired bootstrap" not in said
    assert "items [95 %]" not in as_text(compare(contest), "md")
    for record in contest.ledger.read().values():
        per_item = [0.2, 0.9] if "yolo" in record.cell else [0.1, 0.3]
        contest.ledger.append(record, {"mAP50-95": per_item})
    said = printed(contest, 200)
    assert "items [95 %]" in said
    assert "paired bootstrap over the 10 test items" in said
    narrow = printed(contest, 100)
    assert "items [95 %]" not in narrow
    assert "paired bootstrap" not in narrow
    assert "Scored on 10 test items." in narrow
    assert "items [95 %]" in as_text(compare(contest), "md")


def test_what_was_scored_on_is_told_and_clips_are_tested_by_the_frame(contest):
    assert "Scored on 10 test items." in printed(contest, 200)
    facts = {"cells": {"test": 10, "train": 40, "item": "clip", "test_frames": 600}}
    clips = replace(contest, datasets=facts)
    for said in (printed(clips, 200), as_text(compare(clips), "md")):
        assert "Scored on 10 test clips of 600 frames." in said
        assert "frames/s: test frames predicted and scored per second" in said
        assert "test/s" not in said
    line = next(line for line in printed(clips, 200).splitlines() if line.startswith(" yolov8n"))
    assert line.split()[-2:] == ["12.5", "300"]  # 600 frames in 2 s


def test_markdown_has_the_terminals_columns(contest):
    head = next(line for line in as_text(compare(contest), "md").splitlines() if line.startswith("| real data"))
    assert head.strip("| ").split(" | ") == [
        "real data", "model", "mAP50-95 %", "Δ [95 %]", "verdict", "mAP50 %", "normalised_precision %", "failures", "n",
        "train s", "test/s",
    ]  # fmt: skip


def test_a_share_says_how_many_samples_it_is(contest):
    cells = {cell: replace(place, real="25%") for cell, place in contest.cells.items()}
    for cell, record in contest.ledger.read().items():
        contest.ledger.append(replace(record, coordinates=cells[cell]))
    run = replace(contest, cells=cells, datasets={"cells": {"test": 10, "train": 41}})
    assert " 25% of real (10 of 41)" in printed(run, 200)
    assert "| 25% (10 of 41) | yolov8n" in as_text(compare(run), "md")


def test_a_baseline_without_scores_says_what_became_of_it(contest):
    for record in contest.ledger.read().values():
        if record.cell.startswith("faster"):
            contest.ledger.append(replace(record, status="skipped", metrics={}, reason="not for this"))
    line = next(line for line in printed(contest, 200).splitlines() if line.startswith(" fasterrcnn"))
    assert "skipped" in line
    assert "baseline" not in line


def test_every_metric_side_by_side(contest, cvbench):
    said = printed(contest, 200, every_metric=True)
    head = next(line for line in said.splitlines() if line.startswith(" model"))
    assert [one for one in head.split() if one not in ("model", "%")] == [
        "mAP50-95", "mAP50", "normalised_precision", "failures", "n"
    ]  # fmt: skip
    line = next(line for line in said.splitlines() if line.startswith(" yolov8n"))
    assert "50.00 ±0.00  2.03 ±2.49  3/3" in line
    assert "verdict" not in said.lower()
    assert "Δ" not in said
    in_markdown = as_text(compare(contest), "md", every_metric=True)
    assert "| 100% | yolov8n | 51.00 ±2.48 |" in in_markdown
    contest.write()
    assert cvbench("report", contest.path, "--metric", "all", "--format", "md").out == in_markdown


def test_what_the_suite_asks_for_in_vain_is_noted_once(contest):
    run = replace(contest, suite={"fidelity": "random", "generators": [{"name": "motion"}]})
    note = "note: fidelity: samples of clips are not judged; 'random' has no effect"
    assert printed(run, 200).count(note) == as_text(compare(run), "md").count(note) == 1
    for suite in ({"fidelity": "none", "generators": [{"name": "motion"}]}, {"fidelity": "random", "generators": []}):
        assert "not judged" not in printed(replace(contest, suite=suite), 200)


MOTA = Metric("MOTA", "", low=None)
COUNT = Metric("IDSW", "", higher_is_better=False, high=None)
PSNR = Metric("psnr", "", high=100)


@pytest.mark.parametrize(
    ("value", "half", "metric", "told"),
    [
        (-9.8333, None, MOTA, "−983.33"),
        (0.526, 0.1, MOTA, "52.60 ±10.00"),
        (0.0, None, COUNT, "0"),
        (0.0, 0.0, COUNT, "0 ±0"),
        (12.0, 4.303, COUNT, "12.0 ±4.3"),
        (1234.0, 70.4, COUNT, "1,234 ±70"),
        (0.0123, None, COUNT, "0.0123"),
        (0.12413, 0.00204, COUNT, "0.124 ±0.002"),
        (31.236, 0.5, PSNR, "31.24 ±0.50"),
    ],
)
def test_numbers_are_told_as_their_metric_is_used(value, half, metric, told):
    low, high = (None, None) if half is None else (value - half, value + half)
    assert score(Interval(value, low, high, 3), metric) == told


def test_differences_of_counts_are_counts():
    assert difference(Effect(-3.0, -5.0, -1.0, 0.1, 3), COUNT) == "−3 [−5, −1]"
    assert difference(Effect(-0.5, -1.25, 0.25, 0.1, 3), COUNT) == "−0.50 [−1.25, +0.25]"
    assert difference(Effect(-0.5, -1.25, 0.25, 0.1, 3), MOTA) == "−50.00 [−125.00, +25.00]"


def test_another_metric_has_verdicts_of_its_own_and_is_called_secondary(contest):
    primary, other = printed(contest, 200), printed(contest, 200, "mAP50")
    assert "no measurable difference" in primary
    assert "secondary" not in primary
    assert "detection · cells · models · mAP50 (secondary)" in other
    assert "mAP50 is a secondary metric" in other
    assert "better" in next(line for line in other.splitlines() if line.startswith(" yolov8n"))
    assert other.index("mAP50 %") < other.index("Δ") < other.index("mAP50-95 %")
    assert "better" in printed(contest, 200, "failures")  # lower is better
    assert printed(contest, 200, "mAP50-95") == primary
    lines = list(csv.DictReader(io.StringIO(as_text(compare(contest, "mAP50"), "csv"))))
    assert {line["metric"]: line["verdict"] for line in lines if line["model"] == "yolov8n"} == {
        "mAP50-95": "", "mAP50": "better", "normalised_precision": "", "failures": ""
    }  # fmt: skip


def test_an_unknown_metric_is_one_line_with_the_known(contest):
    with pytest.raises(UserError, match=r"--metric: the run has no metric 'mAP05'. did you mean 'mAP50'") as caught:
        compare(contest, "mAP05")
    assert "normalised_precision" in str(caught.value)


def test_only_hits_and_misses_move_in_steps_of_one_item(contest):
    def half_width(per_item):
        for cell, record in contest.ledger.read().items():
            contest.ledger.append(record, {"mAP50-95": per_item[cell.startswith("yolo")]})
        effect = compare(contest).tables[0].blocks["100%"][1].measured["mAP50-95"].effect
        return effect.high - effect.difference

    rounded, free = half_width([[0.0, 1.0], [1.0, 1.0]]), half_width([[0.2, 0.7], [0.4, 0.6]])
    assert rounded > 2 * free  # two test items: a step of a half


def test_a_note_stands_under_one_table_and_what_learns_nothing_has_no_time_to_train(contest):
    place = Coordinates("detection", "cells", "still", "100%", "real", None, None, 0)
    more = {}
    for model, regimes in (("first", ("real", "augment")), ("second", ("real", "augment"))):
        for regime in regimes:
            more[model + regime] = replace(place, model=model, regime=regime)
    for cell, where in more.items():
        record = CellRecord(
            cell, where, "ok", metrics={"mAP50-95": 0.5}, notes=("3 of them twice",), seconds={"train": 77.7},
            resolved={"learns": False, "real_samples": 10},
        )  # fmt: skip
        contest.ledger.append(record)
    run = replace(contest, cells=more)
    assert printed(run, 150).count("note: 3 of them twice") == 1
    assert as_text(compare(run), "md").count("note: 3 of them twice") == 1
    assert "77.7" not in printed(run, 150)


def judged(contest, **found):
    """A run of two models and a generator that was judged once."""
    place = Coordinates("detection", "cells", "first", "100%", "real", None, None, 0)
    cells = {
        **{f"{m}{r}": replace(place, model=m, regime=r) for m in ("first", "second") for r in ("real", "augment")},
        "judged": replace(place, model="random", regime=FIDELITY, generator="flow", ratio=1.0),
    }
    contest.ledger.append(CellRecord("judged", cells["judged"], **found))
    return replace(contest, cells=cells)


def test_the_table_of_generators_names_the_model_whose_scores_it_has(contest):
    fidelity = {"values": {"frechet_distance": 3.0}, "floors": {}, "extractor": {"hash": "0"}, "compared": 3}
    said = printed(judged(contest, status="ok", fidelity=fidelity), 150)
    assert "generators · cells · 100% of real · TSTR and mixed Δ of first" in said
    assert "Fidelity: 3 pictures against" in said


def contended(contest, models, judged, trained):
    """A run in which ``judged`` seeds of a generator were judged; models → whether they learn; they trained on it
    ``trained`` seeds."""
    place = Coordinates("detection", "cells", "", "100%", "real", None, None, 0)
    cells = {}

    def add(model, regime, seed, **found):
        generator = {} if regime == "real" else {"generator": "flow", "ratio": 1.0}
        where = replace(place, model=model, regime=regime, seed=seed, **generator)
        cells[str(where)] = where
        contest.ledger.append(CellRecord(str(where), where, "ok", resolved={"real_samples": 10}, **found))

    for model, learns in models.items():
        for seed in range(judged):
            add(model, "real", seed, metrics={"mAP50-95": 0.5 + 0.01 * seed})
        for regime in ("synthetic", "mixed") if learns else ():
            for seed in range(trained):
                add(model, regime, seed, metrics={"mAP50-95": 0.25 + 0.02 * seed})
    fidelity = {"values": {"frechet_distance": 3.0}, "floors": {}, "extractor": {"hash": "0"}, "compared": 3}
    for seed in range(judged):
        add("random", FIDELITY, seed, fidelity=fidelity)
    return replace(contest, cells=cells)


def test_where_fewer_seeds_were_trained_than_judged_the_table_of_generators_says_so(contest):
    run = contended(contest, {"first": True}, judged=3, trained=1)
    line = next(line for line in printed(run, 200).splitlines() if line.startswith(" flow "))
    assert "25.00 (1 seed)  −25.00 (1 seed)" in line
    assert line.rstrip().endswith("3/3")
    assert "(1 seed): TSTR or mixed Δ is over so many seeds" in printed(run, 200)
    assert "25.00 (1 seed)" in as_text(compare(run), "md")


def test_the_real_pictures_of_a_seed_count_once_however_many_generators_are_held_against_them(contest):
    run = contended(contest, {"first": True}, judged=3, trained=3)
    cells = dict(run.cells)
    for generator in ("flow", "cgan", "vae"):
        for seed in range(3):
            place = Coordinates("detection", "cells", "random", "100%", FIDELITY, generator, 1.0, seed)
            floors = {"frechet_distance": 1.0 + seed}
            fidelity = {"values": {}, "floors": floors, "extractor": {"hash": "0"}, "compared": 3}
            cells[str(place)] = place
            run.ledger.append(CellRecord(str(place), place, "ok", resolved={}, fidelity=fidelity))
    (field,) = compare(replace(run, cells=cells)).fields
    assert len(field.contestants) == 3
    assert (field.floors["frechet_distance"].mean, field.floors["frechet_distance"].n) == (2.0, 3)


def test_contestants_that_were_not_trained_alike_are_told_of(contest):
    def given(budgets):
        for record in contest.ledger.read().values():
            budget = budgets.get(record.coordinates.model)
            resolved = {**record.resolved, "budget": budget, "learns": budget is not None}
            contest.ledger.append(replace(record, resolved=resolved))
        return printed(contest, 200)

    some, others = {"steps": 1500, "batch_size": 32}, {"steps": 1500, "batch_size": 16}
    note = "not trained alike: fasterrcnn for 1,500 steps of 32, yolov8n for 1,500 steps of 16"
    assert note in given({"fasterrcnn": some, "yolov8n": others})
    assert "trained alike" not in given({"fasterrcnn": some, "yolov8n": some})
    assert "trained alike" not in given({"fasterrcnn": some})  # the other learns nothing


def test_where_all_seeds_were_trained_it_says_nothing_of_seeds(contest):
    said = printed(contended(contest, {"first": True}, judged=3, trained=3), 200)
    assert "27.00" in said
    assert "seeds)" not in said


def test_the_table_of_generators_has_the_scores_of_the_first_model_that_learns(contest):
    run = contended(contest, {"still": False, "first": True, "second": True}, judged=2, trained=2)
    said = printed(run, 200)
    assert "TSTR and mixed Δ of first" in said
    assert "26.00" in next(line for line in said.splitlines() if line.startswith(" flow "))


CONTROL = Row(
    "10%", "mixed", "copy", 1.0, True, "none", {}, Cost(None, None, None), {"ok": 3},
    judgement=Judgement(Verdict.NO_DIFFERENCE, 0.4),
)  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "judgement", "said"),
    [
        ("none", Judgement(Verdict.NO_DIFFERENCE, 0.4), ""),
        (
            "none",
            Judgement(Verdict.NO_DIFFERENCE, 0.2, alone=Verdict.WORSE),
            "10% mixed copy ×1 should be “no measurable difference” before correction too. Chance (one interval in "
            "twenty), or a broken ruler.",
        ),
        (
            "none",
            Judgement(Verdict.BETTER, 0.01),
            "should be “no measurable difference”. Chance (one interval in twenty), or a broken ruler.",
        ),
        ("gain", Judgement(Verdict.BETTER, 0.01), ""),
        # what is to be seen must outlast the correction
        (
            "gain",
            Judgement(Verdict.NO_DIFFERENCE, 0.2, alone=Verdict.BETTER),
            "should be “better”. Too few seeds to see it, or a broken ruler.",
        ),
    ],
)
def test_what_a_control_must_show(expected, judgement, said):
    table = Table("t", "d", "m", METRICS, 10, {"10%": (replace(CONTROL, expected=expected, judgement=judgement),)})
    told = controls_judged(table)
    assert told.startswith(f"Controls: {0 if said else 1} of 1 show what they must")
    assert told.endswith(said or "must.")


def test_controls_of_too_few_seeds_are_no_broken_ruler():
    few = replace(CONTROL, expected="none", judgement=Judgement(Verdict.TOO_FEW_SEEDS))
    good = replace(few, judgement=Judgement(Verdict.NO_DIFFERENCE, 0.4))
    assert controls_judged(Table("t", "d", "m", METRICS, 10, {"1": (few,)})) == "Controls: too few seeds to judge them."
    both = Table("t", "d", "m", METRICS, 10, {"1": (few,), "10": (good,)})
    assert controls_judged(both) == "Controls: 1 of 1 show what they must."


def test_controls_are_not_judged_without_a_baseline_or_by_another_metric():
    lost = replace(CONTROL, expected="loss", judgement=Judgement(Verdict.NO_BASELINE))
    assert controls_judged(Table("t", "d", "m", METRICS, 10, {"1": (lost,)})) == ""
    odd = Table("t", "d", "m", METRICS, 10, {"1": (replace(CONTROL, expected="loss"),)}, measured_by="failures")
    assert controls_judged(odd) == ""
    assert "broken ruler" in controls_judged(replace(odd, measured_by=None))


def test_a_row_without_scores_has_no_verdict_in_an_export(contest):
    for cell, record in contest.ledger.read().items():
        if cell.startswith("yolo"):
            contest.ledger.append(replace(record, status="failed", metrics={}))
    lines = csv.DictReader(io.StringIO(as_text(compare(contest), "csv")))
    assert {line["verdict"] for line in lines if line["model"] == "yolov8n"} == {""}


def test_models_that_were_made_by_other_libraries_are_told_of(contest):
    def made_with(*versions):
        for record, version in zip(contest.ledger.read().values(), versions * 6, strict=False):
            contest.ledger.append(replace(record, environment={"torch": version, "threads": 1}))
        return compare(contest).notes

    assert made_with("2.9") == ()
    records = list(contest.ledger.read().values())
    contest.ledger.append(replace(records[0], environment={"torch": "2.9", "threads": 1, "trackers": "2.6"}))
    assert compare(contest).notes == ()
    (note,) = made_with("2.9", "2.10")
    assert note == "not all models were made with the same torch (2.9, 2.10): differences may come from that"


def test_a_controls_row_is_one_before_it_is_done(contest):
    place = Coordinates("detection", "cells", "fasterrcnn", "100%", "synthetic", "noise", 1.0, 0)
    run = replace(contest, cells=contest.cells | {"n": place}, controls={"n": "loss"})
    (row,) = [row for table in compare(run).tables for row in table.rows if row.generator == "noise"]
    assert (row.control, row.expected, row.statuses) == (True, "loss", {"missing": 1})


def test_no_table_of_generators_where_none_was_judged(contest):
    run = judged(contest, status="skipped", phase="judge", reason="too few")
    said = printed(run, 150)
    assert "Fidelity: no generator's samples were judged." in said
    assert "flow: skipped in judge: too few" in said
    assert "real pictures" not in said
    assert "real pictures" not in as_text(compare(run), "md")
