"""Content keys: what they depend on, and what they must not."""

from dataclasses import replace

import pytest

from cvbench import jobs
from cvbench.contracts import Budget
from cvbench.errors import DataError
from cvbench.jobs import (
    CellJob,
    DataRef,
    Filter,
    FitJob,
    JudgeJob,
    MixJob,
    PluginRef,
    RealPart,
    SampleJob,
    closure,
    needs,
)
from cvbench.steps import _check_unchanged
from cvbench.store import content_fingerprint

DATA = DataRef("digits", "digits", "", None, {}, 0.0, None, (8, 8, 1), "train-test", "train")
PART = RealPart(DATA, 0.1, None, 7)
FIT = FitJob(PluginRef("flow", "flow v1", {}), Budget(10), PART, 1, "torch cpu")
SAMPLES = SampleJob(FIT, 100, 2)
CELL = CellJob(
    PluginRef("classification", "task v1", {}), PluginRef("cnn", "model v1", {}), PluginRef("cnn", "model v1", {}),
    Budget(10), PART, "mixed", SAMPLES,
    3, 4, "torch cpu",
)  # fmt: skip


def with_data(job, **changes):
    return replace(job, part=replace(job.part, data=replace(job.part.data, **changes)))


def test_a_fit_depends_on_the_train_split_and_on_no_test_picture():
    assert with_data(FIT, fingerprint="train-another test").key == FIT.key
    assert with_data(FIT, train_fingerprint="another").key != FIT.key


def test_what_a_filter_keeps_depends_on_the_probe(monkeypatch):
    filtered = replace(SAMPLES, filter=Filter(0.9, 0))
    before, plain = filtered.description(), SAMPLES.description()
    monkeypatch.setattr(jobs, "PROBE_VERSION", -1)
    assert replace(SAMPLES, filter=Filter(0.9, 0)).description() != before
    assert replace(SAMPLES).description() == plain


def test_a_file_that_options_name_is_held_against_the_plan(tmp_path):
    file = tmp_path / "weights.pt"
    file.write_bytes(b"one")
    plugin = PluginRef("x", "x v1", {"weights": str(file)}, {str(file): content_fingerprint(file)})
    _check_unchanged(plugin)
    file.write_bytes(b"two")
    with pytest.raises(DataError, match=r"weights\.pt: changed since the run began"):
        _check_unchanged(plugin)


def test_scores_depend_on_the_test_split():
    assert with_data(CELL, fingerprint="train-another test").key != CELL.key


def test_a_name_or_a_place_is_in_no_key():
    moved = {"label": "mine", "root": "/elsewhere"}
    assert with_data(FIT, **moved).key == FIT.key
    assert with_data(CELL, **moved).key == CELL.key


def test_a_mended_metric_trains_nothing_again():
    mended = replace(CELL, task=PluginRef("classification", "task v2", {}))
    assert mended.model_key == CELL.model_key
    assert mended.key != CELL.key


def test_models_around_one_learnt_part_are_trained_once_and_scored_each():
    sort, bytetrack = (
        replace(CELL, model=PluginRef(name, "v1", {}), learnt=PluginRef("yolo", "v1", {})) for name in ("sort", "byte")
    )
    assert sort.model_key == bytetrack.model_key
    assert sort.key != bytetrack.key
    assert sort.model_key != replace(sort, learnt=PluginRef("yolo", "v1", {"width": 2})).model_key


def test_a_model_that_learns_nothing_depends_on_no_training_picture():
    untrained = replace(CELL, learnt=None, regime="real", synthetic=None)
    assert untrained.key == replace(untrained, part=replace(PART, fraction=0.5), budget=Budget(20)).key
    assert untrained.key != with_data(untrained, fingerprint="train-another test").key
    assert untrained.key != replace(untrained, weights_seed=9).key


def test_what_is_done_after_sampling_changes_the_set_and_not_the_fit():
    wide, kept = replace(SAMPLES, spread=1.5), replace(SAMPLES, filter=Filter(0.9, 5))
    assert len({SAMPLES.key, wide.key, kept.key}) == 3
    assert {job.fit.key for job in (SAMPLES, wide, kept)} == {FIT.key}


def test_a_mix_is_the_same_in_whatever_order_it_is_named():
    other = replace(SAMPLES, seed=9)
    assert MixJob((SAMPLES, other)) == MixJob((other, SAMPLES))
    assert MixJob((SAMPLES, other)).key == MixJob((other, SAMPLES)).key


def test_a_filters_probe_sees_what_the_generator_sees_and_the_judges_all_of_train():
    assert replace(SAMPLES, filter=Filter(0.9, 5)).probe.part == PART
    assert JudgeJob(SAMPLES, PART, "task", 100, 0, "torch cpu").probe.part.fraction == 1


def test_everything_comes_after_what_it_needs():
    judged = JudgeJob(MixJob((SAMPLES, replace(SAMPLES, filter=Filter(0.9, 5)))), PART, "task", 100, 0, "torch cpu")
    order = list(closure([judged, CELL]).values())
    assert len({job.key for job in order}) == len(order) == 8
    for place, job in enumerate(order):
        assert all(need in order[:place] for need in needs(job))
