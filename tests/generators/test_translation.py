"""pix2pix and cyclegan: resuming to the same bits, what they learn, the labels they keep, what they refuse."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from cvbench_generators.translation import CycleGAN, CycleGANOptions, Pix2Pix, Pix2PixOptions
from cvbench_generators.translation.domains import folder_pictures, two_domains
from cvbench_generators.translation.replay_buffer import REPLAYED, ReplayBuffer
from cvbench_generators.translation.translating_sampler import varied

from cvbench.conformance import tiny_pictures
from cvbench.contracts import Budget, Translator, Workplace, silent
from cvbench.corruptions import STRENGTHS, Corruption, corrupt
from cvbench.datasets import gather
from cvbench.errors import DataError, NotApplicable, TrainingDiverged, UserError
from cvbench.plugins import make_options

SMALL = {"pix2pix": (Pix2Pix, {"width": 4}), "cyclegan": (CycleGAN, {"width": 4, "blocks": 1})}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def fitted(name, data, folder, *, steps=6, batch=8, progress=silent, start=None, **options):
    cls, small = SMALL[name]
    made = make_options(cls.Options, small | options)
    budget = Budget(steps, batch, "fp32")
    return cls(made).fit(data, budget=budget, seed=1, progress=progress, workplace=Workplace(folder), start=start)


def drawn(sampler, data, count=12, **asked):
    return gather(sampler.sample(count, seed=3, **asked), data.spec)


def bits(sampler):
    return [tensor.numpy().tobytes() for tensor in sampler.networks.state_dict().values()]


@pytest.mark.parametrize("name", SMALL)
def test_a_killed_fit_continues_to_the_same_bits(name, tmp_path, monkeypatch):
    """16 steps of 8: cyclegan's buffers of 50 are full and exchange fakes on both sides of the kill."""
    data = tiny_pictures(8, 8, 1)
    whole = bits(fitted(name, data, tmp_path / "a", steps=16))
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)

    def kill(done: int, total: int, note: str = "") -> None:
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(name, data, tmp_path / "b", steps=16, progress=kill)
    assert bits(fitted(name, data, tmp_path / "b", steps=16)) == whole


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("shape", [(9, 14, 3), (28, 28, 1), (96, 64, 3), (8, 64, 1), (64, 8, 1)])
def test_any_picture_shape_is_translated_and_saved(name, shape, tmp_path):
    data = tiny_pictures(*shape, per_class=4)
    translator = fitted(name, data, tmp_path / "w", steps=1, batch=2)
    assert isinstance(translator, Translator)
    turned = translator.translate(data.images)
    assert turned.shape == data.images.shape
    assert turned.dtype == np.uint8
    assert translator.translate(data.images[:0]).shape == (0, *shape)
    translator.save(tmp_path)
    assert np.array_equal(SMALL[name][0]().load(tmp_path).translate(data.images), turned)
    with pytest.raises(DataError, match="was fitted on pictures of"):
        translator.translate(data.images[:, :7])


@pytest.mark.parametrize(
    ("name", "source", "strength"),
    [("pix2pix", "noise", 0.3), ("pix2pix", "hole", 0.5), ("cyclegan", "inverted", None)],
)
def test_it_learns_to_undo_a_corruption(name, source, strength, tmp_path):
    data = squares()
    corrupted = corrupt(data.images, Corruption(source, strength), 7)
    options = {"source": source, "strength": strength, "learning_rate": 5e-3, "width": 8}
    translator = fitted(name, data, tmp_path, steps=120 if name == "pix2pix" else 60, batch=16, **options)
    assert distance(translator.translate(corrupted), data) < 0.5 * distance(corrupted, data)


def squares():
    """A bright square somewhere on black."""
    data = tiny_pictures(8, 8, 1, per_class=40)
    data.images[:] = 0
    rng = np.random.default_rng(0)
    for image, (top, left) in zip(data.images, rng.integers(0, 5, (120, 2)), strict=True):
        image[top : top + 4, left : left + 4] = 220
    return data


