"""A generator that another draws objects for depends on that other's version: the cache must not mix them up."""

import pytest
from cvbench_generators.flow import Flow

from cvbench.jobs import DataRef, RealPart
from cvbench.plan import fit_job
from cvbench.suite_reading import generator_entry

DRAWN_BY_FLOW = [("cut_paste", "objects"), ("motion", "objects"), ("joint", "drawn_by")]


def key(name: str, settings: list[str]) -> str:
    data = DataRef("d", "digits", "", None, {}, 0.0)
    return fit_job(generator_entry(name, settings), RealPart(data, 1.0, None, 0), 0, "cpu").key


@pytest.mark.parametrize(("name", "option"), DRAWN_BY_FLOW)
def test_a_new_version_of_what_draws_is_another_fit(name, option, monkeypatch):
    settings = [f"options.{option}=flow"]
    before, cut = key(name, settings), key("cut_paste", [])
    monkeypatch.setattr(Flow, "version", Flow.version + 1)
    assert key(name, settings) != before
    assert key("cut_paste", []) == cut
