"""Progress: what jobs are called, what is left, and what is said without a terminal."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cvbench.cli import progress as progress_module
from cvbench.cli.progress import RunProgress, _news, at_work, one_bar
from cvbench.cli.titles import Titles
from cvbench.contracts import Metric
from cvbench.estimates import Timings, sort_of
from cvbench.executors.local import Finished
from cvbench.jobs import JudgeJob, MixJob
from cvbench.ledger import Coordinates
from cvbench.steps import Outcome
from tests.harness.test_jobs import CELL, FIT, PART, SAMPLES

JUDGE = JudgeJob(SAMPLES, PART, "task", 100, 0, "torch cpu")
HERE = Coordinates("classification", "digits", "cnn", "10%", "mixed", "flow", 2.0, 3)
THERE = replace(HERE, regime="fidelity")
PLAN = SimpleNamespace(
    cells=(SimpleNamespace(job=CELL, coordinates=HERE), SimpleNamespace(job=JUDGE, coordinates=THERE)),
    task=SimpleNamespace(metrics=(Metric("ece", ""), Metric("top1", "", primary=True))),
)
JOBS = (FIT, JUDGE.probe, SAMPLES, CELL, JUDGE)


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


@pytest.fixture
def watcher(tmp_path):
    return RunProgress(JOBS, 1, Timings(tmp_path), PLAN, tmp_path)


def test_a_job_is_named_by_all_that_tells_it_from_others():
    titles = Titles(JOBS, PLAN.cells)
    assert [titles.full(job) for job in JOBS] == [
        "fit flow · digits · 10% of real · seed 3",
        "train the probe · digits · 100% of real · seed 3",
        "sample flow ×2 · digits · 10% of real · seed 3",
        "train cnn · digits · 10% of real · mixed flow ×2 · seed 3",
        "judge flow ×2 · digits · 10% of real · seed 3",
    ]
    assert titles.brief(CELL) == "train cnn · mixed flow ×2 · seed 3"
    wide = SimpleNamespace(job=CELL, coordinates=replace(HERE, model="wide"))
    assert Titles([CELL], [wide]).full(CELL) == "train wide · digits · 10% of real · mixed flow ×2 · seed 3"
    both = MixJob((SAMPLES, replace(SAMPLES, seed=9)))
    assert Titles([both], ()).full(both) == "mix flow + flow · digits · 10% of real"


def test_shares_are_told_apart_where_one_is_all():
    everything = replace(FIT, part=replace(PART, fraction=1.0))
    titles = Titles([FIT, everything, JUDGE.probe], [])
    assert titles.brief(FIT) != titles.brief(everything)


def test_other_machines_and_extractors_are_other_histories():
    assert sort_of(FIT) != sort_of(replace(FIT, engine="torch cuda"))
    assert sort_of(JUDGE) != sort_of(replace(JUDGE, extractor="inception"))


def test_what_cells_do_not_share_is_not_said_of_a_job_of_both():
    other = SimpleNamespace(job=replace(CELL, order_seed=9), coordinates=replace(HERE, ratio=1.0, seed=4))
    assert Titles(JOBS, (*PLAN.cells, other)).full(FIT) == "fit flow · digits · 10% of real"


@pytest.mark.parametrize(
    ("note", "title", "news"),
    [
        ("fitting flow", "fit flow · seed 0", ""),
        ("fitting flow for class 3", "fit flow · seed 0", "for class 3"),
        ("training", "train cnn · real", ""),
        ("evaluating", "train cnn · real", "evaluating"),
        ("", "train cnn · real", ""),
    ],
)
def test_a_note_is_shown_as_far_as_it_says_more_than_the_title(note, title, news):
    assert _news(note, title) == news


def test_lines_tell_result_cost_and_time_left(watcher, tmp_path, capsys, clock):
    timings = Timings(tmp_path)
    for job, seconds in ((FIT, 30.0), (SAMPLES, 5.0), (CELL, 60.0), (JUDGE, 7.0), (JUDGE.probe, 8.0)):
        timings.note(job, Outcome("ok", seconds={"any": seconds}))
    watcher.seconds_per_work = progress_module._learnt(timings, JOBS)
    ends = [
        (FIT, Outcome("ok", seconds={"fit": 33.0})),
        (JUDGE.probe, Outcome("ok", seconds={"probe": 2.0}, cached=("probe",))),
        (SAMPLES, Outcome("failed", "sample", "no samples today")),
        (CELL, Outcome("ok", seconds={"train": 61.0}, facts={"metrics": {"ece": 0.1, "top1": 0.93456}})),
        (JUDGE, Outcome("ok", seconds={"judge": 7.0}, facts={"fidelity": {"values": {"frechet_distance": 3.25}}})),
    ]
    for job, outcome in ends:
        watcher.started(job)
        watcher.finished(Finished(job, outcome))
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "[1/5] fit flow · digits · 10% of real · seed 3: 33.0 s; about 1 min 20 s left"
    assert said[1].endswith("seed 3: cached; about 1 min 12 s left")
    assert said[2].endswith("seed 3: failed: no samples today; about 1 min 7 s left")
    assert said[3].endswith("mixed flow ×2 · seed 3: top1 93.46 %, 1 min 1 s; about 7 s left")
    assert said[4].endswith("Fréchet distance 3.25, 7.0 s")


def test_a_running_job_is_judged_by_its_own_pace_the_rest_by_history(watcher, tmp_path, clock):
    assert watcher._left() == ""
    watcher.seconds_per_work = {progress_module.sort_of(CELL): 60 / progress_module.work(CELL)}
    assert watcher._left() == "over 1 min 0 s left"
    watcher.seconds_per_work |= {progress_module.sort_of(FIT): 1.0}
    del watcher.seconds_per_work[progress_module.sort_of(CELL)]
    assert watcher._left() == ""  # a fit's time says nothing of the trainings
    watcher.seconds_per_work = {progress_module.sort_of(CELL): 60 / progress_module.work(CELL)}
    watcher.started(FIT)
    watcher.advanced(FIT, 0, 1000, "fitting flow")
    clock.seconds += 10
    watcher.advanced(FIT, 100, 1000, "fitting flow")
    assert watcher._left() == "over 2 min 30 s left"  # 90 s of the fit, 60 s of the cell; three sorts are unknown
    watcher.workers = 2
    assert watcher._left() == "over 1 min 30 s left"  # no sooner than the fit itself


def test_a_fit_at_work_tells_what_the_next_of_its_sort_will_take(tmp_path, clock):
    other = replace(FIT, seed=8)
    watcher = RunProgress((FIT, other), 1, Timings(tmp_path), PLAN, tmp_path)
    watcher.started(FIT)
    watcher.advanced(FIT, 0, 100, "fitting")
    clock.seconds += 10
    watcher.advanced(FIT, 50, 100, "fitting")
    assert watcher._left() == "about 30 s left"


def test_the_run_writes_what_it_is_at_and_takes_it_away(watcher, tmp_path, clock):
    with watcher:
        watcher.started(FIT)
        watcher.advanced(FIT, 0, 100, "fitting")
        clock.seconds += 10
        watcher.advanced(FIT, 20, 100, "fitting")
        facts = at_work(tmp_path)
        assert (facts["done"], facts["total"]) == (0, 5)
        assert facts["left"] == ""  # 40 s of the fit say little before a training was timed
        assert facts["at_work"] == [
            {"title": "fit flow · digits · 10% of real · seed 3", "done": 20, "total": 100, "left": 40.0}
        ]
    assert at_work(tmp_path) == {}
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("torn", ["", "{", "[1]"])
def test_a_torn_word_on_what_a_run_is_at_is_no_word(tmp_path, torn):
    (tmp_path / "progress.json").write_text(torn)
    assert at_work(tmp_path) == {}


def test_without_a_terminal_each_stretch_is_a_line_and_a_long_one_several(capsys, clock):
    with one_bar("starting") as progress:
        for step in range(5):
            progress(step, 100, "fitting flow")
            clock.seconds += 10
        progress(0, 7, "sampling")
    assert capsys.readouterr().err.splitlines() == ["fitting flow", "fitting flow: 4 of 100, 16 min left", "sampling"]


STATUS_CELLS = {name: replace(HERE, seed=seed) for seed, name in enumerate("abc")}


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        (["ok"], ["not running, 1 of 3 cells done; the same `cvbench run` command continues", "says so far"]),
        (["ok", "skipped", "ok"], ["finished, 3 of 3 cells done\n", "`cvbench report", "prints what it says\n"]),
        (
            ["ok", "failed", "oom"],
            ["finished, 3 of 3 cells done; the same `cvbench run` command tries 2 of them again\n"],
        ),
        ([], ["not running, 0 of 3 cells done"]),
    ],
)
def test_status_says_how_far_a_run_is_and_what_to_do_next(tmp_path, capsys, statuses, words):
    from cvbench.cli.run import status
    from cvbench.ledger import CellRecord
    from cvbench.run_folder import RunFolder

    folder = RunFolder(tmp_path / "run", "toy", {}, PLAN.task.metrics, STATUS_CELLS, {}, 1)
    folder.write()
    for (cell, place), ended in zip(STATUS_CELLS.items(), statuses, strict=False):
        folder.ledger.append(CellRecord(cell, place, ended, reason="x"))
    left_behind = {"title": "fit flow", "done": 3, "total": 9}
    (folder.path / "progress.json").write_text(json.dumps({"left": "about 9 s left", "at_work": [left_behind]}))
    status(folder.path)
    said = capsys.readouterr().out
    for word in words:
        assert word in said
    assert "fit flow" not in said

    with folder.held():
        status(folder.path)
    assert "running, " in (said := capsys.readouterr().out)
    assert "about 9 s left" in said
    assert "now: fit flow: 3 of 9" in said
