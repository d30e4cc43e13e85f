"""Models side by side on real data alone: one table per contest, and what restorers made, before and after."""

import csv
import io
import json

import pytest
from PIL import Image

from cvbench.sheets import LONGEST_NAME
from cvbench.suite_reading import load_suite
from tests.conftest import one_line_refusal

TOY = """
name: toy
task: toy
seeds: 2
datasets: [digits]
models: [{as: first, name: means}, {as: second, name: means}, {as: broken, name: means, options: {fault: raise}}]
"""
RESTORERS = """
name: restorers
task: translation
seeds: 1
datasets: [digits]
models:
  - inpaint_ns
  - {as: identity hole, name: identity, options: {corruption: hole}}
  - bicubic
budget: {steps: 2, batch_size: 4}
"""


def written(folder, text):
    file = folder / "suite.yaml"
    file.write_text(text)
    return file


def test_models_on_real_data_alone_share_a_table_with_the_first_as_baseline(tmp_path, toy, cvbench):
    run = tmp_path / "run"
    said = cvbench("run", written(tmp_path, TOY), "--out", run, COLUMNS="160")
    assert said.code == 1  # broken's cells failed, the rest went on
    assert said.out.count("toy · digits · models") == 1
    assert "Δ: from first, which the suite names first." in said.out
    lines = {line.split()[0]: line for line in said.out.splitlines() if line.startswith((" first", " second", " brok"))}
    assert "baseline" in lines["first"]
    assert "2/2" in lines["second"]
    assert "failed" in lines["broken"]
    assert "0/2" in lines["broken"]
    rows = list(csv.DictReader(io.StringIO(cvbench("report", run, "--format", "csv").out)))
    assert [(row["model"], row["regime"], row["pairs"]) for row in rows] == [
        ("first", "real", ""),
        ("second", "real", "2"),
        ("broken", "real", ""),
    ]
    (table,) = json.loads(cvbench("report", run, "--format", "json").out)["tables"]
    assert (table["contest"], [row["baseline"] for row in table["rows"]]) == ("", [True, False, False])
    assert "| real data | model |" in cvbench("report", run, "--format", "md").out
    one_line_refusal(cvbench("show", "restored", run), "models give no pictures")


def test_an_augment_regime_keeps_a_table_per_model(tmp_path, toy, cvbench):
    text = TOY.replace(", {as: broken, name: means, options: {fault: raise}}", "") + "regimes: [augment]\n"
    said = cvbench("run", written(tmp_path, text), "--out", tmp_path / "run")
    assert "toy · digits · first" in said.out
    assert "toy · digits · second" in said.out


def test_what_learns_nothing_is_scored_on_real_data_alone_in_a_table_of_its_own(tmp_path, cvbench):
    text = RESTORERS.replace("models:", "models:\n  - {as: learns, name: pix2pix}")
    text = text.replace("budget:", "generators: [copy]\nregimes: [mixed]\nfidelity: none\nbudget:")
    said = cvbench("run", written(tmp_path, text), "--out", tmp_path / "run", COLUMNS="160")
    assert said.code == 0, said
    learns, rest = said.out.split("translation · digits · hole 0.5")
    assert "mixed copy ×1" in learns
    assert "inpaint_ns" in rest
    assert sum(line.startswith(" mixed") for line in said.out.splitlines()) == 1  # pix2pix's
    assert "5 ok" in said.out


def test_restorers_compete_by_corruption_and_can_be_looked_at(tmp_path, cvbench):
    run, sheets = tmp_path / "run", tmp_path / "sheets"
    said = cvbench("run", written(tmp_path, RESTORERS), "--out", run, COLUMNS="160")
    assert said.code == 0, said
    hole, low = said.out.split("translation · digits · low_resolution 2")
    assert "translation · digits · hole 0.5" in hole
    assert "identity hole" in hole
    assert "bicubic" not in hole
    assert "bicubic" in low
    assert "ssim" in low
    shown = cvbench("show", "restored", run, "--out", sheets)
    assert shown.code == 0, shown
    names = sorted(file.name for file in sheets.iterdir())
    assert names == ["digits-100_-hole_0.5-seed0.png", "digits-100_-low_resolution_2-seed0.png"]
    tall, short = (Image.open(sheets / name) for name in names)
    assert tall.height == 4 * 58  # real, corrupted, two models
    assert short.height == 3 * 58
    one_line_refusal(cvbench("show", "restored", run, "--seed", 7), "--seed: the run has no seed 7")


@pytest.mark.parametrize("name", ["restoration-quick", "restoration"])
def test_the_built_in_suites_name_every_model_so_that_a_sheet_can_show_it(name):
    suite = load_suite(name)
    assert suite.task == "translation"
    assert {entry.name for entry in suite.models} >= {"identity", "bicubic", "inpaint_ns", "nl_means", "cyclegan"}
    assert max(len(entry.label) for entry in suite.models) <= LONGEST_NAME


def test_one_model_alone_is_still_an_empty_grid(tmp_path, cvbench):
    text = RESTORERS.split("  - {as: identity")[0]
    one_line_refusal(cvbench("plan", written(tmp_path, text)), "empty grid", "one model")