def distance(images, data):
    return np.abs(images.astype(float) - data.images).mean()


@pytest.mark.parametrize("name", SMALL)
def test_samples_beyond_the_source_are_new_and_labels_are_kept(name, tmp_path):
    """A translator that changes nothing shows what goes in; nothing of this corruption is drawn, so only the turn
    and the shift make it new: each class's own pictures, varied anew each round."""
    data = tiny_pictures(8, 8, 1)
    sampler = fitted(name, data, tmp_path, steps=1, source="low_resolution")
    object.__setattr__(sampler, "turn", lambda networks, source: source.float().div(127.5).sub(1))
    made = drawn(sampler, data, 150)
    assert made.class_counts().tolist() == [50, 50, 50]
    assert len(set(made.item_hashes())) == 150
    brightness = [made.images[made.labels == label].mean() for label in range(3)]
    assert brightness[0] + 40 < brightness[1] < brightness[2] - 40


def test_varied_pictures_are_moved_a_little():
    images = np.zeros((5, 32, 32, 1), np.uint8)
    images[:, 12:20, 12:20] = 255
    moved = varied(images, 0)
    assert not np.array_equal(moved[0], moved[1])
    assert np.array_equal(varied(images[:2], 0), moved[:2])
    assert moved.mean((1, 2, 3)) == pytest.approx(images[0].mean(), rel=0.1)
    assert np.abs(moved.astype(int) - images).max((1, 2, 3)).min() > 0
    middle = [np.array(np.nonzero(picture[..., 0] > 127)).mean(1) for picture in moved]
    assert np.abs(np.array(middle) - 15.5).max() <= 0.08 * 32 + 1


