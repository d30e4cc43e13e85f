"""Suites from the command line: the good path, failures as rows, resuming, the kill."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

SUITE = """
name: toy
task: toy
seeds: 3
datasets: [digits]
models: [{name: means, options: {seconds: 0.2}}]
generators: [again, {name: copy, regimes: [mixed]}]
regimes: [synthetic, mixed, finetune, augment]
real_fraction: [0.2]
fidelity: none
"""


@pytest.fixture
def suite(tmp_path: Path, toy: Path) -> Path:
    file = tmp_path / "toy.yaml"
    file.write_text(SUITE)
    return file


def records(run: Path) -> dict[str, dict]:
    lines = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    return {line["cell"]: line for line in lines}


def metrics(run: Path) -> dict[str, tuple]:
    return {
        cell: (r["status"], r["metrics"], r["per_class"], (run / "items" / f"{cell}.npz").read_bytes())
        for cell, r in records(run).items()
    }


def test_a_run_is_planned_done_reported_and_not_done_twice(suite, tmp_path, cvbench, own_cache):
    run = tmp_path / "run"
    planned = cvbench("plan", suite, "--out", run)
    assert planned.code == 0
    assert "18 cells" in planned.out
    assert "no estimate yet" in planned.out
    first = cvbench("run", suite, "--out", run, "--jobs", 2)
    assert first.code == 0, first.err
    assert "18 ok" in first.out
    assert "mixed copy ×1" in first.out
    assert len((run / "ledger.jsonl").read_text().splitlines()) == 18

    again = cvbench("run", suite, "--out", run)
    assert again.out == first.out
    assert len((run / "ledger.jsonl").read_text().splitlines()) == 18
    assert "about" in cvbench("plan", suite, "--set", "seeds=4").out

    elsewhere = cvbench("run", suite, "--out", tmp_path / "other")
    assert metrics(tmp_path / "other") == metrics(run)
    assert all("train" in r["cached"] for r in records(tmp_path / "other").values())
    assert elsewhere.out == first.out

    status = cvbench("status", run)
    assert "18 ok" in status.out
    assert "finished, 18 of 18 cells done" in status.out
    for form, words in (("md", "| real"), ("csv", "difference_low"), ("json", '"schema": 1')):
        file = tmp_path / f"report.{form}"
        assert cvbench("report", run, "--format", form, "--out", file).code == 0
        assert words in file.read_text()
        assert cvbench("report", run, "--format", form).out == file.read_text()


def test_one_more_seed_runs_only_what_is_missing(suite, tmp_path, cvbench):
    run = tmp_path / "run"
    assert cvbench("run", suite, "--out", run, "--set", "seeds=2").code == 0
    before = (run / "ledger.jsonl").read_text()
    grown = cvbench("run", suite, "--out", run, "--set", "seeds=3")
    assert grown.code == 0
    after = (run / "ledger.jsonl").read_text()
    assert after.startswith(before)
    assert len(after.splitlines()) == 18


def test_another_suite_of_the_same_name_is_refused(suite, tmp_path, cvbench):
    run = tmp_path / "run"
    assert cvbench("run", suite, "--out", run, "--set", "seeds=1").code == 0
    before = (run / "run.json").read_text()
    other = cvbench("run", suite, "--out", run, "--set", "seeds=1", "--set", "budget.steps=7")
    assert other.code == 2
    assert "holds results of another suite named 'toy'" in other.err
    assert "budget" in other.err
    assert len(other.err.strip().splitlines()) == 1
    assert (run / "run.json").read_text() == before


def test_the_same_suite_twice_from_an_empty_cache_gives_identical_metrics(suite, tmp_path, cvbench):
    for name in ("a", "b"):
        said = cvbench("run", suite, "--out", tmp_path / name, CVBENCH_CACHE=str(tmp_path / f"cache-{name}"))
        assert said.code == 0
    assert metrics(tmp_path / "a") == metrics(tmp_path / "b")


@pytest.mark.parametrize(
    ("generator", "phase", "words"),
    [
        ("fit_raises", "fit", "generator 'fit_raises' raised ValueError: cannot fit this"),
        ("sample_raises", "sample", "raised KeyError"),
        ("rubbish_chunk", "sample", "sample gave list, not LabelledImages"),
        ("too_few", "sample", "was asked for"),
    ],
)
def test_a_generator_that_fails_costs_its_own_cells_and_says_why(suite, tmp_path, cvbench, generator, phase, words):
    run = tmp_path / "run"
    said = cvbench("run", suite, "--out", run, "--set", f"generators=[again, {generator}]", "--set", "seeds=2")
    assert said.code == 1
    assert "Traceback" not in said.err
    by_generator = {(r["coordinates"]["generator"], r["status"]) for r in records(run).values()}
    assert by_generator == {(None, "ok"), ("again", "ok"), (generator, "failed")}
    failed = [r for r in records(run).values() if r["status"] == "failed"]
    assert all(r["phase"] == phase and words in r["reason"] and r["tail"] for r in failed)
    assert "0/2" in said.out
    assert words.split(":")[0] in cvbench("status", run).out


def test_a_plugin_says_not_for_this_and_is_skipped(suite, tmp_path, cvbench):
    run = tmp_path / "run"
    said = cvbench("run", suite, "--out", run, "--set", "generators=[not_for_this]", "--set", "seeds=1")
    assert said.code == 0
    skipped = [r for r in records(run).values() if r["status"] == "skipped"]
    assert {r["reason"] for r in skipped} == {"only for pictures of cats"}
    assert "only for pictures of cats" in said.out


def test_a_run_that_was_skipped_whole_says_so_and_is_no_success(suite, tmp_path, cvbench):
    less = ("--set", "seeds=1", "--set", "generators=[]", "--set", "regimes=[augment]")
    unfit = "models=[{name: means, options: {fault: unfit}}]"
    said = cvbench("run", suite, "--out", tmp_path / "run", *less, "--set", unfit)
    assert said.code == 1
    assert "this model is for cats" in said.out
    assert "cvbench: every cell was skipped" in said.err


def test_a_model_never_has_the_answers(suite, tmp_path, cvbench):
    less = ("--set", "seeds=1", "--set", "generators=[]", "--set", "regimes=[augment]")
    peek = "models=[{name: means, options: {fault: peek}}]"
    cvbench("run", suite, "--out", tmp_path / "run", *less, "--set", peek)
    assert {0.05 < r["metrics"]["top1"] < 0.15 for r in records(tmp_path / "run").values()} == {True}


def test_the_oracle_is_skipped_where_nothing_is_held_back(suite, tmp_path, cvbench):
    said = cvbench(
        "run", suite, "--out", tmp_path / "run", "--set", "generators=[oracle]", "--set", "seeds=1",
        "--set", "real_fraction=[1.0]",
    )  # fmt: skip
    assert said.code == 0
    assert "nothing is held back" in said.out


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("raise", "failed", "the model fell over"),
        ("exit", "failed", "ended with code 7"),
        ("memory", "oom", "MemoryError"),
    ],
)
def test_a_model_that_fails_or_takes_its_worker_along_costs_its_own_cells(
    suite, tmp_path, cvbench, fault, status, words
):
    run = tmp_path / "run"
    models = f"models=[means, {{name: means, as: bad, options: {{fault: {fault}}}}}]"
    said = cvbench(
        "run", suite, "--out", run, "--set", models, "--set", "seeds=1", "--set", "generators=[again]",
        "--set", "regimes=[mixed]",
    )  # fmt: skip
    assert said.code == 1
    found = {(r["coordinates"]["model"], r["status"]) for r in records(run).values()}
    assert found == {("means", "ok"), ("bad", status)}
    assert any(words in r["reason"] for r in records(run).values())
    assert cvbench("run", suite, "--out", run, "--set", models, "--set", "seeds=1", "--set",
                   "generators=[again]", "--set", "regimes=[mixed]", "--retry", "none").code == 1  # fmt: skip


def small(suite, run, fault):
    return (
        "run", suite, "--out", run, "--set", "seeds=1", "--set", "generators=[]", "--set", "regimes=[augment]",
        "--set", f"models=[{{name: means, options: {{fault: {fault}}}}}]",
    )  # fmt: skip


def test_a_cell_that_lacked_a_library_is_tried_again(suite, tmp_path, cvbench, monkeypatch):
    command = small(suite, run := tmp_path / "run", "absent")
    assert cvbench(*command).code == 1  # every cell was skipped
    assert {(r["status"], r["phase"]) for r in records(run).values()} == {("skipped", "setup")}
    monkeypatch.setenv("TOY_LIBRARY", "installed by now")
    assert cvbench(*command, "--retry", "none").code == 1
    assert cvbench(*command).code == 0
    assert {r["status"] for r in records(run).values()} == {"ok"}


def test_a_mended_plugin_does_not_go_on_from_what_failed(suite, tmp_path, cvbench):
    command = small(suite, run := tmp_path / "run", "once")
    for _ in range(2):  # what the first attempt left would let the second one through
        assert cvbench(*command).code == 1
        assert {r["status"] for r in records(run).values()} == {"failed"}


def test_a_cell_over_its_time_limit_is_a_timeout(suite, tmp_path, cvbench):
    run = tmp_path / "run"
    said = cvbench(
        "run", suite, "--out", run, "--set", "time_limit=2", "--set", "seeds=1", "--set", "regimes=[augment]",
        "--set", "generators=[]", "--set", "models=[{name: means, options: {seconds: 60}}]",
    )  # fmt: skip
    assert said.code == 1
    assert {r["status"] for r in records(run).values()} == {"timeout"}


def test_two_at_once_in_one_folder_are_refused(suite, tmp_path, cvbench):
    run = tmp_path / "run"
    first = start("run", suite, "--out", run, "--set", "models=[{name: means, options: {seconds: 20}}]")
    try:
        wait_for(lambda: (run / "run.json").exists())
        second = cvbench("run", suite, "--out", run, "--set", "models=[{name: means, options: {seconds: 20}}]")
        assert second.code == 2
        assert "another cvbench is at work" in second.err
    finally:
        first.kill()
        first.wait()


def test_ctrl_c_ends_with_130_and_the_same_command_continues(suite, tmp_path, cvbench):
    run = tmp_path / "run"
    process = start("run", suite, "--out", run, "--set", "models=[{name: means, options: {seconds: 1}}]")
    wait_for(lambda: (run / "ledger.jsonl").exists())
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command continues" in err
    assert "Traceback" not in err


def test_killed_at_random_moments_a_run_ends_equal_to_an_uninterrupted_one(suite, tmp_path, cvbench):
    whole = tmp_path / "whole"
    assert cvbench("run", suite, "--out", whole, CVBENCH_CACHE=str(tmp_path / "cache-whole")).code == 0
    run, moments = tmp_path / "run", random.Random(0)
    done = [0]
    for _ in range(3):
        process = start("run", suite, "--out", run)
        # start-up takes most of the time and writes nothing: the moment is drawn among the cells
        wait_for(lambda: written(run) > done[-1])
        time.sleep(moments.uniform(0.0, 0.4))
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it had ended before it was killed"
        done.append(written(run))
    assert 0 < done[-1] < 18
    assert cvbench("run", suite, "--out", run).code == 0
    assert metrics(run) == metrics(whole)
    lines = [json.loads(line)["cell"] for line in (run / "ledger.jsonl").read_text().splitlines()]
    assert len(lines) == len(set(lines)), "a finished cell was computed twice"


def written(run: Path) -> int:
    """How many whole records the run's ledger holds."""
    return (run / "ledger.jsonl").read_bytes().count(b"\n") if (run / "ledger.jsonl").exists() else 0


