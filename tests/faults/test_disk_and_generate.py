"""A full disk, a folder that cannot be written, and `cvbench generate`, good and bad."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cvbench.cli import fail, main
from cvbench.executors import worker
from cvbench.store import Store
from tests.conftest import one_line_refusal


def test_a_full_disk_is_one_line_and_exit_code_2(monkeypatch, capsys, tmp_path):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "ledger.jsonl"))

    monkeypatch.setattr("cvbench.ledger.Ledger.append", full)
    monkeypatch.setattr("sys.argv", ["cvbench", "run", "quickstart", "--out", str(tmp_path / "run"), "--set",
                                     "generators=[oracle]", "--set", "real_fraction=[1.0]"])  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 2
    assert len(said) == 1
    assert "ledger.jsonl: No space left on device" in said[0]


def test_a_worker_whose_disk_is_full_stops_the_run(monkeypatch, tmp_path):
    sent: list[tuple] = []

    class Pipe:
        def recv(self):
            return "a job"

        def send(self, message):
            sent.append(message)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "somewhere")

    monkeypatch.setattr(worker, "run_job", full)
    worker.serve(Pipe(), tmp_path, 1, "cpu")
    assert sent[-1] == ("stop", errno.ENOSPC, "No space left on device", "somewhere")


def test_a_full_disk_leaves_no_half_artefact(tmp_path):
    def full(folder: Path) -> dict:
        (folder / "half").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    store = Store(tmp_path)
    with pytest.raises(OSError, match="No space"):
        store.make("fit", "ab" * 32, {}, full)
    assert not store.has("fit", "ab" * 32)
    assert not list((tmp_path / "incoming").iterdir())


def test_a_cache_or_run_folder_that_cannot_be_is_one_line(tmp_path, cvbench):
    (tmp_path / "file").write_text("")
    said = cvbench("run", "quickstart", "--out", tmp_path / "run", CVBENCH_CACHE=str(tmp_path / "file" / "cache"))
    one_line_refusal(said, "the cache folder cannot be used", "CVBENCH_CACHE")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("keep me")
    one_line_refusal(cvbench("run", "quickstart", "--out", tmp_path / "full"), "is not empty and no run's folder")
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["letter.txt"]
    one_line_refusal(cvbench("report", tmp_path / "full"), "not a run's folder")
    (tmp_path / "full" / "run.json").write_text('{"format": 99}')
    one_line_refusal(cvbench("status", tmp_path / "full"), "another version")
    (tmp_path / "full" / "run.json").write_text("{")
    one_line_refusal(cvbench("report", tmp_path / "full"), "cannot be read")


def test_another_versions_cache_is_one_line(tmp_path, cvbench, own_cache):
    (own_cache / "cache.json").write_text('{"format": 0}')
    one_line_refusal(cvbench("plan", "quickstart"), "cache.json", "another version", "CVBENCH_CACHE")


def test_generate_writes_an_image_folder_and_a_contact_sheet(tmp_path, cvbench):
    made = tmp_path / "made"
    said = cvbench("generate", "flow", "--data", "digits", "--per-class", 3, "--out", made,
                   "--set", "budget.steps=2", "--set", "options.width=16", "--seed", 7)  # fmt: skip
    assert said.code == 0, said.err
    assert sorted(p.name for p in made.iterdir()) == [*"0123456789", "about.json", "contact-sheet.png"]
    files = sorted(made.glob("*/*.png"))
    assert len(files) == 30
    assert np.asarray(Image.open(files[0])).shape == (8, 8)
    assert json.loads((made / "about.json").read_text())["generator"]["options"]["width"] == 16
    assert json.loads((made / "about.json").read_text())["seed"] == 7
    assert Image.open(made / "contact-sheet.png").width > 10 * 58  # and the names of the classes
    assert cvbench("check-data", made).code == 0
    one_line_refusal(cvbench("generate", "copy", "--data", "digits", "--count", 5, "--out", made), "already exists")


def test_generate_tells_what_the_fit_noted(tmp_path, cvbench):
    """A fit in which every class shows one picture is not passed over in silence."""
    settings = ("options.loss=minimax", "options.learning_rate=1.0", "options.width=16", "budget.steps=100")
    said = cvbench("generate", "mlp_gan", "--data", "digits", "--count", 10, "--out", tmp_path / "made",
                   *(word for setting in settings for word in ("--set", setting)))  # fmt: skip
    assert said.code == 0, said.err
    notes = json.loads((tmp_path / "made" / "about.json").read_text())["notes"]
    assert [f"note: {note}" for note in notes] == [line for line in said.err.splitlines() if line.startswith("note")]
    assert "every class: 10 steps: too short for the collapse watch, which takes 400" in notes
    assert any("samples are nearly all alike" in note for note in notes)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["flw", "--data", "digits", "--count", "5"], "did you mean 'flow'"),
        (["flow", "--data", "digit", "--count", "5"], "did you mean 'digits'"),
        (["flow", "--data", "digits"], "either --count or --per-class"),
        (["flow", "--data", "digits", "--count", "0"], "at least 1, not 0"),
        (["flow", "--data", "digits", "--count", "-3"], "at least 1, not -3"),
        (["oracle", "--data", "digits", "--count", "5"], "needs a suite"),
        (["mix", "--data", "digits", "--count", "5"], "mix: a mix is for suites. generate with each"),
        (["flow", "--data", "digits", "--count", "5", "--set", "options.widht=3"], "did you mean 'width'"),
        (["flow", "--data", "digits", "--count", "5", "--set", "budget.stps=3"], "did you mean 'steps'"),
        (["flow", "--data", "digits", "--count", "5", "--set", "width=3"], "did you mean options.width?"),
        (["flow", "--data", "digits", "--count", "5", "--set", "refresh=2"], "--set refresh: is for suites"),
        (
            ["dcgan", "--data", "digits", "--count", "5", "--set", "options.confidence=0.5"],
            "confidence is for labels: pseudo_labels",
        ),
        (
            ["copy", "--data", "digits", "--count", "5", "--set", "spread=0.5"],
            "copy has no latent to widen",
        ),
        (
            [
                "cut_paste",
                "--data",
                "digit-scenes",
                "--count",
                "5",
                "--set",
                "options.things=[a]",
                "--data-option",
                "train=20",
                "--data-option",
                "test=20",
            ],
            "cut_paste is not for this data: the option things is for semantic masks",
        ),
        (["flow", "--data", "digits", "--count", "5", "--device", "cuda"], "torch sees no GPU"),
    ],
)
def test_generate_refuses_in_one_line(tmp_path, cvbench, arguments, words):
    import torch

    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    one_line_refusal(cvbench("generate", *arguments, "--out", tmp_path / "made"), words)
    assert not (tmp_path / "made").exists()


def test_a_folder_called_as_a_reader_is_told_how_to_write_it(tmp_path, cvbench):
    for name in ("yolo", "digits"):
        (tmp_path / name).mkdir()
        said = cvbench("generate", "cut_paste", "--data", name, "--count", 5, "--out", "made", cwd=tmp_path)
        one_line_refusal(said, "--data", "a reader's name and a folder here", f"for the folder write ./{name}")


def test_a_folder_needs_no_slash_and_takes_a_reader(tmp_path, cvbench):
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(6):
            Image.fromarray(np.full((10, 10), 40 * number, np.uint8)).save(tmp_path / "photos" / name / f"{number}.png")
    asked = ("generate", "copy", "--data", "photos", "--count", 4, "--data-option", "size=10", "--out")
    assert cvbench(*asked, "made", cwd=tmp_path).code == 0
    assert cvbench(*asked, "again", "--reader", "image-folder", cwd=tmp_path).code == 0
    abouts = [json.loads((tmp_path / made / "about.json").read_text()) for made in ("made", "again")]
    assert abouts[0] == abouts[1]
    assert abouts[0]["data"]["name"] == "photos"
    one_line_refusal(cvbench(*asked, "other", "--reader", "image-folders", cwd=tmp_path), "--reader", "image-folder")
    said = cvbench("quality", "photos", "made", "--data-option", "size=10", cwd=tmp_path)
    one_line_refusal(said, "too few to compare")
    one_line_refusal(cvbench("quality", "fotos", "made", cwd=tmp_path), "the real data: unknown reader 'fotos'")


def test_what_a_file_is_called_moves_no_cursor(capsys):
    with pytest.raises(SystemExit):
        fail("\x1b[2J\u202egnp.evil: not a picture, Zoë")
    assert capsys.readouterr().err == "cvbench: \\x1b[2J\\u202egnp.evil: not a picture, Zoë\n"


def test_generate_takes_options_for_the_data(tmp_path, cvbench):
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(6):
            picture = Image.fromarray(np.full((10 + number, 10), 40 * number, np.uint8))
            picture.save(tmp_path / "photos" / name / f"{number}.png")
    asked = ("generate", "copy", "--data", tmp_path / "photos", "--count", 4, "--out", tmp_path / "made")
    one_line_refusal(cvbench(*asked), "size")
    assert cvbench(*asked, "--data-option", "size=12").code == 0
    assert Image.open(next((tmp_path / "made" / "a").glob("*.png"))).size == (12, 12)
    one_line_refusal(cvbench(*asked[:-1], tmp_path / "other", "--data-option", "sizes=12"), "did you mean 'size'")
