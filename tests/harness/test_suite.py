"""Suites: what they may say, and one clear line for everything else."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cvbench.errors import UserError
from cvbench.jobs import JudgeJob
from cvbench.overrides import overridden
from cvbench.plan import make_plan
from cvbench.suite import Suite
from cvbench.suite_names import builtin_suites
from cvbench.suite_reading import MOST_MISTAKES, half_heeded, load_suite, parse_suite
from cvbench.yaml_source import Source
from tests.conftest import TOY, TOY_POINTS
from tests.faults.test_bad_data import write_folder
from tests.harness.test_video_readers import frames, text

GOOD = """\
name: small
task: classification
seeds: 2
datasets: [digits]
models:
  - simple_cnn
  - {name: resnet18, as: wide, options: {weights: none}}
generators:
  - flow
  - {name: cgan, regimes: [mixed], ratios: [0.5, 2], budget: {steps: 10}}
regimes: [synthetic, mixed, augment]
real_fraction: [0.1, 1.0]
budget: {steps: 5}
"""


def written(tmp_path: Path, text: str) -> str:
    file = tmp_path / "suite.yaml"
    file.write_text(text)
    return str(file)


def test_a_suite_is_read_with_defaults_filled_in(tmp_path):
    suite = load_suite(written(tmp_path, GOOD))
    assert suite.seeds == (0, 1)
    assert [m.label for m in suite.models] == ["simple_cnn", "wide"]
    flow, cgan = suite.generators
    share = suite.shares[0]
    assert suite.regimes_of(flow, share) == ("synthetic", "mixed")
    assert (suite.regimes_of(cgan, share), suite.ratios_of(cgan, share)) == (("mixed",), (0.5, 2.0))
    assert [str(share) for share in suite.shares] == ["10%", "100%"]
    assert suite.budget.given() == {"steps": 5}
    assert Suite.model_validate(suite.model_dump(by_alias=True)) == suite


@pytest.mark.parametrize("name", sorted(builtin_suites()))
def test_built_in_suites_are_good(name):
    suite = load_suite(name)
    assert suite.name == name
    assert len(suite.seeds) >= 3
    assert builtin_suites()[name] == suite.summary


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("seeds: 2", "sedes: 2"), 3, "unknown key 'sedes'. did you mean 'seeds'"),
        (("task: classification", "task: clasification"), 2, "unknown task 'clasification'. did you mean"),
        (("- simple_cnn", "- simple_cn"), 6, "unknown model 'simple_cn'. did you mean 'simple_cnn'"),
        (("- flow", "- flw"), 9, "unknown generator 'flw'. did you mean 'flow'"),
        (("[digits]", "[digit]"), 4, "unknown reader 'digit'. did you mean 'digits'"),
        (("regimes: [mixed]", "regimes: [mixd]"), 10, "'synthetic', 'mixed' or 'finetune', not 'mixd'"),
        (("seeds: 2", "seeds: two"), 3, "seeds"),
        (("seeds: 2", "seeds: yes"), 3, "quote the word"),
        (("seeds: 2", "seeds: []"), 3, "must have at least one entry"),
        (("seeds: 2", "seeds: [1, 1]"), 3, "1 is there twice"),
        (("seeds: 2", "seeds: 0"), 3, "between 1 and"),
        (("ratios: [0.5, 2]", "ratios: [0]"), 10, "greater than 0"),
        (("ratios: [0.5, 2]", "ratios: [.nan]"), 10, "not a number"),
        (("[0.1, 1.0]", "[1.5]"), 12, "less than or equal to 1"),
        (("[0.1, 1.0]", "[0]"), 12, "greater than 0"),
        (("real_fraction: [0.1, 1.0]", "real_fraction: []"), 12, "must have at least one entry"),
        (("budget: {steps: 5}", "budget: {steps: 5.5}"), 13, "budget.steps"),
        (("budget: {steps: 5}", "budget: {stepps: 5}"), 13, "unknown key 'stepps'. did you mean 'steps'"),
        (("weights: none", "wieghts: none"), 7, "unknown option 'wieghts'. did you mean 'weights'"),
        (("- flow", "- {name: flow, spread: 0}"), 9, "spread"),
        (("- flow", "- {name: noise, spread: 2}"), 9, "generators[0].spread: noise has no latent to widen"),
        (("- flow", "- {name: flow, filter: 1.5}"), 9, "filter"),
        (("- flow", "- {name: flow, refresh: 0}"), 9, "refresh"),
        (("- flow", "- mix"), 9, "`of` lists the generators of a `mix`"),
        (("- flow", "- {name: flow, of: [copy, noise]}"), 9, "`of` lists the generators of a `mix`"),
        (("- flow", "- {name: mix, of: [copy, noise], spread: 2}"), 9, "a mix has no spread"),
        (("- flow", "- {name: mix, of: [floww, noise]}"), 1, "names 'floww', which is no generator of this suite"),
        (("- flow", "- {name: flow, options: {width: -3}}"), 9, "generators[0].options.width"),
        (("- flow", "- {name: flow, options: {width: wide}}"), 9, "integer"),
        (("- flow", "- {name: noise, budget: {steps: 3}}"), 9, "has no budget"),
        (("- flow", "- cgan"), 8, "generators: two entries are called 'cgan'"),
        (("- flow", "- 5"), 9, "generators[0]: must be a name, or a mapping with a name, not 5"),
        (("- flow", "- no"), 9, "quote the word"),
        (("- flow", '- {name: flow, as: "a\\nb"}'), 9, "generators[0].as: must be one line of printable text"),
        (("ratios: [0.5, 2]", "ratios: [1, 1.0]"), 10, "generators[1].ratios: 1 is there twice"),
        (("ratios: [0.5, 2]", "ratios: [1, -1]"), 10, "generators[1].ratios[1]: must be greater than 0, not -1"),
        (("regimes: [mixed]", "regimes: [mixed, mixed]"), 10, "mixed is there twice"),
        (("[0.1, 1.0]", "[0.33333331, 0.33333332]"), 12, "0.333333 is there twice"),
        (("[0.1, 1.0]", "[0.1]\nreal_per_class: [3]"), 13, "exclude each other"),
        (("[synthetic, mixed, augment]", "[augment]"), 9, "the generator 'flow' needs synthetic, mixed or finetune"),
        (("[digits]", '["digits:left"]'), 4, "takes no name after a colon"),
        (("[digits]", '["torchvision:"]'), 4, "a name must follow the colon"),
        (("[digits]", "[{name: ./here, root: ./there}]"), 4, "`root` has no place here"),
        (("[digits]", "[~nobody-has-this-name/pictures]"), 4, "cannot be followed"),
        (("seeds: 2", f"seeds: {'x' * 500_000}"), 3, "must be a number of seeds or a list of them, not 'xxx"),
        (("name: small", "name: Small Suite"), 1, "name"),
        (("task: classification", "task: classification\ntask: x"), 3, "'task' is there twice"),
        (("seeds: 2", "seeds: !!python/object/apply:os.system ['true']"), 3, "tag"),
        (("seeds: 2", "seeds: [2"), 4, "not plain YAML"),
        (("models:\n", "modles:\n"), 5, "'modles'"),
    ],
)
def test_a_mistake_is_one_line_with_file_line_and_key(tmp_path, change, line, words):
    assert change[0] in GOOD
    file = written(tmp_path, GOOD.replace(*change, 1))
    with pytest.raises(UserError) as caught:
        load_suite(file)
    said = str(caught.value)
    assert words in said
    assert "\n" not in said
    assert len(said) < 2000  # 1,271 for the unknown model, which is answered with all of torchvision's
    assert said.startswith(f"{file}:{line}: "), said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be a mapping"),
        ("- a\n- b", "must be a mapping"),
        ("a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n" + "".join(
            f"{chr(99 + k)}: &{chr(99 + k)} [{','.join(['*' + chr(98 + k)] * 9)}]\n" for k in range(8)
        ), "YAML bomb"),
        ("a: " + "[" * 40 + "]" * 40, "deeper"),
        ("1: x", "must be a word"),
        ("a: 1\n---\nb: 2", "not plain YAML"),
        ("? [a]\n: b", "must be a word"),
    ],
)  # fmt: skip
def test_yaml_that_no_suite_needs_is_refused(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        load_suite(written(tmp_path, text))


def test_an_empty_grid_is_refused(tmp_path):
    text = GOOD.split("models:")[0] + "models: [simple_cnn]\nregimes: [mixed]\n"
    with pytest.raises(UserError, match=r"empty grid.*Add a generator, or regimes: \[augment\]"):
        load_suite(written(tmp_path, text))


ONE_MODEL = "name: s\ntask: classification\ndatasets: [digits]\nmodels: [simple_cnn]\n"


def test_a_share_of_its_own_regimes_counts_for_what_the_grid_spans(tmp_path):
    load_suite(written(tmp_path, ONE_MODEL + "real: [{fraction: 0.5, regimes: [augment]}]\n"))
    load_suite(
        written(
            tmp_path, ONE_MODEL + "generators: [flow]\nregimes: [augment]\nreal: [{fraction: 1.0, regimes: [mixed]}]\n"
        )
    )
    with pytest.raises(UserError, match="empty grid"):
        load_suite(written(tmp_path, ONE_MODEL + "regimes: [augment]\nreal: [{fraction: 0.5, regimes: [mixed]}]\n"))
    idle = "generators:\n  - copy\n  - {name: flow, regimes: [finetune]}\nreal: [{fraction: 0.5, regimes: [mixed]}]\n"
    with pytest.raises(UserError, match=r"suite.yaml:7: generators\[1\]: .* \(finetune\) are those of no share"):
        load_suite(written(tmp_path, ONE_MODEL + idle))
    load_suite(written(tmp_path, ONE_MODEL + idle.replace("\nreal:", "\n  - {name: mix, of: [copy, flow]}\nreal:")))


JUDGED = (
    ONE_MODEL
    + "seeds: 1\ngenerators:\n  - {name: copy, ratios: [%s]}\n  - {name: noise, ratios: [1]}\nreal_per_class: [10]\n"
)


@pytest.mark.parametrize(("ratio", "compared"), [(0.5, 50), (0.2, 20), (0.1, 100)])
def test_all_generators_are_judged_on_as_many_pictures_unless_one_has_too_few_to_say_anything(
    tmp_path, ratio, compared
):
    plan = make_plan(load_suite(written(tmp_path, JUDGED % ratio)), device="cpu")
    judging = [cell.job.most for cell in plan.cells if isinstance(cell.job, JudgeJob)]
    assert judging == [compared, compared]


def test_a_plan_tells_a_folders_licence_as_its_reader_does(tmp_path, cvbench):
    write_folder(tmp_path / "data")
    text = f"{GOOD.split('datasets')[0]}datasets: [./data]\nmodels: [simple_cnn]\nregimes: [augment]\n"
    said = cvbench("plan", written(tmp_path, text), COLUMNS="150")
    assert said.code == 0, said
    assert "2 classes; 5×4×3; licence: the user's own" in said.out


def test_a_plan_skips_what_a_model_is_not_for_and_fits_no_generator_for_it(tmp_path, cvbench):
    for name, width in (("a", 32), ("b", 40), ("c", 32)):
        frames(tmp_path / "clips" / name / "img1", digits=6, size=(24, width))
        text(tmp_path / "clips" / name / "gt" / "gt.txt", *(f"{k},1,3,4,10,8,1,1,1" for k in range(1, 7)))
        text(tmp_path / "clips" / name / "seqinfo.ini", "[Sequence]", f"name={name}", "imDir=img1", "seqLength=6")
    suite = "name: small\ntask: tracking\nseeds: 2\ndatasets: [./clips]\nmodels: [sort]\nfidelity: random\n"
    said = cvbench("plan", written(tmp_path, suite + "generators: [motion]\nregimes: [mixed]\n"), COLUMNS="150")
    assert said.code == 0, said
    assert "1 class; various sizes; licence" in said.out
    assert "4 cells (4 skipped)" in said.out
    assert "  4 skipped: a detector needs clips of one size: set the reader's option size" in said.out
    assert "fit a generator" not in said.out
    assert said.out.count("fidelity: samples of clips are not judged; 'random' has no effect") == 1


def test_a_model_of_another_task_is_told_as_such(tmp_path):
    text = GOOD.replace("  - simple_cnn\n", "  - maskrcnn\n")
    with pytest.raises(UserError, match=r"unknown model 'maskrcnn'. it is a model of the task instances; or known: "):
        load_suite(written(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_suite(str(tmp_path / "none.yaml"))
    with pytest.raises(UserError, match=r"did you mean 'quickstart'"):
        load_suite("quickstrat")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        load_suite(str(tmp_path / "binary.yaml"))
    with pytest.raises(UserError, match="no suite 'aaa"):
        load_suite("a" * 300)
    with pytest.raises(UserError, match="cannot be read"):
        load_suite(str(tmp_path))
    (tmp_path / "large.yaml").write_text("a: " + "x" * 1_000_001)
    with pytest.raises(UserError, match="larger than"):
        load_suite(str(tmp_path / "large.yaml"))


def test_overrides_change_a_suite_and_are_checked_like_it(tmp_path):
    file = written(tmp_path, GOOD)
    changed = load_suite(file, ["seeds=4", "generators.flow.budget.steps=3", "models=[simple_cnn]", "budget.steps=9"])
    assert len(changed.seeds) == 4
    assert changed.generators[0].budget.steps == 3
    assert [m.name for m in changed.models] == ["simple_cnn"]
    assert changed.budget.steps == 9
    assert load_suite(file, ["generators.1.as=adversarial"]).generators[1].label == "adversarial"
    empty = written(tmp_path, GOOD.replace("budget: {steps: 5}", "budget:"))
    assert load_suite(empty, ["budget.steps=3", "budget.batch_size=2"]).budget.given() == {"steps": 3, "batch_size": 2}


def test_an_override_reaches_a_folder_by_its_path_and_by_what_tables_call_it(tmp_path):
    (tmp_path / "photos").mkdir()
    file = written(tmp_path, GOOD.replace("[digits]", "[./photos]"))
    for place in ("0", "photos"):
        assert load_suite(file, [f"datasets.{place}.options.size=64"]).datasets[0].options == {"size": 64}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("seeds", "--set seeds: must be KEY=VALUE"),
        ("=3", "--set =3: must be KEY=VALUE"),
        ("sedes=3", "--set sedes: unknown key 'sedes'. did you mean 'seeds'"),
        ("seeds=0", "--set seeds: a number of seeds must be between 1 and 10000, not 0"),
        ("seeds=three", "--set seeds: must be a number of seeds or a list of them, not 'three'"),
        ("ratios=1", "--set ratios: must be a list, not 1. write [1]"),
        ("generators.flaw.budget.steps=3", "--set generators.flaw.budget.steps: there is no entry 'flaw'. did you"),
        ("generators.9=cgan", "--set generators.9: there is no entry '9'"),
        ("generators.²=cgan", "--set generators.²: there is no entry '²'"),
        ("generators.flow.options.width=-2", "--set generators.flow.options.width: option 'width': must be"),
        ("generators.flow.optins.width=2", "--set generators.flow.optins.width: generators[0].optins: unknown key"),
        ("generators.flow.width=2", "--set generators.flow.width: unknown key 'width'. did you mean options.width?"),
        ("models.wide.weights=none", "--set models.wide.weights: unknown key 'weights'. did you mean options.weights?"),
        ("models=[5]", "--set models: models[0]: must be a name"),
        ("seeds=[", "--set seeds: not plain YAML"),
        ("seeds=!!int 3", "--set seeds: not plain YAML: the tag"),
        ("seeds.x=3", "--set seeds.x: 'x' is inside something that is neither a mapping nor a list"),
    ],
)
def test_a_wrong_override_is_told_by_its_key_not_by_the_file(tmp_path, override, said):
    with pytest.raises(UserError) as caught:
        load_suite(written(tmp_path, GOOD), ["budget.steps=3", override])
    assert str(caught.value).startswith(said)


def test_a_budget_that_no_model_heeds_is_refused_and_one_that_some_heed_is_noted(tmp_path):
    own = "models:\n  - {name: simple_cnn, budget: {steps: 7}}"
    some = written(tmp_path, GOOD.replace("models:\n  - simple_cnn", own))
    changed = ["budget.steps=9"]
    assert half_heeded(load_suite(some, changed), changed) == [
        "--set budget.steps does not reach all models: simple_cnn has steps of its own"
    ]
    assert half_heeded(load_suite(some, ["budget.batch_size=9"]), ["budget.batch_size=9"]) == []
    assert half_heeded(load_suite(some), []) == []
    said = "--set budget.steps: changes nothing: simple_cnn and wide have steps of their own. --set models.simple_cnn."
    for override in ("budget.steps=9", "budget={steps: 9}"):
        with pytest.raises(UserError) as caught:
            load_suite(some, ["models.wide.budget.steps=3", override])
        assert str(caught.value).startswith(said)
        assert str(caught.value).endswith("budget.steps=9")


MISTAKEN = """\
name: small
task: classification
sedes: 2
datasets: [digits]
models: [simple_cnn]
generators: [{name: flow, budget: {steps: many}}]
ratios: 1
"""


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ["3: sedes: unknown", "6: generators[0].budget.steps: must be", "7: ratios: must be a list"]),
        ({"models:": "modles:", "ratios: 1": ""}, ["3: sedes: unknown", "5: modles: unknown", "6: generators[0]"]),
        ({"sedes": "seeds", "[simple_cnn]": "[5]", "many": "3"}, ["5: models[0]: must be a name", "7: ratios"]),
        (
            {
                "sedes": "seeds", "ratios: 1": "", "[digits]": "[digit]", "[simple_cnn]": "[simple_cm]",
                "budget: {steps: many}": "options: {wdith: 3, ema: 7}",
            },
            [
                "4: datasets[0]: unknown reader 'digit'", "5: models[0]: unknown model",
                "6: generators[0].options.wdith: unknown", "6: generators[0].options.ema: option 'ema': must be",
            ],
        ),
    ],
)  # fmt: skip
def test_every_mistake_of_a_file_is_told_once(tmp_path, monkeypatch, changes, lines):
    monkeypatch.setattr("cvbench_tasks.classification._in_torchvision", lambda name: False)  # asks torchvision
    text = MISTAKEN
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    file = written(tmp_path, text)
    with pytest.raises(UserError) as caught:
        load_suite(file)
    said = [str(caught.value), *getattr(caught.value, "__notes__", ())]
    assert len(said) == len(lines), said
    for line, words in zip(said, lines, strict=True):
        assert line.startswith(f"{file}:{words}"), line


def test_a_list_that_is_too_short_is_told(tmp_path):
    with pytest.raises(UserError, match="must have at least"):
        load_suite(written(tmp_path, GOOD.replace("- flow", "- {name: mix, of: [cgan]}")))


def test_a_file_full_of_mistakes_tells_the_first(tmp_path):
    with pytest.raises(UserError) as caught:
        load_suite(written(tmp_path, GOOD + "".join(f"key_{n}: 1\n" for n in range(50))))
    assert len(caught.value.__notes__) == MOST_MISTAKES
    assert caught.value.__notes__[-1] == f"and {50 - MOST_MISTAKES} more"


def test_a_folder_named_without_a_slash_is_told_how_to_write_it(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UserError, match=r"unknown reader 'photos'\. for the folder write \./photos"):
        load_suite(written(tmp_path, GOOD.replace("[digits]", "[photos]")))


def test_the_rest_of_an_overridden_file_keeps_its_lines(tmp_path):
    file = written(tmp_path, GOOD.replace("[0.1, 1.0]", "[7]"))
    with pytest.raises(UserError) as caught:
        load_suite(file, ["seeds=1", "models=[simple_cnn]"])
    assert str(caught.value).startswith(f"{file}:12: real_fraction[0]: ")


def test_a_folder_is_meant_from_where_the_suite_stands(tmp_path):
    suite = load_suite(written(tmp_path, GOOD.replace("[digits]", "[./pictures]")))
    assert suite.datasets[0].root == str(tmp_path / "pictures")
    assert suite.datasets[0].label == "pictures"
    assert suite.datasets[0].reader == ""


def test_a_folder_may_have_a_long_name(tmp_path):
    folder = f"./{'deep/' * 40}pictures"
    suite = load_suite(written(tmp_path, GOOD.replace("[digits]", f"[{folder}]")))
    assert suite.datasets[0].label == "pictures"


STRANGERS = """
from toy_plugins import Again, ToyTask

