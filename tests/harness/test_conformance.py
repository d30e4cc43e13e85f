"""The checks of a plugin: what they must not let pass, and what they say of what they cannot check."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from cvbench.conformance import (
    _is_plain_data,
    check_generator,
    check_task,
    tiny_clips,
    tiny_pictures,
    tiny_scenes,
)
from cvbench.contracts import Generator, Sampler
from cvbench.datasets import as_kind, blinded, load_dataset
from cvbench.errors import NotApplicable
from cvbench.samples import AnnotationKind, LabelledImages, proportional_counts, shuffled_labels
from tests.toy_plugins import ToyOptions, ToyTask


class FlatSampler(Sampler):
    """One grey per class and seed: a generator that keeps every promise, for others to break one of."""

    def __init__(self, data):
        self.data = data

    def sample(self, count, *, seed, class_counts=None):
        counts = proportional_counts(self.data.class_counts(), count) if class_counts is None else class_counts
        labels, spec = shuffled_labels(counts, seed), self.data.spec
        shades = np.random.default_rng(seed).integers(0, 256, (len(labels), 1, 1, 1), np.uint8)
        shape = (len(labels), spec.height, spec.width, spec.channels)
        yield LabelledImages(spec, np.broadcast_to(shades, shape).copy(), labels)

    def save(self, folder):
        self.data.save(folder)


class Flat(Generator):
    summary, licence, kinds = "one grey", "MIT", frozenset({AnnotationKind.LABEL})
    latent = False
    sampler = FlatSampler

    def fit(self, train, *, budget, seed, progress, workplace):
        return self.sampler(train)

    def load(self, folder, *, device="cpu"):
        return self.sampler(load_dataset(folder))


def problems(cls) -> list[str]:
    return [f"{check.promise}: {check.problem}" for check in check_generator(cls) if check.problem]


def test_a_generator_that_keeps_its_promises_passes():
    assert problems(Flat) == []


def test_a_generator_without_a_latent_must_say_so():
    class Silent(Flat):
        latent = True

    assert problems(Silent)
    assert all("say latent = False" in problem for problem in problems(Silent))


class NotForYou(ToyTask):
    def check_model(self, name, options, spec):
        raise NotApplicable("only for cats")


def test_a_model_for_one_shape_only_passes_and_says_so(monkeypatch):
    def check_model(self, name, options, spec):
        if spec.channels != 1:
            raise NotApplicable("only for grey pictures")

    monkeypatch.setattr(ToyTask, "check_model", check_model)
    checks = list(check_task(ToyTask))
    assert not [check.problem for check in checks if check.problem]
    (unchecked,) = [check.promise for check in checks if not check.checked]
    assert unchecked == "10×12×3: not checked: the model says that this is not for it: only for grey pictures"
    monkeypatch.setattr(ToyTask, "check_model", lambda *_: 1 / 0)
    assert sum("ZeroDivisionError" in check.problem for check in check_task(ToyTask)) == 2
    monkeypatch.setattr(ToyTask, "check_model", NotForYou.check_model)
    assert [check.problem for check in check_task(ToyTask) if check.problem] == [
        "it says 'not for this' to pictures of 8×8×1 and 10×12×3"
    ]


def test_a_generator_for_one_shape_only_passes_and_says_so():
    class GreyOnly(Flat):
        def fit(self, train, **rest):
            if train.spec.channels != 1:
                raise NotApplicable("only for grey pictures")
            return super().fit(train, **rest)

    assert problems(GreyOnly) == []
    unchecked = [check.promise for check in check_generator(GreyOnly) if not check.checked]
    assert unchecked == [
        "10×12×3 with labels: not checked: the generator says that this is not for it: only for grey pictures"
    ]


def test_a_generator_that_refuses_everything_does_not_pass():
    class Never(Flat):
        def fit(self, train, **rest):
            raise NotApplicable("only for cats")

    assert problems(Never) == ["fits some data with labels: it says 'not for this' to pictures of 8×8×1 and 10×12×3"]


def test_a_sampler_that_refuses_what_it_was_fitted_on_does_not_pass():
    class Refuses(FlatSampler):
        def sample(self, count, *, seed, class_counts=None):
            raise NotApplicable("not today")

    class Late(Flat):
        sampler = Refuses

    assert any("gives as many samples as asked: NotApplicable: not today" in problem for problem in problems(Late))


class SameForEverySeed(FlatSampler):
    def sample(self, count, *, seed, class_counts=None):
        """The labels in another order, each with the picture that it always has."""
        (made,) = super().sample(count, seed=seed, class_counts=class_counts)
        same, places = next(super().sample(count, seed=0, class_counts=class_counts)), np.argsort(made.labels)
        images = np.empty_like(made.images)
        images[places] = same.images[np.argsort(same.labels)]
        yield LabelledImages(made.spec, images, made.labels)


class RaisesOnWidened(FlatSampler):
    def widened(self, spread):
        raise ValueError("spread")


class WidensToNothing(FlatSampler):
    def widened(self, spread):
        return None


class WalksToArrays(FlatSampler):
    def walk(self, count, *, seed):
        return self.data.images[:count]


class WalksOutOfOrder(FlatSampler):
    def walk(self, count, *, seed):
        return self.data.select(np.array([0, 12, 24, 1, 13, 25]))


class NoNotes(FlatSampler):
    notes = None


class ManyParameters(FlatSampler):
    parameter_count = "many"


@pytest.mark.parametrize(
    ("broken", "promise", "problem"),
    [
        (SameForEverySeed, "other seed, other samples", "four seeds gave the same pictures"),
        (RaisesOnWidened, "widens its latent, or says that it has none", "ValueError: spread"),
        (WidensToNothing, "widens its latent, or says that it has none", "widened gave NoneType, not a Sampler"),
        (WalksToArrays, "walks through its latent, or says that it has none", "gave ndarray, not LabelledImages"),
        (WalksOutOfOrder, "walks through its latent, or says that it has none", "gave [0, 1, 2, 0, 1, 2]"),
        (NoNotes, "notes and parameter_count are what they should be", "notes must be a tuple of strings, not None"),
        (ManyParameters, "notes and parameter_count are what they should be", "a whole number, 0 or more, not 'many'"),
    ],
)
def test_a_sampler_that_breaks_one_promise_is_told_which(broken, promise, problem):
    class Broken(Flat):
        sampler = broken

    found = problems(Broken)
    assert len(found) == 2, "one for each shape"
    assert all(promise in line and problem in line for line in found), found


@pytest.mark.parametrize("wrong", ["label", frozenset({"labels"}), frozenset()])
def test_kinds_that_are_none_are_told_in_one_line(wrong):
    class Wordy(Flat):
        kinds = wrong

    (problem,) = problems(Wordy)
    assert problem.startswith("says what it annotates with: kinds must be a frozenset of AnnotationKind")


@pytest.mark.parametrize("kind", ["torch", "object npy"])
def test_a_sampler_that_saves_pickles_does_not_pass(kind):
    class Pickled(FlatSampler):
        def save(self, folder):
            super().save(folder)
            if kind == "torch":
                torch.save({"a": torch.zeros(2)}, folder / "more.pt")
            else:
                np.save(folder / "more.npy", np.array([{}], dtype=object), allow_pickle=True)

    class Unsafe(Flat):
        sampler = Pickled

    assert [p.split(": ")[1] for p in problems(Unsafe)] == ["saves and loads without pickle"] * 2
    assert all("more." in problem for problem in problems(Unsafe))


def plain(path) -> bool:
    try:
        return _is_plain_data(path)
    except Exception:
        return False


def test_only_formats_that_run_no_code_are_plain_data(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({}))
    np.save(tmp_path / "a.npy", np.zeros(3))
    np.savez(tmp_path / "a.npz", a=np.zeros(3))
    save_file({"a": np.zeros(3)}, tmp_path / "a.safetensors")
    assert all(plain(path) for path in tmp_path.iterdir())
    for suffix in ("json", "npy", "npz", "safetensors", "pt", "pkl", "bin"):
        torch.save({"a": torch.zeros(3)}, tmp_path / f"torch.{suffix}")
        assert not plain(tmp_path / f"torch.{suffix}"), suffix
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    assert not plain(tmp_path / "objects.npz")


def test_a_model_that_reads_the_answers_does_not_pass(monkeypatch):
    monkeypatch.setattr(ToyTask, "model_options", lambda self, name: partial(ToyOptions, fault="peek"))
    found = [check.problem for check in check_task(ToyTask) if check.problem]
    assert found
    assert all("its predictions depend on the annotation" in problem for problem in found)


@pytest.mark.parametrize("kind", list(AnnotationKind))
def test_nothing_that_is_to_be_found_is_left(kind):
    data = tiny_clips(32, 32, 1) if kind is AnnotationKind.TRACKS else tiny_pictures(8, 8, 1)
    if kind not in (AnnotationKind.TRACKS, AnnotationKind.LABEL):
        data = as_kind(tiny_scenes(32, 32, 1), kind)
    blind = blinded(data)
    assert type(blind) is type(data)
    assert len(blind) == len(data)
    if kind is AnnotationKind.TRACKS:
        assert all(set(clip.tracks.frames.tolist()) <= {0} for clip in blind.clips)
        assert [clip.digest for clip in blind.clips] == [clip.digest for clip in data.clips]
    else:
        assert np.array_equal(blind.images, data.images)
        assert not any(np.any(values) for name, values in blind.annotation().items() if name != "starts")
