"""Labels for unconditional families: both ways' promises, kept on disk and through kills, and what they refuse."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from cvbench_generators import labelling
from cvbench_generators.adversarial import MLPGAN
from cvbench_generators.conditional_sampler import ConditionalSampler, load_sampler
from cvbench_generators.labelled_sampler import TRIES, load_labelled
from cvbench_generators.labelling import fit_labelled
from torch import nn

from cvbench.conformance import tiny_pictures
from cvbench.contracts import Budget, Workplace, silent
from cvbench.datasets import gather
from cvbench.errors import DataError, NotApplicable, TrainingDiverged, UserError
from cvbench.plugins import make_options

each_way = pytest.mark.parametrize("labels", ["per_class", "pseudo_labels"])


class Brightness(nn.Module):
    """The simplest unconditional generator: plain pictures, as bright as the training pictures are."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.deviation = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))


def draw(network, labels, noise):
    levels = network.mean + network.deviation * noise.normal(len(labels))
    return levels[:, None, None, None].expand(-1, 1, 8, 8)


def fit_brightness(train, *, budget, seed, progress, workplace):
    network, levels = Brightness(), torch.from_numpy(train.images.mean((1, 2, 3)) / 127.5 - 1)
    with torch.no_grad():
        network.mean.copy_(levels.mean())
        network.deviation.copy_(levels.std())
    curves = {"loss": [(budget.steps, 0.5)]}
    return ConditionalSampler(network, draw, train.spec, train.class_counts(), {}, curves, ("fitted at once",))


def load_brightness(folder, *, device):
    return load_sampler(folder, device, lambda spec, about: (Brightness(), draw))


def labelled(labels, data, folder, *, confidence=0.0, steps=30):
    return fit_labelled(
        fit_brightness,
        load_brightness,
        data,
        labels=labels,
        confidence=confidence,
        budget=Budget(steps, 16, "fp32"),
        seed=1,
        progress=silent,
        workplace=Workplace(folder),
    )


def drawn(sampler, data, count=30, seed=3, **asked):
    return gather(sampler.sample(count, seed=seed, **asked), data.spec)


@pytest.fixture(autouse=True)
def _quick_probe(monkeypatch):
    monkeypatch.setattr(labelling, "PROBE_STEPS", 60)