class Mute(Again):
    Options = dict

class Kindless(ToyTask):
    def model_options(self, name):
        raise KeyError(name)
"""
TOY_SUITE = "name: toys\ntask: toy\nseeds: 1\ndatasets: [digits]\nmodels: [means]\ngenerators:\n  - again\n"


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("- again", "- boxes_only"), 7, "generators[0].name: makes boxes, the task toy needs label"),
        (("- again", "- mute"), 7, "the options of 'mute' cannot be used: TypeError"),
        (("task: toy", "task: forgetful"), 5, "task 'forgetful' raised KeyError: 'means'"),
    ],
)
def test_a_strangers_fault_is_told_where_its_name_stands(tmp_path, stranger_plugin, change, line, words):
    points = {
        "tasks": TOY_POINTS["tasks"] | {"forgetful": "stranger_module:Kindless"},
        "generators": TOY_POINTS["generators"] | {"mute": "stranger_module:Mute"},
    }
    stranger_plugin({"toy_plugins.py": TOY, "stranger_module.py": STRANGERS}, points)
    file = written(tmp_path, TOY_SUITE)
    assert load_suite(file).task == "toy"
    file = written(tmp_path, TOY_SUITE.replace(*change))
    with pytest.raises(UserError) as caught:
        load_suite(file)
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert words in str(caught.value)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(yaml.safe_load(GOOD))), junk, max_size=5))
def test_any_junk_is_a_suite_or_one_clear_line(change):
    data = {**yaml.safe_load(GOOD), **change}
    with contextlib.suppress(UserError):
        parse_suite(Source("suite.yaml", data))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(["seeds", "generators", "budget", "0", "flow", "options", "", "²"]), max_size=4),
    st.sampled_from(["3", "[1]", "{a: b}", "", "no", "!!int x", "x", "-1e9"]),
)
def test_any_override_is_a_suite_or_one_clear_line(key, value):
    data = yaml.safe_load(GOOD)
    with contextlib.suppress(UserError):
        parse_suite(overridden(Source("suite.yaml", data), [f"{'.'.join(key)}={value}"]))


def test_a_share_may_have_regimes_and_ratios_of_its_own(tmp_path):
    shares = "real: [{fraction: 1.0, regimes: [synthetic], ratios: [0.5]}, {per_class: 10}]"
    suite = load_suite(written(tmp_path, GOOD.replace("real_fraction: [0.1, 1.0]", shares)))
    whole, few = suite.shares
    flow, cgan = suite.generator("flow"), suite.generator("cgan")
    assert suite.regimes_of(flow, whole) == ("synthetic",)
    assert suite.regimes_of(cgan, whole) == ()  # it has regimes of its own, and none of them is asked for here
    assert suite.ratios_of(flow, whole) == (0.5,)
    assert suite.regimes_of(cgan, few) == ("mixed",)
    assert (suite.ratios_of(flow, few), suite.ratios_of(cgan, whole)) == (suite.ratios, (0.5, 2))
