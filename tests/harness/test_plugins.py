"""Plugins: found lazily, broken ones listed, unknown names answered, built-ins and templates conform."""

import json
import os
import subprocess
import sys

import pytest
from cvbench_generators.flow import FlowOptions
from cvbench_tasks.classification import Classification

from cvbench import conformance
from cvbench.errors import UserError
from cvbench.plugins import installed, listings, load_plugin, make_options
from tests.conftest import TOY, one_line_refusal

BROKEN = {
    "stranger_module.py": "from cvbench.contracts import Generator\nclass Half(Generator):\n    kinds = frozenset()\n",
    "raises.py": "raise RuntimeError('not today\\nreally')\n",
    "lacks.py": "import a_module_that_nobody_has\n",
}
POINTS = {
    "generators": {
        "half": "stranger_module:Half",
        "raises": "raises:X",
        "lacks": "lacks:X",
        "gone": "no_such_file:X",
        "wrong": "json:JSONDecoder",
        "nothing": "stranger_module:Nothing",
    }
}


def test_broken_plugins_are_listed_with_their_reason_and_never_break_the_list(stranger_plugin, cvbench):
    stranger_plugin(BROKEN, POINTS, 'Requires-Dist: a-module-that-nobody-has; extra == "more"\n')
    said = cvbench("list", "generators", "--format", "json")
    assert said.code == 0
    rows = {row["name"]: row for row in json.loads(said.out)["generators"]}
    assert rows["flow"]["status"] == "ok"
    assert "raised RuntimeError at import: not today really" in rows["raises"]["status"]
    assert "pip install 'stranger[more]'" in rows["lacks"]["status"]
    assert "'no_such_file' is not installed" in rows["gone"]["status"]
    assert "not a subclass" in rows["wrong"]["status"]
    assert "does not define fit, load" in rows["half"]["status"]
    assert "unavailable" in cvbench("list").out


def test_a_broken_plugin_in_a_suite_is_one_line(stranger_plugin, cvbench, tmp_path):
    stranger_plugin(BROKEN, POINTS)
    suite = tmp_path / "s.yaml"
    suite.write_text("name: s\ntask: classification\ndatasets: [digits]\nmodels: [simple_cnn]\ngenerators: [raises]\n")
    one_line_refusal(cvbench("run", suite, "--out", tmp_path / "run"), "s.yaml:5", "raised RuntimeError at import")
    assert not (tmp_path / "run").exists()


UNSAID = """
from toy_plugins import Again, ToyTask
from cvbench.contracts import Metric

class NoMetrics(ToyTask):
    metrics = None

class NoPrimary(ToyTask):
    metrics = (Metric("top1", ""),)

class NoKinds(Again):
    kinds = None

class Splits(ToyTask):
    def check_splits(self, splits):
        raise ZeroDivisionError("of splits")

class Asked(ToyTask):
    def check_model(self, name, options, spec):
        raise ZeroDivisionError("of models")
"""


def test_what_a_plugin_does_not_say_and_what_it_raises_when_asked_is_one_line(stranger_plugin, cvbench, tmp_path):
    tasks = {name.lower(): f"stranger_module:{name}" for name in ("NoMetrics", "NoPrimary", "Splits", "Asked")}
    stranger_plugin(
        {"stranger_module.py": UNSAID, "toy_plugins.py": TOY},
        {"tasks": tasks, "generators": {"nokinds": "stranger_module:NoKinds"}},
    )
    said = cvbench("list", "--format", "json")
    assert said.code == 0
    status = {row["name"]: row["status"] for rows in json.loads(said.out).values() for row in rows if "status" in row}
    assert "does not say its metrics as cvbench.contracts.Task does" in status["nometrics"]
    assert "exactly one of the metrics of stranger_module:NoPrimary must be primary" in status["noprimary"]
    assert "does not say its kinds" in status["nokinds"]
    for task, words in (
        ("splits", "raised ZeroDivisionError: of splits"),
        ("asked", "raised ZeroDivisionError: of models"),
    ):
        suite = tmp_path / f"{task}.yaml"
        suite.write_text(f"name: s\ntask: {task}\ndatasets: [digits]\nmodels: [means]\nregimes: [augment]\n")
        one_line_refusal(cvbench("plan", suite), words)
    checked = cvbench("check-data", "digits")
    assert checked.code == 0
    assert "not held against what it needs: task 'splits' raised ZeroDivisionError" in checked.out


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(UserError, match=r"did you mean 'flow'.*known: .*cgan, copy"):
        load_plugin("generators", "flwo")


