"""The translation task: its ruler against torchmetrics, its baselines, networks that go on and resume, bad input."""

import numpy as np
import pytest
import torch
from cvbench_generators.translation import CycleGAN, Pix2Pix
from cvbench_tasks.translation import PSNR_CAP, Translation
from cvbench_tasks.translation.augmentation import ROUNDS, strongly_augmented
from cvbench_tasks.translation.metrics import psnr, score, ssim
from cvbench_tasks.translation.models import OPTIONS
from cvbench_tasks.translation.restorers import TEST_SEED
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from cvbench.conformance import assert_task, tiny_pictures
from cvbench.contracts import Augmentation, Budget, Splits, Workplace, silent
from cvbench.corruptions import Corruption, corrupt, hole_masks
from cvbench.errors import DataError, NotApplicable, PluginError, UserError
from cvbench.plugins import make_options

TASK = Translation()


@pytest.fixture(autouse=True)
def translators(stranger_plugin):
    """The two generators by name, whatever is installed."""
    torch.set_num_threads(1)
    classes = {"pix2pix": "Pix2Pix", "cyclegan": "CycleGAN"}
    stranger_plugin({}, {"generators": {n: f"cvbench_generators.translation:{c}" for n, c in classes.items()}})


def made(name, data, folder, **options):
    options = make_options(TASK.model_options(name), options)
    return TASK.model(name, data.spec, options=options, seed=1, workplace=Workplace(folder))


def train(model, data, folder, *, steps=3, progress=silent, augmentation=Augmentation.ORDINARY):
    model.train(
        data,
        None,
        budget=Budget(steps, 4, "fp32"),
        augmentation=augmentation,
        seed=2,
        progress=progress,
        workplace=Workplace(folder),
    )
    return model


def restored(model, data):
    return np.concatenate(list(model.predict(data)))


def scored(name, data, folder, **options):
    return TASK.score(made(name, data, folder, **options).predict(data), data).values["psnr"]


def smooth_pictures(channels=1):
    """Slopes of brightness with a disc on them: what interpolation and inpainting were made for."""
    data = tiny_pictures(24, 28, channels, per_class=3)
    y, x = np.mgrid[:24, :28]
    for place, image in enumerate(data.images):
        disc = 60 * (((y - 12) ** 2 + (x - 9 - place) ** 2) < 40)
        image[:] = (2 * y + 3 * x + disc)[..., None]
    return data


def test_the_contract_is_kept():
    assert_task(Translation)


# ------------------------------------------------------------------------------------------- the ruler


@pytest.mark.parametrize("shape", [(11, 13, 1), (28, 28, 1), (32, 40, 3)])
@pytest.mark.parametrize("noise", [1, 20, 200])
def test_the_metrics_are_torchmetrics(shape, noise):
    rng = np.random.default_rng(noise)
    real = rng.integers(0, 256, (6, *shape), dtype=np.uint8)
    other = np.clip(real + rng.normal(0, noise, real.shape), 0, 255).astype(np.uint8)
    ours = score([other[:2], other[2:]], tiny_truth(real))
    x, y = (torch.from_numpy(a).permute(0, 3, 1, 2).double() for a in (other, real))
    theirs = structural_similarity_index_measure(x, y, data_range=255.0, reduction="none")
    assert ours.per_item["ssim"] == pytest.approx(theirs.numpy(), abs=1e-6)
    theirs = peak_signal_noise_ratio(x, y, data_range=255.0, reduction="none", dim=(1, 2, 3))
    assert ours.per_item["psnr"] == pytest.approx(theirs.numpy(), abs=1e-5)
    for name, items in ours.per_item.items():
        assert items.mean() == pytest.approx(ours.values[name])


