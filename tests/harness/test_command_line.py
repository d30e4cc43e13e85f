"""The command line's own words: help that loses none, mistakes of one line, and pages on one plugin."""

import importlib
import json
import pkgutil
import subprocess
import sys

import pytest
import typer
from rich.text import Text

from cvbench import cli
from cvbench.cli.app import app
from cvbench.plugins import installed
from tests.conftest import one_line_refusal


def commands(group=None, path="cvbench"):
    for module in pkgutil.iter_modules(cli.__path__):  # each adds its commands
        importlib.import_module(f"cvbench.cli.{module.name}")
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_help_loses_no_word_to_markup(name, command):
    said = [command.help or "", *(getattr(parameter, "help", None) or "" for parameter in command.params)]
    assert any(said)
    for words in said:
        assert Text.from_markup(words).plain == words


def test_help_shows_the_defaults_that_are_computed(cvbench):
    said = " ".join(cvbench("run", "--help", COLUMNS="200").out.split())
    for default in ("runs/NAME", "one per GPU, or per core", "cores shared out"):
        assert f"[default: ({default})]" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pln"], ["no such command 'pln'. did you mean 'plan'? See `cvbench --help`"]),
        (["run"], ["missing argument 'SUITE'", "`cvbench run --help`"]),
        (["run", "quickstart", "--jobs", "many"], ["--jobs: must be a whole number"]),
        (["plan", "quickstart", "--device", "gpu"], ["--device: 'gpu' is not one of 'auto', 'cpu', 'cuda'"]),
        (["--nothing"], ["no such option: --nothing"]),
        (["cache", "prune", "--older-than", "old"], ["--older-than: must be a whole number"]),
        (["check", "generatr", "flow"], ["unknown kind 'generatr'. did you mean 'generator'"]),
        (["new", "generators", "flow"], ["there is a generator 'flow' already", "choose another name"]),
        (["list", "generators", "flwo"], ["unknown generator 'flwo'. did you mean 'flow'"]),
        (["list", "generatr"], ["nothing is called 'generatr'. did you mean 'generators'"]),
        (["list", "cats", "flow"], ["unknown kind 'cats'"]),
        (["plan", "quickstart", "--set", "seeds=three"], ["--set seeds: must be a number of seeds or a list"]),
    ],
)
def test_a_wrong_command_line_is_one_line(tmp_path, monkeypatch, capsys, arguments, words):
    from cvbench.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["cvbench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert len(said.err.strip().splitlines()) == 1, said.err
    assert said.err.startswith("cvbench: ")
    for word in words:
        assert word in said.err
    assert not list(tmp_path.iterdir())


def test_a_file_of_mistakes_is_a_line_for_each(tmp_path, cvbench):
    suite = tmp_path / "s.yaml"
    suite.write_text("name: s\ntask: classification\nsedes: 3\ndatasets: [digits]\nmodels: [5]\nratios: 1\n")
    said = cvbench("plan", suite)
    assert said.code == 2
    lines = said.err.splitlines()
    assert len(lines) == 3
    for number, line in zip((3, 5, 6), lines, strict=True):
        assert line.startswith(f"cvbench: {suite}:{number}: ")


def test_no_command_prints_the_help(cvbench):
    said = cvbench()
    assert "check-data" in said.out
    assert said.err == ""


@pytest.mark.parametrize("kind", ["generator", "generators"])
def test_a_kind_is_understood_as_one_and_as_many(kind, cvbench, tmp_path):
    assert '"flow"' in cvbench("list", kind, "--format", "json").out
    assert cvbench("new", kind, "my_gen", "--out", tmp_path / "mine").code == 0
    assert (tmp_path / "mine" / "my_gen.py").exists()


def test_a_list_of_generators_tells_what_they_make_and_for_how_long(cvbench):
    rows = {row["name"]: row for row in json.loads(cvbench("list", "generators", "--format", "json").out)["generators"]}
    assert (rows["flow"]["makes"], rows["flow"]["steps"]) == ("label", "3,000")
    assert (rows["cut_paste"]["makes"], rows["cut_paste"]["steps"]) == ("boxes, instances, mask", "")
    one_line_refusal(cvbench("list", "mix"), "'mix' is a suite's word", "docs/suites.md")


def test_every_option_of_a_generator_is_told(cvbench):
    said = cvbench("list", "flow").out
    assert "default budget: 3,000 steps of 128, precision auto" in said
    assert "licence: Apache-2.0" in said
    for row in (
        "width whole number above 0, a multiple of 16 48",
        "ema number above 0, at most 1 0.995",
        "solver euler or heun euler",
    ):
        assert row in " ".join(said.split())
    page = json.loads(cvbench("list", "generators", "flow", "--format", "json").out)["generators"][0]
    assert page["options"]["width"]["default"] == 48
    assert page["budget"] == {"steps": 3000, "batch_size": 128, "precision": "auto"}


def test_a_name_of_several_kinds_has_a_page_for_each(cvbench):
    pages = json.loads(cvbench("list", "mnist", "--format", "json").out)
    assert set(pages) == {"readers", "suites"}
    assert "fetch the named set" in pages["readers"][0]["about_options"]
    assert pages["suites"][0]["yaml"].startswith("name: mnist")


def test_a_models_page_tells_what_it_takes_over(cvbench):
    said = " ".join(cvbench("list", "simple_cnn").out.split())
    assert "width whole number above 0 32" in said
    assert "How every classifier trains." in said
    page = json.loads(cvbench("list", "resnet18", "--format", "json").out)["models"][0]
    assert page["about_options"].startswith("``weights``")  # not the signature of a class without a docstring
    assert "top1: share of pictures" in " ".join(cvbench("list", "task", "classification").out.split())


def test_a_list_of_words_has_them_as_they_are_written(cvbench):
    assert "list of none or gaussian or box or poisson at least" in " ".join(cvbench("list", "cut_paste").out.split())


def test_a_tasks_page_names_its_models(cvbench):
    said = " ".join(cvbench("list", "sot").out.split())
    assert "siamfc SiamFC: a Siamese network" in said
    assert "kcf OpenCV's KCF (contrib build); trains nothing Apache-2.0" in said
    lines = cvbench("list", "detection").out.splitlines()
    assert "BSD" in next(line for line in lines if " fasterrcnn_mobilenet" in line)  # torchvision's, not ours
    page = json.loads(cvbench("list", "tasks", "sot", "--format", "json").out)["tasks"][0]
    assert page["models"][1] == {
        "name": "siamfc",
        "summary": "SiamFC: a Siamese network finds the first frame's crop again",
        "licence": "Apache-2.0",
    }


def test_every_installed_plugin_has_a_page(capsys):
    from cvbench.cli.plugin_page import of_name, print_page

    for kind in ("generators", "readers"):
        for name in installed(kind):
            rows = {kind: [{"name": name, "summary": "", "licence": "", "from": "cvbench", "status": "ok"}]}
            for page in of_name(name, rows)[kind]:
                print_page(kind, page)
                assert page["options"] or page["about_options"] == ""


def test_a_page_imports_nothing_heavy():
    program = (
        "import sys; from cvbench.cli import main; sys.argv[1:] = ['list', 'flow']\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code\n"
        "print(*[m for m in ('torch', 'torchvision', 'sklearn') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == ""


def test_a_strangers_options_that_no_schema_can_tell_break_no_page(stranger_plugin, cvbench):
    code = (
        "from dataclasses import dataclass\nfrom cvbench.contracts import Generator\n"
        "class Odd: pass\n@dataclass(frozen=True)\nclass O:\n    x: Odd = Odd()\n"
        "class G(Generator):\n    kinds = frozenset()\n    Options = O\n"
        "    def fit(self, *a, **k): ...\n    def load(self, *a, **k): ...\n"
    )
    stranger_plugin({"stranger_module.py": code}, {"generators": {"odd": "stranger_module:G"}})
    said = cvbench("list", "odd")
    assert said.code == 0, said.err
    assert "cannot be told" in said.out


SHADOW = "from cvbench.contracts import Generator\nclass Mine(Generator):\n    kinds = frozenset()\n"


def test_a_plugin_whose_name_is_taken_is_told_and_never_used(stranger_plugin, cvbench):
    stranger_plugin({"stranger_module.py": SHADOW}, {"generators": {"copy": "stranger_module:Mine"}})
    assert installed("generators")["copy"].value == "cvbench_generators.controls:Copy"
    rows = json.loads(cvbench("list", "generators", "--format", "json").out)["generators"]
    assert [(row["from"], row["status"]) for row in rows if row["name"] == "copy"] == [
        ("cvbench", "ok"),
        ("stranger", "unavailable: the name is taken by cvbench; give it another"),
    ]
    checked = cvbench("check", "generator", "copy")
    assert "stranger's 'copy' is not what is checked: the name is taken by cvbench" in checked.err
    assert "keeps the contract" in checked.out
    one_line_refusal(cvbench("new", "generator", "copy"), "there is a generator 'copy' already")
