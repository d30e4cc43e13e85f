"""Faults of a command's arguments: one line, exit code 2, before anything is fitted, and nothing left behind."""

import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from cvbench import generate as generation
from cvbench.cli import main
from cvbench.errors import UserError
from cvbench.run_folder import RunFolder
from cvbench.suite_reading import load_suite

Memory = namedtuple("Memory", "total")


@pytest.fixture
def refusal(monkeypatch, capsys):
    """``refusal(*arguments)`` runs the command line in this process and gives its one line."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr("sys.argv", ["cvbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        err = capsys.readouterr().err
        assert ended.value.code == 2
        assert "Traceback" not in err
        said = [line for line in err.splitlines() if line.startswith("cvbench: ")]  # others tell how far it was
        assert len(said) == 1, err
        return said[0]

    return run


@pytest.fixture
def unfitted(monkeypatch):
    """Fitting is a fault of the test: everything must be refused before."""

    def fit(*_: object) -> None:
        raise AssertionError("it was fitted")

    monkeypatch.setattr(generation, "run_job", fit)


def test_a_report_that_cannot_be_written_is_one_line(tmp_path, refusal):
    run = RunFolder(tmp_path / "run", "toy", {}, (), {}, {}, 1)
    run.write()
    (tmp_path / "folder").mkdir()
    assert "none/x.md: No such file or directory" in refusal(
        "report", run.path, "--format", "json", "--out", tmp_path / "none" / "x.md"
    )
    assert "folder: Is a directory" in refusal("report", run.path, "--format", "json", "--out", tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["folder", "run", "run.json"]


def test_a_run_into_a_file_is_one_line(tmp_path, refusal):
    (tmp_path / "file").write_text("keep me")
    assert "file: is a file, not a folder" in refusal("run", "quickstart", "--out", tmp_path / "file")
    assert (tmp_path / "file").read_text() == "keep me"


def test_a_name_that_no_file_can_have_is_one_line(refusal):
    assert "File name too long" in refusal("check-data", "./" + "a" * 300)


@pytest.mark.parametrize("place", [".", "full", "file", "file/made"])
def test_generate_looks_at_its_folder_before_it_fits(place, tmp_path, refusal, unfitted, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if place != ".":
        Path("full").mkdir()
        Path("full/letter.txt").touch()
        Path("file").touch()
    before = sorted(tmp_path.rglob("*"))
    line = refusal("generate", "copy", "--data", "digits", "--count", 5, "--out", place)
    words = {".": "the folder that you are in", "file/made": "no folder can be made"}
    assert words.get(place, "already exists and is not empty") in line
    assert sorted(tmp_path.rglob("*")) == before


def test_more_pictures_than_memory_are_refused_before_the_fit(tmp_path, refusal, unfitted, monkeypatch):
    arguments = ("generate", "copy", "--data", "digits", "--out", tmp_path / "made")
    assert "--count: 100,000,000,000,000 pictures of 8x8x1" in refusal(*arguments, "--count", 10**14)
    monkeypatch.setattr("psutil.virtual_memory", lambda: Memory(64 * 100 - 1))
    assert "--per-class: 100 pictures" in refusal(*arguments, "--per-class", 10)


@pytest.mark.parametrize("generator", ["sample_raises", "rubbish_chunk", "too_few"])
def test_what_a_plugins_sample_raises_in_generate_is_one_line(generator, tmp_path, refusal, toy):
    line = refusal("generate", generator, "--data", "digits", "--count", 5, "--out", tmp_path / "made")
    assert f"generator {generator!r}" in line.replace('"', "'")
    assert not (tmp_path / "made").exists()


SUITE = """
name: toy
task: classification
datasets: [digits]
generators: [flow]
models:
  - simple_cnn
  - name: resnet18
    options:
      weights: {}
"""


def test_weights_that_a_model_does_not_have_are_refused_where_they_stand(tmp_path):
    suite = tmp_path / "s.yaml"
    suite.write_text(SUITE.format("IMAGENET1K"))
    with pytest.raises(UserError, match=r"s\.yaml:10.*resnet18 has no 'IMAGENET1K'.*did you mean 'IMAGENET1K_V1'"):
        load_suite(str(suite), [])
    suite.write_text(SUITE.format("IMAGENET1K_V1"))
    assert load_suite(str(suite), []).models[1].options == {"weights": "IMAGENET1K_V1"}


def test_a_suite_without_weights_is_loaded_without_torch(tmp_path):
    suite = tmp_path / "s.yaml"
    suite.write_text(SUITE.format("none"))
    program = (
        "import sys; from cvbench.suite_reading import load_suite; load_suite(sys.argv[1], []);"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, suite], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