@each_way
def test_samples_look_like_their_label_in_the_counts_asked_for(labels, tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler = labelled(labels, data, tmp_path)
    made = drawn(sampler, data, 300)
    assert made.class_counts().tolist() == [100, 100, 100]
    dark, grey, light = (made.images[made.labels == label].mean((1, 2, 3)) for label in range(3))
    assert np.percentile(dark, 95) < np.percentile(grey, 5) < np.percentile(grey, 95) < np.percentile(light, 5)
    asked = drawn(sampler, data, 7, class_counts=np.array([5, 0, 2], dtype=np.int64))
    assert asked.class_counts().tolist() == [5, 0, 2]
    assert len(drawn(sampler, data, 0)) == 0


@each_way
def test_the_seed_alone_decides_and_saving_changes_nothing(labels, tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler = labelled(labels, data, tmp_path / "w")
    sampler.save(tmp_path)
    again = load_labelled(load_brightness, tmp_path, "cpu")
    assert drawn(again, data).fingerprint == drawn(sampler, data).fingerprint
    assert drawn(again, data, seed=4).fingerprint != drawn(sampler, data).fingerprint
    assert (again.notes, again.spec) == (sampler.notes, sampler.spec)
    assert json.dumps(again.curves) == json.dumps(sampler.curves)


def test_what_was_chosen_is_said(tmp_path):
    data = tiny_pictures(8, 8, 1)
    per_class = labelled("per_class", data, tmp_path / "a")
    assert per_class.notes[0] == "labels: one sampler per class, each fitted for 10 of the 30 steps"
    assert per_class.notes[1:] == ("every class: fitted at once",)
    assert [tuple(point) for point in per_class.curves["loss, light"]] == [(10, 0.5)]
    uneven = labelled("per_class", data, tmp_path / "c", steps=31)
    assert uneven.notes[0] == "labels: one sampler per class, each fitted for 10 or 11 of the 31 steps"
    pseudo = labelled("pseudo_labels", data, tmp_path / "b", confidence=0.9)
    told = "labels: those of a classifier of the real training pictures that is at least 90% sure"
    assert pseudo.notes == (told, "fitted at once")
    assert pseudo.curves == {"loss": [(30, 0.5)]}


@each_way
def test_a_wider_latent_reaches_the_parts(labels, tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler = labelled(labels, data, tmp_path)

    def spread(of) -> float:
        made = drawn(of, data, 300)
        return float(np.mean([made.images[made.labels == label].mean((1, 2, 3)).std() for label in range(3)]))

    assert spread(sampler.widened(0.5)) < 0.9 * spread(sampler)


def test_a_walk_stays_in_its_class(tmp_path):
    data = tiny_pictures(8, 8, 1)
    walked = labelled("per_class", data, tmp_path / "a").walk(4, seed=1)
    assert walked.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    steps = np.abs(np.diff(walked.images.mean((1, 2, 3))))
    assert steps[[0, 1, 2, 4, 5, 6, 8, 9, 10]].max() < steps[[3, 7]].min()
    with pytest.raises(NotApplicable, match="stays in one class"):
        labelled("pseudo_labels", data, tmp_path / "b").walk(4, seed=1)


def test_confidence_throws_doubtful_samples_away(tmp_path):
    """Between two brightnesses the classifier is in doubt; a higher confidence draws from there less often."""
    data = tiny_pictures(8, 8, 1)

    def surest(confidence) -> float:
        sampler = labelled("pseudo_labels", data, tmp_path / str(confidence), confidence=confidence)
        return float(sampler.probe.probabilities(drawn(sampler, data, 300).images).max(1).min())

    assert surest(0.0) < 0.95 <= surest(0.95)


def test_a_class_that_hardly_turns_up_is_named(tmp_path):
    """The generator draws but the middle brightness."""
    data = tiny_pictures(8, 8, 1)
    sampler = labelled("pseudo_labels", data, tmp_path).widened(0.01)
    tries = TRIES * 3 * 10 + 500
    with pytest.raises(
        NotApplicable, match=rf"class '(dark|light)' turned up too rarely: 10 of 10 .* {tries} draws .* steps or"
    ):
        drawn(sampler, data, 30)
    asked = np.array([0, 30, 0], dtype=np.int64)
    assert len(drawn(sampler, data, 30, class_counts=asked)) == 30


@each_way
def test_a_class_without_pictures_is_never_drawn(labels, tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler = labelled(labels, data.select(np.flatnonzero(data.labels != 1)), tmp_path)
    assert drawn(sampler, data, 10).class_counts().tolist() == [5, 0, 5]
    with pytest.raises(NotApplicable, match="'grey' had no picture"):
        drawn(sampler, data, class_counts=np.array([10, 10, 10], dtype=np.int64))


def test_a_killed_fit_goes_on_with_the_class_it_was_at(tmp_path, monkeypatch):
    data = tiny_pictures(8, 8, 1)
    generator = MLPGAN(make_options(MLPGAN.Options, {"width": 8, "latent": 8}))

    def fit(folder, progress=silent):
        budget = Budget(13, 16, "fp32")
        return generator.fit(data, budget=budget, seed=1, progress=progress, workplace=Workplace(tmp_path / folder))

    whole = fit("whole")
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)
    seen = []

    def kill(done: int, total: int, note: str = "") -> None:
        assert total == 13
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit("killed", kill)
    again = fit("killed", lambda done, total, note="": seen.append((done, note)))
    assert drawn(again, data).fingerprint == drawn(whole, data).fingerprint
    assert seen[0] == (7, "fitting mlp_gan, class grey")
    assert seen[-1] == (13, "fitting mlp_gan, class light")


def test_a_class_whose_fit_diverges_is_named(tmp_path):
    def diverges(*args, **kwargs):
        raise TrainingDiverged("a loss was not finite")

    way = partial(fit_labelled, diverges, load_brightness, tiny_pictures(8, 8, 1), labels="per_class", confidence=0.0)
    with pytest.raises(TrainingDiverged, match="class 'dark': a loss was not finite"):
        way(budget=Budget(30), seed=1, progress=silent, workplace=Workplace(tmp_path))


@each_way
def test_what_it_cannot_learn_from_is_said(labels, tmp_path):
    data = tiny_pictures(8, 8, 1)
    with pytest.raises(NotApplicable, match="pictures of equal size with one class each"):
        labelled(labels, "boxes", tmp_path)
    with pytest.raises(NotApplicable, match="at least two pictures"):
        labelled(labels, data.select([0]), tmp_path)


def test_what_per_class_cannot_do_is_said(tmp_path):
    data = tiny_pictures(8, 8, 1)
    with pytest.raises(NotApplicable, match="two pictures of every class, 'grey' has one"):
        labelled("per_class", data.select([0, 1, 12, 24, 25]), tmp_path)
    with pytest.raises(NotApplicable, match="a step for each of 3 classes, not 2"):
        labelled("per_class", data, tmp_path, steps=2)
    with pytest.raises(UserError, match="confidence is for labels: pseudo_labels"):
        make_options(MLPGAN.Options, {"labels": "per_class", "confidence": 0.5})


@each_way
@pytest.mark.parametrize("damage", ["json", "version", "missing", "part", "probe"])
def test_a_damaged_sampler_is_one_line(labels, damage, tmp_path):
    data = tiny_pictures(8, 8, 1)
    labelled(labels, data, tmp_path / "w").save(tmp_path)
    about = tmp_path / "labels.json"
    if damage == "json":
        about.write_text(about.read_text()[:40])
    elif damage == "version":
        about.write_text(json.dumps({**json.loads(about.read_text()), "format": 99}))
    elif damage == "missing":
        about.unlink()
    else:
        name = "probe.safetensors" if (damage, labels) == ("probe", "pseudo_labels") else "network.safetensors"
        part = next(p for p in tmp_path.glob(f"*/{name}") if p.parent.name != "w")
        part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(DataError) as caught:
        load_labelled(load_brightness, tmp_path, "cpu")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