def test_a_generator_for_another_kind_of_annotation_is_refused(toy, cvbench, tmp_path):
    suite = tmp_path / "s.yaml"
    suite.write_text("name: s\ntask: toy\ndatasets: [digits]\nmodels: [means]\ngenerators:\n  - boxes_only\n")
    one_line_refusal(cvbench("run", suite), "s.yaml:6", "makes boxes, the task toy needs label")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"wdith": 3}, "unknown option 'wdith'. did you mean 'width'"),
        ({"width": "8"}, "'width'"),
        ({"width": 2.5}, "'width'"),
        ({"width": True}, "'width'"),
        ({"ema": 2}, "less than or equal to 1"),
    ],
)
def test_options_are_checked(given, words):
    with pytest.raises(UserError, match=words):
        make_options(FlowOptions, given, where="flow")
    assert make_options(FlowOptions, {"width": 16}) == FlowOptions(width=16)


@pytest.mark.parametrize("name", sorted(p for p, e in installed("generators").items() if e.dist.name == "cvbench"))
def test_built_in_generators_keep_the_contract(name):
    conformance.assert_generator(load_plugin("generators", name))


def test_the_built_in_task_keeps_the_contract():
    conformance.assert_task(Classification)


@pytest.mark.parametrize("name", ["fit_raises", "rubbish_chunk", "too_few", "again"])
def test_the_checks_can_fail(toy, name):
    with pytest.raises(AssertionError):
        conformance.assert_generator(load_plugin("generators", name))


@pytest.mark.parametrize("kind", ["generator", "task"])
def test_a_new_plugin_works_and_passes_its_own_tests(kind, tmp_path, cvbench, stranger_plugin):
    folder = tmp_path / "new"
    said = cvbench("new", kind, "my_own", "--out", folder)
    assert said.code == 0, said.err
    module = (folder / "my_own.py").read_text()
    assert len(module.splitlines()) < 60
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    stranger_plugin({"my_own.py": module}, {f"{kind}s": {"my_own": "my_own:MyOwn"}})
    checked = cvbench("check", f"{kind}s", "my_own")
    assert checked.code == 0, checked.out
    assert "keeps the contract" in checked.out
    one_line_refusal(cvbench("new", kind, "my_own", "--out", folder), "already exists")
    for name in ("My Own", "none", "ends_", "class"):
        one_line_refusal(cvbench("new", kind, name), "is not a name")
    taken = {"generator": "means_sampler", "task": "nearest_mean"}[kind]
    for name in ("random", "numpy"):
        one_line_refusal(cvbench("new", kind, name), f"there is a Python module {name!r} already")
    for name in (taken, kind):
        one_line_refusal(cvbench("new", kind, name), "which its file has already")


def test_every_plugin_is_listed_with_a_licence():
    for kind in ("tasks", "generators", "readers"):
        for listing in listings(kind):
            if listing.distribution == "cvbench":
                assert listing.plugin is not None, listing.problem
                assert listing.plugin.summary
                assert listing.plugin.licence


def test_a_checks_failure_is_exit_code_1(toy, cvbench):
    said = cvbench("check", "generators", "fit_raises")
    assert said.code == 1
    assert "✗" in said.out