def start(*arguments: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "cvbench", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background shell ignores it
    )


def wait_for(condition, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_samples_are_judged_filtered_refreshed_and_mixed(suite, tmp_path, cvbench):
    run = tmp_path / "run"
    generators = (
        "[copy, noise, {as: clean, name: copy, filter: 0.5}, {as: twice, name: noise, refresh: 2},"
        " {as: both, name: mix, of: [copy, noise]}]"
    )
    settings = [f"generators={generators}", "regimes=[mixed]", "seeds=1", "fidelity=pixel", "models=[means]"]
    said = cvbench("run", suite, "--out", run, *[word for one in settings for word in ("--set", one)])
    assert said.code == 0, said.err
    assert "generators · digits · 20% of real" in said.out
    made = {r["coordinates"]["generator"]: r for r in records(run).values() if r["coordinates"]["regime"] == "fidelity"}
    assert {name: made[name]["synthetic"] for name in made} == {
        "copy": 239, "noise": 239, "clean": 239, "twice": 478, "both": 239,
    }  # fmt: skip
    found = {name: record["fidelity"]["values"] for name, record in made.items()}
    assert len({record["fidelity"]["compared"] for record in made.values()}) == 1
    assert found["copy"]["exact_copies"] == 1
    assert found["noise"]["exact_copies"] == found["noise"]["coverage"] == 0
    assert 0.4 < found["both"]["exact_copies"] < 0.6
    assert found["copy"]["frechet_distance"] < found["both"]["frechet_distance"] < found["noise"]["frechet_distance"]
    assert cvbench("run", suite, "--out", run, *[w for one in settings for w in ("--set", one)]).out == said.out


def test_a_latent_that_is_not_there_cannot_be_widened(suite, tmp_path, cvbench):
    generators = "generators=[{name: again, spread: 2}]"
    said = cvbench("run", suite, "--out", tmp_path / "run", "--set", generators, "--set", "seeds=1")
    assert said.code == 0
    assert "skipped in sample: this generator has no latent to widen" in said.out


def test_torn_per_item_scores_cost_an_interval_and_are_recorded_again(suite, tmp_path, cvbench):
    run, less = tmp_path / "run", ("--set", "seeds=1", "--set", "generators=[]", "--set", "regimes=[augment]")
    assert cvbench("run", suite, "--out", run, *less).code == 0
    torn = min((run / "items").glob("*.npz"))
    whole = torn.read_bytes()
    torn.write_bytes(whole[:40])
    assert cvbench("report", run).code == 0
    assert cvbench("run", suite, "--out", run, *less).code == 0
    assert torn.read_bytes() == whole
    assert len((run / "ledger.jsonl").read_text().splitlines()) == 3


def test_what_generators_made_can_be_looked_at(suite, tmp_path, cvbench):
    run, less = tmp_path / "run", ("--set", "seeds=1", "--set", "generators=[copy]", "--set", "regimes=[mixed]")
    assert cvbench("run", suite, "--out", run, *less).code == 0
    said = cvbench("show", "samples", run, "--out", tmp_path / "sheets")
    assert said.code == 0
    (sheet,) = (tmp_path / "sheets").iterdir()
    assert sheet.name in said.out
    assert Image.open(sheet).height == 11 * 58  # real pictures, then a row per class
    assert "the run has no seed 7" in cvbench("show", "samples", run, "--seed", 7).err
