"""flow and cgan: resuming to the same bits, what they learn, what they refuse; the controls' own promises."""

import json
from collections import Counter

import numpy as np
import pytest
import torch
from cvbench_generators.adversarial import CGAN, CGANOptions
from cvbench_generators.adversarial.augmentation import augmented
from cvbench_generators.controls import Copy, Noise, Oracle, ShuffledLabels
from cvbench_generators.flow import Flow, FlowOptions

from cvbench.conformance import tiny_pictures
from cvbench.contracts import Budget, Workplace, silent
from cvbench.datasets import gather
from cvbench.errors import DataError, NotApplicable, UserError
from cvbench.plugins import make_options

SMALL = {"flow": (Flow, FlowOptions(width=16)), "cgan": (CGAN, CGANOptions(width=8, latent=8))}


def fitted(name, data, folder, *, steps=6, progress=silent):
    cls, options = SMALL[name]
    budget = Budget(steps, 16, "fp32")
    return cls(options).fit(data, budget=budget, seed=1, progress=progress, workplace=Workplace(folder))


def drawn(sampler, data, count=12, **asked):
    return gather(sampler.sample(count, seed=3, **asked), data.spec)


@pytest.mark.parametrize("name", SMALL)
def test_a_killed_fit_continues_to_the_same_bits(name, tmp_path, monkeypatch):
    data = tiny_pictures(8, 8, 1)
    whole = drawn(fitted(name, data, tmp_path / "a"), data)
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)

    def kill(done: int, total: int, note: str = "") -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(name, data, tmp_path / "b", progress=kill)
    assert drawn(fitted(name, data, tmp_path / "b"), data).fingerprint == whole.fingerprint


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("shape", [(8, 8, 1), (9, 14, 3), (28, 28, 1), (64, 64, 3)])
def test_any_picture_shape_is_fitted(name, shape, tmp_path):
    data = tiny_pictures(*shape, per_class=4)
    made = drawn(fitted(name, data, tmp_path, steps=1), data, 5)
    assert made.images.shape == (5, *shape)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_learnt_depends_on_the_class(name, tmp_path):
    """The toy's classes differ in brightness; a conditional generator's samples must, too."""
    torch.manual_seed(0)
    data = tiny_pictures(8, 8, 1, per_class=40)
    made = drawn(fitted(name, data, tmp_path, steps=250), data, 60)
    brightness = [made.images[made.labels == label].mean() for label in range(3)]
    assert brightness[0] + 25 < brightness[1] < brightness[2] - 25


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("damage", ["cut", "version", "missing", "json", "other network"])
def test_a_damaged_sampler_is_one_line(name, damage, tmp_path):
    data = tiny_pictures(8, 8, 1)
    fitted(name, data, tmp_path / "w", steps=1).save(tmp_path)
    weights, about = tmp_path / "network.safetensors", tmp_path / "sampler.json"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:200])
    elif damage == "missing":
        weights.unlink()
    elif damage == "json":
        about.write_text("{")
    else:
        said = json.loads(about.read_text())
        changed = {"format": 99} if damage == "version" else {"about": {**said["about"], "width": 32}}
        about.write_text(json.dumps({**said, **changed}))
    with pytest.raises(DataError) as caught:
        SMALL[name][0]().load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_data_without_labels_is_not_for_them(tmp_path):
    for generator in (Flow(), CGAN()):
        with pytest.raises(NotApplicable):
            generator.fit("no pictures", budget=None, seed=0, progress=silent, workplace=Workplace(tmp_path))


@pytest.mark.parametrize("name", SMALL)
def test_one_picture_teaches_nothing(name, tmp_path):
    with pytest.raises(NotApplicable, match="at least two pictures"):
        fitted(name, tiny_pictures(8, 8, 1).select([0]), tmp_path)


@pytest.mark.parametrize("name", SMALL)
def test_a_class_without_pictures_is_never_drawn(name, tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler = fitted(name, data.select(np.flatnonzero(data.labels != 1)), tmp_path, steps=1)
    assert drawn(sampler, data).class_counts().tolist() == [6, 0, 6]
    with pytest.raises(NotApplicable, match="'grey'"):
        drawn(sampler, data, class_counts=np.array([4, 4, 4], dtype=np.int64))


def test_a_width_that_cannot_be_normalised_in_groups_is_refused_before_the_fit():
    with pytest.raises(UserError, match="option 'width'"):
        make_options(FlowOptions, {"width": 24})


def test_differentiable_augmentation_moves_a_picture_and_its_partner_alike():
    torch.manual_seed(0)
    pictures = torch.rand(16, 3, 12, 8)
    real, fake = augmented(torch.stack([pictures, pictures])).unbind()
    assert real.shape == pictures.shape
    assert torch.equal(real, fake)
    assert not torch.equal(real, pictures)


def controls(cls, data, tmp_path):
    return cls().fit(data, budget=None, seed=1, progress=silent, workplace=Workplace(tmp_path))


def test_copy_of_the_whole_split_is_the_split_in_its_order(tmp_path):
    data = tiny_pictures(8, 8, 1)
    assert drawn(controls(Copy, data, tmp_path), data, len(data)).fingerprint == data.fingerprint
    twice = drawn(controls(Copy, data, tmp_path), data, 2 * len(data))
    assert twice.fingerprint == data.join(data).fingerprint


def test_a_part_of_a_copy_repeats_nothing(tmp_path):
    data = tiny_pictures(8, 8, 1)
    part = drawn(controls(Oracle, data, tmp_path), data, 18)
    assert part.class_counts().tolist() == [6, 6, 6]
    assert len(set(part.item_hashes())) == 18
    assert set(part.item_hashes()) <= set(data.item_hashes())


def test_a_control_gives_none_of_a_class_again_before_all_of_it(tmp_path):
    data = tiny_pictures(8, 8, 1)
    asked = np.array([30, 0, 5], dtype=np.int64)
    made = drawn(controls(Copy, data, tmp_path), data, 35, class_counts=asked)
    assert made.class_counts().tolist() == [30, 0, 5]
    dark = Counter(made.select(np.flatnonzero(made.labels == 0)).item_hashes())
    assert sorted(dark.values()) == [2] * 6 + [3] * 6
    dark_alone = controls(Copy, data.select(np.flatnonzero(data.labels == 0)), tmp_path)
    with pytest.raises(NotApplicable, match="no sample of class 'grey'"):
        drawn(dark_alone, data, 3, class_counts=np.array([1, 2, 0], dtype=np.int64))


def test_shuffled_labels_keep_the_counts_and_lose_the_meaning(tmp_path):
    data = tiny_pictures(8, 8, 1, per_class=200)
    made = drawn(controls(ShuffledLabels, data, tmp_path), data, 600)
    assert made.class_counts().tolist() == [200, 200, 200]
    assert sorted(made.item_hashes()) == sorted(data.item_hashes())
    brightness = [made.images[made.labels == label].mean() for label in range(3)]
    assert np.ptp(brightness) < 30


def test_noise_is_uniform_whatever_the_label(tmp_path):
    data = tiny_pictures(8, 8, 1)
    made = drawn(controls(Noise, data, tmp_path), data, 600)
    histogram = np.histogram(made.images, bins=8, range=(0, 256))[0] / made.images.size
    assert histogram == pytest.approx(1 / 8, abs=0.01)