def tiny_truth(images):
    data = tiny_pictures(*images.shape[1:], per_class=len(images) // 3)
    data.images[:] = images
    return data


def test_equal_pictures_get_the_cap_and_small_pictures_a_number():
    images = tiny_pictures(1, 3, 3).images
    assert (psnr(images, images) == PSNR_CAP).all()
    speckled = np.zeros((1, 28, 28, 1), np.uint8)
    speckled[0, 0, 0] = 1
    assert psnr(speckled, np.zeros_like(speckled)) == PSNR_CAP  # less than rounding took away
    assert psnr(np.ones_like(speckled), np.zeros_like(speckled)) < PSNR_CAP
    assert ssim(images, images) == pytest.approx(1)
    assert (psnr(255 * np.ones_like(images), np.zeros_like(images)) == 0).all()
    assert np.isfinite(ssim(images, images[::-1])).all()


def test_rubbish_predictions_are_refused_in_one_line():
    data = tiny_pictures(8, 8, 1)
    for predictions, words in (
        ([data.images[:5]], "5 predictions for 36"),
        ([], "0 predictions for 36"),
        ([data.images / 255], "must be uint8"),
        ([data.images[:, :4]], "must be uint8"),
        (["rubbish"], "not str"),
    ):
        with pytest.raises(PluginError, match=words):
            score(predictions, data)


# ------------------------------------------------------------------------------------------- baselines


@pytest.mark.parametrize(
    ("name", "options", "gain"),
    [
        ("bicubic", {"strength": 2}, 1),
        ("bicubic", {"strength": 3}, 1),
        ("inpaint_telea", {}, 5),
        ("inpaint_ns", {}, 5),
        ("nl_means", {}, 1),
        ("nl_means", {"strength": 0.08}, 1),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_baseline_is_better_than_nothing(name, options, gain, channels, tmp_path):
    data = smooth_pictures(channels)
    corruption = make_options(TASK.model_options(name), options).corruption
    nothing = scored("identity", data, tmp_path, corruption=corruption, **options)
    assert scored(name, data, tmp_path, **options) > nothing + gain


def test_identity_is_the_corrupted_picture_and_a_baseline_says_that_it_trains_nothing(tmp_path):
    data, said = tiny_pictures(8, 8, 1), []
    model = made("identity", data, tmp_path, corruption="noise", strength=0.2)
    train(model, data, tmp_path, progress=lambda done, total, note="": said.append((done, total, note)))
    assert said == [(3, 3, "identity trains nothing")]
    assert np.array_equal(restored(model, data), corrupt(data.images, Corruption("noise", 0.2), TEST_SEED))


# -------------------------------------------------------------------------------------------- networks


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_a_network_saves_resumes_and_goes_on(name, tmp_path, monkeypatch):
    data = tiny_pictures(8, 8, 1)

    def two_stages(folder, progress=silent):
        model = made(name, data, tmp_path, corruption="noise")
        train(model, data, folder / "stage-0", progress=progress)
        return train(model, data, folder / "stage-1", progress=progress)

    whole = restored(two_stages(tmp_path / "a"), data)
    one = restored(train(made(name, data, tmp_path, corruption="noise"), data, tmp_path / "one"), data)
    assert not np.array_equal(one, whole)
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)
    calls = []

    def kill(done: int, total: int, note: str = "") -> None:
        calls.append(done)
        if len(calls) == 5:  # in the second stage
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        two_stages(tmp_path / "b", kill)
    model = two_stages(tmp_path / "b")
    assert np.array_equal(restored(model, data), whole)
    (tmp_path / "saved").mkdir()
    model.save(tmp_path / "saved")
    again = made(name, data, tmp_path, corruption="noise")
    again.load(tmp_path / "saved")
    assert np.array_equal(restored(again, data), whole)
    assert (tmp_path / "saved" / "source" / "images.npy").stat().st_size < 200  # no training picture is kept


def test_variants_of_one_picture_are_not_halved(tmp_path):
    data = tiny_pictures(8, 8, 1)
    with pytest.raises(NotApplicable, match="in both halves"):
        train(made("cyclegan", data, tmp_path), data, tmp_path, augmentation=Augmentation.STRONG)


def test_the_weight_of_the_distance_reaches_the_game(tmp_path):
    data = tiny_pictures(8, 8, 1)

    def found(name, **options):
        return restored(train(made("pix2pix", data, tmp_path, **options), data, tmp_path / name), data)

    usual = found("usual")
    assert np.array_equal(usual, found("said", l1_weight=100.0))
    assert not np.array_equal(usual, found("heavy", l1_weight=1000.0))


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
def test_a_game_is_not_shared_by_processes(name, tmp_path, monkeypatch):
    data = tiny_pictures(8, 8, 1)
    monkeypatch.setattr("cvbench.training.rank_and_world", lambda: (0, 2))
    with pytest.raises(NotApplicable, match=f"a {name} is trained by one process: leave --processes-per-cell at 1"):
        train(made(name, data, tmp_path), data, tmp_path)


def test_what_lies_outside_a_hole_is_kept(tmp_path):
    data = tiny_pictures(8, 8, 1)
    found = restored(train(made("pix2pix", data, tmp_path), data, tmp_path / "w"), data)
    holes = hole_masks(data.images.shape, 0.5, TEST_SEED)
    assert np.array_equal(found[~holes], data.images[~holes])
    assert not np.array_equal(found[holes], data.images[holes])


@pytest.mark.parametrize(("name", "options"), [("identity", {"corruption": "noise"}), ("inpaint_ns", {})])
def test_what_is_shown_is_what_is_scored(name, options, tmp_path):
    data, places = tiny_pictures(24, 28, 1), np.array([20, 3])
    model = made(name, data, tmp_path, **options)
    before, after = TASK.before_and_after(model, data, places)
    assert np.array_equal(before, model.corrupted(data)[0][places])
    assert np.array_equal(after, restored(model, data)[places])


def test_a_corruption_that_needs_colour_is_refused_before_anything_is_fitted(tmp_path):
    grey, colour = tiny_pictures(24, 28, 1).spec, tiny_pictures(24, 28, 3).spec
    options = make_options(TASK.model_options("pix2pix"), {"corruption": "grey"})
    with pytest.raises(NotApplicable, match="needs pictures in colour"):
        TASK.check_model("pix2pix", options, grey)
    TASK.check_model("pix2pix", options, colour)


def test_strong_augmentation_varies_as_many_pictures_as_the_budget_sees(tmp_path):
    data = tiny_pictures(8, 8, 3)
    assert len(strongly_augmented(data, Budget(0, 4), 1)) == 36
    assert len(strongly_augmented(data, Budget(12, 4), 1)) == 48
    augmented = strongly_augmented(data, Budget(1000, 4), 1)
    assert len(augmented) == ROUNDS * 36
    assert augmented.fingerprint == strongly_augmented(data, Budget(1000, 4), 1).fingerprint
    assert not set(augmented.item_hashes()) & set(data.item_hashes())
    ordinary = train(made("pix2pix", data, tmp_path), data, tmp_path / "a")
    strong = train(made("pix2pix", data, tmp_path), data, tmp_path / "b", augmentation=Augmentation.STRONG)
    assert not np.array_equal(restored(ordinary, data), restored(strong, data))


def test_a_networks_training_counts_under_its_generators_version(monkeypatch):
    options = make_options(TASK.model_options("pix2pix"), {})
    before = TASK.learnt("pix2pix", options)
    assert (before.name, before.options, before.version) == ("pix2pix", options, 1)
    monkeypatch.setattr(Pix2Pix, "version", 7)
    assert TASK.learnt("pix2pix", options).version == 7
    assert TASK.learnt("cyclegan", make_options(TASK.model_options("cyclegan"), {})).version == CycleGAN.version
    assert TASK.learnt("bicubic", make_options(TASK.model_options("bicubic"), {})) is None


# ------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("bicubic", {"corruption": "hole"}, "option 'corruption'"),
        ("nl_means", {"strength": 3.0}, "strength 3 of 'noise'"),
        ("pix2pix", {"corruption": "inverted"}, "option 'corruption'"),
        ("pix2pix", {"l1_weight": -1.0}, "option 'l1_weight'"),
        ("cyclegan", {"l1_weight": 1.0}, "option 'l1_weight'"),
        ("identity", {"corruption": "holes"}, "option 'corruption'"),
    ],
)
def test_impossible_options_are_one_line(name, given, words):
    with pytest.raises(UserError, match=words) as caught:
        make_options(TASK.model_options(name), given)
    assert "\n" not in str(caught.value)


def test_unknown_models_and_data_that_cannot_be_restored_are_one_line(tmp_path):
    data = tiny_pictures(8, 8, 1)
    with pytest.raises(UserError, match="did you mean 'bicubic'"):
        TASK.model_options("bicubik")
    with pytest.raises(DataError, match="pictures of equal size"):
        TASK.check_splits(Splits(Odd(), data))
    with pytest.raises(DataError, match="neither trained nor loaded"):
        restored(made("pix2pix", data, tmp_path), data)
    with pytest.raises(NotApplicable, match="in colour"):
        restored(made("identity", data, tmp_path, corruption="grey"), data)


class Odd:
    spec = tiny_pictures(8, 8, 1).spec


def test_every_listed_model_has_options_and_the_other_way_round():
    assert [info.name for info in TASK.models()] == list(OPTIONS)