@pytest.mark.parametrize("name", SMALL)
def test_what_is_not_finite_is_no_picture(name, tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler = fitted(name, data, tmp_path, steps=1)
    with torch.no_grad():
        next(sampler.networks["g"].parameters()).fill_(torch.nan)
    with pytest.raises(TrainingDiverged, match="the samples are not finite"):
        sampler.translate(data.images)
    with pytest.raises(TrainingDiverged, match="the samples are not finite"):
        drawn(sampler, data)


@pytest.mark.parametrize("name", SMALL)
def test_a_second_fit_goes_on_from_the_first(name, tmp_path):
    data = tiny_pictures(8, 8, 1)
    first = fitted(name, data, tmp_path / "a", steps=4)
    assert bits(fitted(name, data, tmp_path / "b", steps=0, start=first)) == bits(first)
    assert bits(fitted(name, data, tmp_path / "c", steps=2, start=first)) != bits(
        fitted(name, data, tmp_path / "d", steps=2)
    )


@pytest.mark.parametrize("name", SMALL)
def test_a_bare_translator_translates_and_has_nothing_to_sample(name, tmp_path):
    data = tiny_pictures(8, 8, 1)
    fitted(name, data, tmp_path / "w", steps=1).bare().save(tmp_path)
    bare = SMALL[name][0]().load(tmp_path)
    assert bare.translate(data.images).shape == data.images.shape
    with pytest.raises(NotApplicable, match="no source picture of class 'dark'"):
        drawn(bare, data)


def test_the_replay_buffer_fills_and_then_gives_half_of_what_it_holds():
    torch.manual_seed(0)
    buffer = ReplayBuffer((1, 1, 1), "cpu")
    first = torch.arange(REPLAYED).float().view(-1, 1, 1, 1)
    assert torch.equal(buffer.exchange(first), first)
    given = buffer.exchange(1000 + first)
    old = int((given < 1000).sum())
    assert 15 < old < 35
    assert int((buffer.pictures >= 1000).sum()) == old  # each that it gave left its place to a new one
    held = torch.cat([buffer.pictures.flatten(), given.flatten()])
    assert torch.equal(held.sort().values, torch.cat([first, 1000 + first]).flatten())  # none is lost, none is twice


def test_cyclegans_losses_count(tmp_path):
    data = squares()
    sampler = fitted("cyclegan", data, tmp_path / "a", steps=41, learning_rate=5e-3)
    first, *_, last = (value for _, value in sampler.curves["cycle distance"])
    assert first > 1.2 * last > 0
    without = {"no cycle": {"cycle_weight": 0.0}, "identity": {"identity_weight": 0.5}}
    assert all(
        bits(fitted("cyclegan", data, tmp_path / name, steps=2, **weights))
        != bits(fitted("cyclegan", data, tmp_path / f"{name}-0", steps=2))
        for name, weights in without.items()
    )


def test_the_identity_loss_is_the_papers_but_where_the_source_is_inverted():
    assert CycleGANOptions().set_identity_weight == 0
    assert CycleGANOptions(identity_weight=0.1).set_identity_weight == 0.1
    assert CycleGANOptions(source="noise").set_identity_weight == 0.5
    assert CycleGANOptions(source_folder="anywhere").set_identity_weight == 0.5


def test_cyclegans_domains_share_no_picture(tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler = fitted("cyclegan", data, tmp_path, steps=1)
    assert sampler.source.class_counts().tolist() == [6, 6, 6]
    assert "half of the training pictures (18), inverted" in sampler.notes[0]


def test_a_picture_that_is_there_twice_lies_in_one_half(tmp_path):
    data = tiny_pictures(8, 8, 1)
    twice = data.select(np.tile(np.arange(len(data)), 2))
    found = two_domains(twice, CycleGANOptions(), seed=1)
    target = {picture.tobytes() for picture in found.target}
    assert len(found.source) == len(found.target) == len(data)
    assert not target & {picture.tobytes() for picture in found.source.images}
    _, firsts = np.unique(data.labels, return_index=True)
    with pytest.raises(NotApplicable, match="has only one"):
        two_domains(data.select(np.tile(firsts, 2)), CycleGANOptions(), seed=1)


# ------------------------------------------------------------------------------------ a source folder


def write_folder(root, classes, count=4):
    for place, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            cv2.imwrite(str(root / name / f"{number}.png"), np.full((12, 10, 3), 40 + 80 * place, np.uint8))
    return str(root)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_source_folder_gives_the_source_domain(channels, tmp_path):
    """Classes are matched by name: sub-folders sort otherwise than the spec's classes."""
    folder = write_folder(tmp_path / "f", ("light", "dark", "grey"))
    data = tiny_pictures(8, 8, channels)
    data = replace(data, spec=replace(data.spec, classes=("light", "grey", "dark")))
    sampler = fitted("cyclegan", data, tmp_path / "w", steps=1, source_folder=folder)
    levels = [int(sampler.source.images[sampler.source.labels == label].mean()) for label in range(3)]
    assert levels == [40, 200, 120]
    recoloured = "; 12 made grey" if channels == 1 else ""
    resized = "12 resized to 8x8 from 12x10 (height x width)"
    assert sampler.notes == (f"source: 12 pictures of {folder}; {resized}{recoloured}",)
    made = drawn(sampler, data, 30)
    assert made.class_counts().tolist() == [10, 10, 10]
    sampler.save(tmp_path)
    assert drawn(CycleGAN().load(tmp_path), data, 30).fingerprint == made.fingerprint


def test_what_was_changed_of_a_source_folder_is_counted_by_size(tmp_path):
    data, folder = tiny_pictures(8, 8, 3), write_folder(tmp_path / "f", ("light", "dark", "grey"))
    for number, size in enumerate((9, 9, 9, 10, 10, 11, 7, 8)):
        cv2.imwrite(f"{folder}/dark/grey-{number}.png", np.full((size, size), 99, np.uint8))
    pictures, changed = folder_pictures(Path(folder), data.spec)
    assert len(pictures) == 20
    assert changed == ["19 resized to 8x8 from 12x10, 9x9, 10x10 and 2 other sizes (height x width)", "8 were grey"]
    small = replace(data.spec, width=10, height=12)
    assert folder_pictures(Path(write_folder(tmp_path / "g", data.spec.classes)), small)[1] == []


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path):
    data = tiny_pictures(8, 8, 1)
    wrong = write_folder(tmp_path / "wrong", ("dark", "grey", "bright"))
    broken = write_folder(tmp_path / "broken", ("dark", "grey", "light"))
    (tmp_path / "broken" / "grey" / "1.png").write_bytes(b"no picture")
    for folder, words in (
        (wrong, "it has a class 'bright', the training data has none"),
        (broken, "not a picture that can be read"),
        (str(tmp_path / "missing"), "not a folder with one sub-folder"),
    ):
        with pytest.raises(DataError, match=words) as caught:
            fitted("cyclegan", data, tmp_path / "w", source_folder=folder)
        assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("cls", "given", "words"),
    [
        (Pix2PixOptions, {"source_folder": "somewhere"}, "pix2pix learns from pairs.*use cyclegan"),
        (Pix2PixOptions, {"source": "inverted"}, "option 'source'"),
        (Pix2PixOptions, {"source": "hole", "strength": 2.0}, "strength 2 of 'hole'"),
        (CycleGANOptions, {"source": "grey", "strength": 2.0}, "no strength"),
        (CycleGANOptions, {"source": "grey", "source_folder": "x"}, "not from both"),
        (CycleGANOptions, {"width": 0}, "option 'width'"),
    ],
)
def test_impossible_options_are_one_line(cls, given, words):
    with pytest.raises(UserError, match=words) as caught:
        make_options(cls, given)
    assert "\n" not in str(caught.value)


