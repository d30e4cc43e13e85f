"""YAML that a stranger wrote: plain data with the place of every key, or one clear line."""

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cvbench.errors import UserError
from cvbench.yaml_source import parse_value, parse_yaml, written


def test_every_key_has_its_place():
    source = parse_yaml("name: a\nlist:\n  - x\n  - {deep: 1,\n     deeper: [2]}\n", "some.yaml")
    assert source.data == {"name": "a", "list": ["x", {"deep": 1, "deeper": [2]}]}
    for path, said in [
        (("name",), "some.yaml:1: name"),
        (("list", 0), "some.yaml:3: list[0]"),
        (("list", 1, "deep"), "some.yaml:4: list[1].deep"),
        (("list", 1, "deeper", 0), "some.yaml:5: list[1].deeper[0]"),
        (("list", 1, "missing"), "some.yaml:4: list[1].missing"),  # where its parent stands
        ((), "some.yaml:1"),
    ]:
        assert source.where(path) == said


def test_a_path_is_written_as_people_write_it():
    assert written(("generators", 0, "ratios", 1)) == "generators[0].ratios[1]"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3), ("0.5", 0.5), ("1e-3", 0.001), ("-2E+3", -2000.0), ("word", "word"), ("[a, 1]", ["a", 1]),
        ("yes", True), ("'no'", "no"), ("null", None), ("", None), ("2020-01-01", "2020-01-01"), ("<<", "<<"),
        ("1:30", "1:30"), ("1:30.5", "1:30.5"),
        ("1e", "1e"), ("&a [1]", [1]), ("[&a 1, *a]", [1, 1]),
    ],
)  # fmt: skip
def test_values(text, value):
    found = parse_value(text, "--set a")
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("!!python/object/apply:os.system ['true']", "the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("!!bool maybe", "tag"),
        ("!!int ''", "tag"),
        ("!!str 5", "tag"),
        ("!!map {}", "tag"),
        ("!own [1]", "the tag !own is not allowed"),
        (".nan", "not a number that can be used"),
        ("-.inf", "not a number that can be used"),
        ("1e999", "not a number that can be used"),
        ("1" * 5000, "is not a value"),
        ('"\\ud800"', "holds a character that is not text"),
        ('"a\\0b"', "holds a character that is not text"),
        ("\x01", "the character #x0001"),
        ("*nobody", "undefined alias"),
        ("&a [*a]", "nested deeper than 30"),
        ("[" * 3000, "nested too deep"),
        ("{a: 1, a: 2}", "the key 'a' is there twice"),
        ("{on: 1}", "a key must be a word"),
        ("{" + "k" * 201 + ": 1}", "a key must be printable and at most 200"),
        ('{"\\e[31m": 1}', "a key must be printable"),
    ],
)
def test_what_no_suite_needs_is_refused_with_its_line(value, words):
    with pytest.raises(UserError) as caught:
        parse_yaml(f"first: 1\nsecond: {value}\n", "some.yaml")
    said = str(caught.value)
    assert words in said
    assert len(said) < 300
    assert said.startswith("some.yaml: " if words == "nested too deep" else "some.yaml:2: "), said
    with pytest.raises(UserError, match=r"^--set a: "):
        parse_value(value, "--set a")


def test_aliases_are_followed_up_to_a_budget():
    row = "[" + ", ".join(["*a"] * 100) + "]"
    assert len(parse_yaml(f"a: &a x\nb: {row}\n", "some.yaml").data["b"]) == 100
    laughs = "a: &a [x]\n" + "".join(
        f"{chr(98 + k)}: &{chr(98 + k)} [{', '.join(['*' + chr(97 + k)] * 10)}]\n" for k in range(9)
    )
    with pytest.raises(UserError, match="YAML bomb"):
        parse_yaml(laughs, "some.yaml")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.text("!&*[]{}:,-?|>'\"%@#\n \\abx01.e_", max_size=40))
@example("!!float ''")
@example("0b_")
@example("? ? ?")
def test_any_text_is_plain_data_or_one_clear_line(text):
    for read in (lambda: parse_yaml(text, "x.yaml"), lambda: parse_value(text, "--set a=b")):
        with contextlib.suppress(UserError):
            read()
