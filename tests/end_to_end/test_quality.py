"""``cvbench quality`` from the command line: a table, JSON, pictures to look at, and refusals of one line."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.conftest import one_line_refusal


@pytest.fixture
def copies(tmp_path, cvbench):
    """An image folder of 200 digits that are training pictures."""
    made = tmp_path / "copies"
    assert cvbench("generate", "copy", "--data", "digits", "--count", 200, "--out", made).code == 0
    return made


def test_copies_are_found_out_and_shown(copies, tmp_path, cvbench):
    said = cvbench("quality", "digits", copies, "--extractor", "pixel", "--out", tmp_path / "quality")
    assert said.code == 0, said.err
    rows = {line.split()[0]: line.split()[1:] for line in said.out.splitlines() if line.strip()}
    assert rows["exact_copies"][:2] == ["1.000", "0.000"]
    assert rows["memorization"][0] == "1.000"
    assert "→ 0.5" in " ".join(rows["memorization"])
    assert "→ 0 " in " ".join(rows["kernel_distance"])
    assert "higher" in rows["recall"]
    assert "test pictures of the real data" not in said.err
    assert "200 synthetic pictures against 200 real ones" in said.out
    assert "1,198 training pictures" in said.out
    assert sorted(file.name for file in (tmp_path / "quality").iterdir()) == ["fidelity.json", "nearest-pairs.png"]
    written = json.loads((tmp_path / "quality" / "fidelity.json").read_text())
    sheet = np.asarray(Image.open(tmp_path / "quality" / "nearest-pairs.png"))
    assert sheet.shape == (18 + 4 * (56 + 18), 5 * (2 * 56 + 2 + 10) - 10)
    np.testing.assert_array_equal(sheet[18:74, :56], sheet[18:74, 58:114])

    again = cvbench("quality", "digits", copies, "--extractor", "pixel", "--format", "json")
    assert json.loads(again.out) == written  # the probe came from the cache, the numbers are the same
    assert written["extractor"]["name"] == "pixel"
    assert written["values"]["trts"] > 0.9
    one_line_refusal(cvbench("quality", "digits", copies, "--out", tmp_path / "quality"), "already exists")


def test_test_pictures_among_the_synthetic_ones_are_told(tmp_path, cvbench):
    rng = np.random.default_rng(0)
    for split, count in (("train", 40), ("test", 30)):
        for name in ("a", "b"):
            (tmp_path / "real" / split / name).mkdir(parents=True)
            for number in range(count):
                Image.fromarray(rng.integers(0, 256, (9, 9), np.uint8)).save(
                    tmp_path / "real" / split / name / f"{number}.png"
                )
    asked = ("quality", tmp_path / "real", tmp_path / "real" / "test", "--extractor", "pixel", "--format", "json")
    said = cvbench(*asked)
    assert said.code == 0, said.err
    assert "60 distinct test pictures of the real data turned up among the 60 synthetic ones" in said.err
    assert json.loads(said.out)["test_pictures_among_synthetic"] == 60
    one_line_refusal(cvbench(*asked, "--data-option", "size=12"), "its pictures are 9x9", "bring them to 12x12")
    one_line_refusal(cvbench(*asked, "--data-option", "sizes=12"), "did you mean 'size'")


def test_bad_input_is_one_line_and_nothing_is_written(copies, tmp_path, cvbench):
    options = ["--extractor", "inception", "--out", tmp_path / "quality"]
    # with torch-fidelity or without it; a dead proxy stands for no network
    said = cvbench("quality", "digits", copies, *options, TORCH_HOME=str(tmp_path / "torch"),
                   https_proxy="http://localhost:1", http_proxy="http://localhost:1")  # fmt: skip
    one_line_refusal(said, "inception: ")
    assert "pip install torch-fidelity" in said.err or "give it as --weights" in said.err
    for file in copies.glob("*/*.png"):
        if int(file.stem) >= 12:
            file.unlink()
    one_line_refusal(cvbench("quality", "digits", copies, *options), "of 10 classes are too few to compare")
    assert not (tmp_path / "quality").exists()


def test_clips_are_told_what_else_there_is(tmp_path, cvbench):
    options = [part for option in ("train=1", "test=1", "length=2") for part in ("--data-option", option)]
    said = cvbench("quality", "moving-digits", tmp_path, *options)
    one_line_refusal(said, "not clips", "cvbench show clip", "tracking or sot")