def test_the_options_say_what_strengths_there_are():
    told = " ".join(Pix2PixOptions.__doc__.split())
    for name, bounds in STRENGTHS.items():
        if bounds:
            numbers = f"{bounds.low:g} to {bounds.high:g}, usually {bounds.usual:g}"
            assert numbers in told.split(f"``{name}``: ")[1], name


@pytest.mark.parametrize("name", SMALL)
def test_data_that_is_not_for_them(name, tmp_path):
    data = tiny_pictures(8, 8, 1)
    with pytest.raises(NotApplicable, match="with one class each"):
        fitted(name, "no pictures", tmp_path)
    with pytest.raises(NotApplicable, match="at least two pictures"):
        fitted(name, data.select([0]), tmp_path)
    with pytest.raises(NotApplicable, match="at least 8 pixels"):
        fitted(name, tiny_pictures(6, 8, 1), tmp_path)
    with pytest.raises(NotApplicable, match="needs pictures in colour"):
        fitted(name, data, tmp_path, source="grey")


def test_a_class_of_one_picture_cannot_be_halved(tmp_path):
    with pytest.raises(NotApplicable, match="'light' has only one"):
        fitted("cyclegan", tiny_pictures(8, 8, 1).select([0, 1, 12, 13, 24]), tmp_path)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("damage", ["cut", "version", "missing", "json", "other network", "source", "empty source"])
def test_a_damaged_sampler_is_one_line(name, damage, tmp_path):
    fitted(name, tiny_pictures(8, 8, 1), tmp_path / "w", steps=0).save(tmp_path)
    weights, about, source = (tmp_path / part for part in ("networks.safetensors", "sampler.json", "source/images.npy"))
    if damage in ("cut", "source"):
        file = weights if damage == "cut" else source
        file.write_bytes(file.read_bytes()[:200])
    elif damage == "empty source":
        source.write_bytes(b"")
    elif damage == "missing":
        weights.unlink()
    elif damage == "json":
        about.write_text("{")
    else:
        said = json.loads(about.read_text())
        changed = {"format": 99} if damage == "version" else {"about": {**said["about"], "width": 8}}
        about.write_text(json.dumps({**said, **changed}))
    with pytest.raises(DataError) as caught:
        SMALL[name][0]().load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
