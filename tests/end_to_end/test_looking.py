"""What a run made and what its models answer can be looked at, wherever its data lies."""

import json
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from cvbench.cli import main
from cvbench.curve_showing import chart
from cvbench.plugins import load_task
from cvbench.readers import open_dataset
from cvbench.readers.box_rows import read_boxes
from cvbench.readers.findings import Findings
from cvbench.readers.mot_rows import read_result

SUITE = """
name: pairs
task: segmentation
seeds: 1
datasets: [{name: ./pairs, val_fraction: 0.25}]
models: [fcn_light]
generators: [copy, cut_paste, {name: mix, of: [copy, cut_paste]}]
regimes: [mixed]
fidelity: none
budget: {steps: 2, batch_size: 4}
"""


def test_a_suite_of_a_folder_beside_it_can_be_looked_at_from_anywhere(tmp_path, cvbench):
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / "pairs" / part).mkdir(parents=True)
    for place in range(12):
        mask = np.zeros((32, 32), np.uint8)
        mask[4 : 10 + place, 6:20] = 1 + place % 2
        pixels = mask[..., None] * 80 + rng.integers(0, 40, (32, 32, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "pairs/images" / f"{place}.png")
        Image.fromarray(mask).save(tmp_path / "pairs/masks" / f"{place}.png")
    (tmp_path / "pairs/classes.txt").write_text("ground\nbox\nball\n")
    (tmp_path / "suite.yaml").write_text(SUITE)
    run = tmp_path / "run"
    said = cvbench("run", tmp_path / "suite.yaml", "--out", run)
    assert said.code == 0, said
    shown = cvbench("show", "samples", run, "--out", tmp_path / "samples")
    assert (shown.code, len(list((tmp_path / "samples").iterdir()))) == (0, 3), shown
    shown = cvbench("show", "predictions", run, "--out", tmp_path / "predictions")
    assert shown.code == 0, shown
    (sheet,) = (tmp_path / "predictions").iterdir()
    rows = 4  # picture, truth, trained on real alone, with cut_paste; nothing that a control is part of
    assert Image.open(sheet).height // 256 == rows
    assert "the run has no seed 7" in cvbench("show", "predictions", run, "--seed", 7).err


FITS = """
name: fits
task: classification
seeds: 1
datasets: [digits]
models: [simple_cnn]
generators:
  - {name: vae, budget: {steps: 45, batch_size: 8}, options: {width: 16}}
  - {name: dcgan, budget: {steps: 20, batch_size: 8}, options: {width: 8}}
  - {as: wide, name: vae, spread: 2, budget: {steps: 45, batch_size: 8}, options: {width: 16}}
  - {as: both, name: mix, of: [vae, wide]}
  - as: unsure
    name: mlp_gan
    budget: {steps: 2, batch_size: 8}
    options: {width: 8, labels: pseudo_labels, confidence: 0.999}
  - copy
regimes: [mixed]
ratios: [0.1]
fidelity: none
budget: {steps: 2, batch_size: 4}
"""


def test_fits_can_be_looked_at(tmp_path, cvbench):
    (tmp_path / "suite.yaml").write_text(FITS)
    ran = cvbench("run", tmp_path / "suite.yaml", "--out", tmp_path / "run")
    assert "unsure ×0.1: skipped in sample" in ran.out.replace("\n", " "), ran
    shown = cvbench("show", "curves", tmp_path / "run", "--out", tmp_path / "curves")
    assert shown.code == 0, shown
    names = ("dcgan", "unsure", "vae")  # each fit once, that of what could not be sampled too; a control fits nothing
    files = [tmp_path / "curves" / f"digits-100_-{name}-seed0.png" for name in names]
    assert sorted((tmp_path / "curves").iterdir()) == files
    assert all(np.asarray(Image.open(file)).std() > 10 for file in files)
    sheets = tmp_path / "sheets"
    assert cvbench("show", "samples", tmp_path / "run", "--out", sheets).code == 0
    plain, wide, first, second = (
        (sheets / f"digits-100_-{name}-seed0-walk-{of}.png").read_bytes()
        for name, of in (("vae", "vae"), ("wide", "vae"), ("both", "1-vae"), ("both", "2-vae"))
    )
    assert {first, second} == {plain, wide}
    assert plain != wide
    assert "the run has no seed 7" in cvbench("show", "curves", tmp_path / "run", "--seed", 7).err


def test_a_line_of_a_curve_joins_the_panel_of_its_kind():
    loss = [(1, 2.0), (21, 1.0), (41, 0.5)]
    one = chart({"loss, 3": loss, "loss, 7": loss}, "two classes")
    two = chart({"loss": loss, "mode coverage": [(20, 1.0)]}, "two kinds")
    assert two.width > 1.5 * one.width
    assert one.height == two.height


MANY = """
name: many
task: tracking
seeds: 1
datasets: [{name: moving-digits, options: {train: 2, test: 2, length: 6, size: [48, 48]}}]
models:
  - {name: sort, options: {detector_options: {width: 16}, min_score: 0, min_hits: 0}}
  - {as: unsure, name: sort, options: {detector_options: {width: 16}, min_score: 0, min_hits: 2}}
budget: {steps: 2, batch_size: 2}
"""
ONE = """
name: one
task: sot
seeds: 1
datasets: [{name: moving-digits, options: {train: 2, test: 2, length: 12, size: [64, 64], objects: 1}}]
models: [kalman, mil]
budget: {steps: 1, batch_size: 2}
"""


@pytest.fixture
def here(monkeypatch, capsys):
    """``here(*arguments)`` runs the command line in this process, which is quick: its exit code and its errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["cvbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0), capsys.readouterr().err

    return run


def recorded(run, model):
    """The metrics of the run's only cell of a model."""
    cells = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    (metrics,) = [cell["metrics"] for cell in cells if cell["coordinates"]["model"] == model]
    return metrics


def test_tracks_as_motchallenges_text_score_as_the_run_says(tmp_path, cvbench, here):
    (tmp_path / "suite.yaml").write_text(MANY)
    run, tracks = tmp_path / "run", tmp_path / "tracks"
    assert cvbench("run", tmp_path / "suite.yaml", "--out", run).code == 0
    assert here("show", "tracks", run, "--out", tracks)[0] == 0
    assert len(list(tracks.rglob("*.txt"))) == 4
    data = tracks / "moving_digits-100_-sort-real-seed0" / "data"
    files = [data / "test-000.txt", data / "test-001.txt"]  # where TrackEval looks for a tracker's
    lines = files[0].read_text().splitlines()
    assert lines[0].startswith("1,")
    assert lines[0].endswith(",1,-1,-1,-1")
    assert lines[-1].startswith("6,")
    test = open_dataset("moving-digits", "", None, {"train": 2, "test": 2, "length": 6, "size": [48, 48]}, 0.0).test
    assert load_task("tracking").score(map(read_result, files), test).values == recorded(run, "sort")
    (tmp_path / "nothing.txt").touch()
    assert not len(read_result(tmp_path / "nothing.txt"))  # of a tracker that found nothing

    assert here("show", "clip", run, "--out", tmp_path / "clips")[0] == 0
    film = cv2.VideoCapture(str(next((tmp_path / "clips").glob("*sort*.mp4"))))
    assert film.read()[1][-18:, 60:120].max() > 200  # the legend: what is true, what was found
    said = "cvbench: --format otb: this task's models do not follow one object. use mot\n"
    assert here("show", "tracks", run, "--format", "otb") == (2, said)
    for option, value in (("--split", "train"), ("--data-option", "a=1"), ("--reader", "otb")):
        said = f"cvbench: {option}: is for a data set: a run shows clips of all its sets\n"
        assert here("show", "clip", run, option, value) == (2, said)


def test_one_objects_boxes_in_every_benchmarks_text_score_as_the_run_says(tmp_path, cvbench, here):
    from cvbench_tasks.sot.sequences import Trajectory

    (tmp_path / "suite.yaml").write_text(ONE)
    run = tmp_path / "run"
    assert cvbench("run", tmp_path / "suite.yaml", "--out", run).code == 0
    options = {"train": 2, "test": 2, "length": 12, "size": [64, 64], "objects": 1}
    test = open_dataset("moving-digits", "", None, options, 0.0).test
    layouts = {"otb": ("{0}.txt", 1), "got10k": ("{0}/{0}_001.txt", 0), "vot": ("{0}/{0}_001.txt", 0)}
    for form, (names, first) in layouts.items():
        assert here("show", "tracks", run, "--format", form, "--out", tmp_path / form)[0] == 0
        place = tmp_path / form / "moving_digits-100_-kalman-real-seed0"
        found = [read_boxes(place / names.format(clip.name), Findings(strict=True)) - first for clip in test.clips]
        for boxes, clip in zip(found, test.clips, strict=True):
            if form == "vot":  # a 1 stands for the box that the tracker was given
                assert np.isnan(boxes[0]).all()
                boxes[0] = clip.tracks.boxes[0]
        scores = load_task("sot").score([Trajectory(boxes, np.zeros(len(boxes))) for boxes in found], test)
        assert scores.values == recorded(run, "kalman")
        assert len(list(place.rglob("*_time.txt"))) == (2 if form == "got10k" else 0)
