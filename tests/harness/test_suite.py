"""Suites: what they may say, and one clear line for everything else."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cvbench.errors import UserError
from cvbench.suite import Suite, load_suite, parse_suite
from cvbench.suite_names import builtin_suites
from cvbench.yaml_source import Source, parse_value, parse_yaml

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
    assert suite.regimes_of(flow) == ("synthetic", "mixed")
    assert (suite.regimes_of(cgan), suite.ratios_of(cgan)) == (("mixed",), (0.5, 2.0))
    assert [str(share) for share in suite.real] == ["10%", "100%"]
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
        (("seeds: 2", "seeds: []"), 3, "at least one"),
        (("seeds: 2", "seeds: [1, 1]"), 3, "1 is there twice"),
        (("seeds: 2", "seeds: 0"), 3, "between 1 and"),
        (("ratios: [0.5, 2]", "ratios: [0]"), 10, "greater than 0"),
        (("ratios: [0.5, 2]", "ratios: [.nan]"), 10, "not a number"),
        (("[0.1, 1.0]", "[1.5]"), 12, "less than or equal to 1"),
        (("[0.1, 1.0]", "[0]"), 12, "greater than 0"),
        (("real_fraction: [0.1, 1.0]", "real_fraction: []"), 12, "at least 1 item"),
        (("budget: {steps: 5}", "budget: {steps: 5.5}"), 13, "budget.steps"),
        (("budget: {steps: 5}", "budget: {stepps: 5}"), 13, "unknown key 'stepps'. did you mean 'steps'"),
        (("weights: none", "wieghts: none"), 7, "unknown option 'wieghts'. did you mean 'weights'"),
        (("- flow", "- {name: flow, options: {width: -3}}"), 9, "generators[0].options.width"),
        (("- flow", "- {name: flow, options: {width: wide}}"), 9, "integer"),
        (("- flow", "- {name: noise, budget: {steps: 3}}"), 9, "has no budget"),
        (("- flow", "- cgan"), 9, "two entries are called 'cgan'"),
        (("name: small", "name: Small Suite"), 1, "name"),
        (("task: classification", "task: classification\ntask: x"), 3, "'task' is there twice"),
        (("seeds: 2", "seeds: !!python/object/apply:os.system ['true']"), 3, "tag"),
        (("seeds: 2", "seeds: [2"), 4, "not YAML"),
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
    whole_suite = words in ("two entries are called 'cgan'", "at least one")
    assert said.startswith(f"{file}:1: " if whole_suite else f"{file}:{line}: "), said


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
        ("a: 1\n---\nb: 2", "not YAML"),
        ("? [a]\n: b", "must be a word"),
    ],
)  # fmt: skip
def test_yaml_that_no_suite_needs_is_refused(tmp_path, text, words):
    with pytest.raises(UserError, match=words):
        load_suite(written(tmp_path, text))


def test_an_empty_grid_is_refused(tmp_path):
    text = GOOD.split("generators:")[0] + "regimes: [mixed]\n"
    with pytest.raises(UserError, match="empty grid"):
        load_suite(written(tmp_path, text))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        load_suite(str(tmp_path / "none.yaml"))
    with pytest.raises(UserError, match=r"did you mean 'quickstart'"):
        load_suite("quickstrat")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="UTF-8"):
        load_suite(str(tmp_path / "binary.yaml"))
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
    for bad, words in [
        ("seeds", "KEY=VALUE"),
        ("sedes=3", "unknown key"),
        ("generators.flaw.budget.steps=3", "did you mean 'flow'"),
        ("seeds=[", "not YAML"),
        ("seeds.x=3", "neither a mapping nor a list"),
    ]:
        with pytest.raises(UserError, match=words):
            load_suite(file, [bad])


def test_a_folder_is_meant_from_where_the_suite_stands(tmp_path):
    suite = load_suite(written(tmp_path, GOOD.replace("[digits]", "[./pictures]")))
    assert suite.datasets[0].root == str(tmp_path / "pictures")
    assert suite.datasets[0].label == "pictures"
    assert suite.datasets[0].reader == ""


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
@given(st.text(max_size=60))
def test_any_text_is_plain_data_or_one_clear_line(text):
    for read in (lambda: parse_yaml(text, "x.yaml"), lambda: parse_value(text, "--set a=b")):
        with contextlib.suppress(UserError):
            read()
