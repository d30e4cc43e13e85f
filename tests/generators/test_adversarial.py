"""The adversarial family: losses and penalties against their formulas, every option at work, the watch over a fit."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from cvbench_generators import labelling
from cvbench_generators.adversarial import CGAN, DCGAN, MLPGAN, R3GAN, WGANGP, InfoGAN, health, watch
from cvbench_generators.adversarial.blocks import spectrally_normalised
from cvbench_generators.adversarial.game import Game
from cvbench_generators.adversarial.infogan import FAMILY as INFOGAN
from cvbench_generators.adversarial.losses import LOSSES
from cvbench_generators.adversarial.penalties import PENALTIES, Judged, weight_decay
from cvbench_generators.conditional_sampler import Noise
from torch import nn

from cvbench.conformance import tiny_pictures
from cvbench.contracts import Budget, Workplace, silent
from cvbench.datasets import gather
from cvbench.errors import DataError, NotApplicable, TrainingDiverged, UserError
from cvbench.plugins import make_options
from cvbench.samples import LabelledImages

FAMILIES = (MLPGAN, DCGAN, CGAN, InfoGAN, WGANGP, R3GAN)
CONDITIONAL = (CGAN, R3GAN)
each_family = pytest.mark.parametrize("cls", FAMILIES, ids=lambda cls: cls.__name__)


def fitted(cls, data, folder, *, steps=4, progress=silent, seed=1, **options):
    options = make_options(cls.Options, {"width": 8, "latent": 8, **options})
    budget = Budget(steps, 16, "fp32")
    return cls(options).fit(data, budget=budget, seed=seed, progress=progress, workplace=Workplace(folder))


def drawn(sampler, data, count=12, **asked):
    return gather(sampler.sample(count, seed=3, **asked), data.spec)


@pytest.fixture(autouse=True)
def _quick_probes(monkeypatch):
    monkeypatch.setattr(watch, "PROBE_STEPS", 40)
    monkeypatch.setattr(labelling, "PROBE_STEPS", 2)


@pytest.fixture
def watch_of_any_fit(monkeypatch):
    monkeypatch.setattr(watch, "FEWEST_STEPS", 1)


# ------------------------------------------------------------------------------ losses, penalties


def test_losses_are_what_the_papers_write():
    real, fake = torch.tensor([2.0, -0.5]), torch.tensor([-3.0, 1.5])

    def log_d(score: float) -> float:
        return math.log(1 / (1 + math.exp(-score)))

    def expected(terms) -> float:
        return sum(terms) / 2

    pairs = [(2.0, -3.0), (-0.5, 1.5)]
    value = expected(-log_d(r) - log_d(-f) for r, f in pairs)
    wanted = {
        "minimax": (value, expected(log_d(-f) for _, f in pairs)),
        "non_saturating": (value, expected(-log_d(f) for _, f in pairs)),
        "hinge": (expected(max(0, 1 - r) + max(0, 1 + f) for r, f in pairs), expected(-f for _, f in pairs)),
        "wasserstein": (expected(f - r for r, f in pairs), expected(-f for _, f in pairs)),
        "relativistic": (expected(-log_d(r - f) for r, f in pairs), expected(-log_d(f - r) for r, f in pairs)),
    }
    assert wanted.keys() == LOSSES.keys()
    for name, loss in LOSSES.items():
        got = loss.discriminator(real, fake).item(), loss.generator(real, fake).item()
        assert got == pytest.approx(wanted[name], rel=1e-6), name


def test_only_the_minimax_loss_is_flat_where_the_discriminator_is_sure():
    slopes = {}
    for name, loss in LOSSES.items():
        fake = torch.tensor([-20.0], requires_grad=True)
        loss.generator(torch.tensor([20.0]), fake).backward()
        slopes[name] = abs(fake.grad.item())
    assert slopes.pop("minimax") < 1e-8
    assert min(slopes.values()) > 0.99


def test_penalties_of_a_linear_critic_are_known():
    """Its slope is the same everywhere: the weights, here of norm 3."""
    weights = torch.tensor([1.0, 2.0, 2.0])
    real, fake = torch.randn(2, 5, 3, 1, 1, requires_grad=True).unbind()

    def judge(picture: torch.Tensor) -> torch.Tensor:
        return (picture[..., 0, 0] * weights).sum(1)

    judged = Judged(judge, real, fake, judge(real), judge(fake))
    got = {name: penalty(judged).item() for name, penalty in PENALTIES.items()}
    assert got == pytest.approx({"r1": 4.5, "r2": 4.5, "r1_r2": 9.0, "gradient_penalty": 4.0})


def test_penalties_of_a_quadratic_critic_are_known():
    """Its slope is the picture itself: 0 at real pictures, of norm 1 at fakes, uniform in [0, 1] between them."""
    real = torch.zeros(20_000, 3, 1, 1, requires_grad=True)
    fake = (torch.tensor([1.0, 2.0, 2.0]) / 3)[:, None, None].repeat(len(real), 1, 1, 1).requires_grad_()

    def judge(picture: torch.Tensor) -> torch.Tensor:
        return picture.square().sum((1, 2, 3)) / 2

    torch.manual_seed(0)
    judged = Judged(judge, real, fake, judge(real), judge(fake))
    got = {name: penalty(judged).item() for name, penalty in PENALTIES.items()}
    assert got == pytest.approx({"r1": 0.0, "r2": 0.5, "r1_r2": 0.5, "gradient_penalty": 1 / 3}, abs=0.01)


def test_weight_decay_is_the_sum_over_all_parameters():
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[3.0, -1.0]]))
        net.bias.fill_(2.0)
    assert weight_decay(net, 0.5, 0.0).item() == pytest.approx(3.0)
    assert weight_decay(net, 0.0, 0.5).item() == pytest.approx(3.5)
    assert weight_decay(net, 0.0, 0.0).item() == 0


def test_spectral_norm_bounds_every_layer_by_one():
    torch.manual_seed(0)
    net = spectrally_normalised(nn.Sequential(nn.Linear(6, 5), nn.Embedding(4, 5), nn.Conv2d(2, 3, 3)))
    with torch.no_grad():
        for layer in net:
            for _ in range(30):
                layer.weight  # noqa: B018 - each look at it is a power iteration
    for layer in net:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-2)


# -------------------------------------------------------------------------------------- every family


@each_family
@pytest.mark.parametrize("shape", [(9, 14, 3), (64, 48, 1)])
def test_any_picture_shape_is_fitted(cls, shape, tmp_path):
    data = tiny_pictures(*shape, per_class=4)
    assert drawn(fitted(cls, data, tmp_path, steps=3), data, 5).images.shape == (5, *shape)


@each_family
@pytest.mark.usefixtures("watch_of_any_fit")
def test_a_killed_fit_continues_to_the_same_bits(cls, tmp_path, monkeypatch):
    """Through restarts, too: the watch is made to find trouble at every look."""
    monkeypatch.setattr(health, "LEAST_DIVERSITY", 9.0)
    monkeypatch.setattr(watch, "PATIENCE_AT_FIRST", 2)
    monkeypatch.setattr(watch.Watch, "verdict", lambda self: None)
    data = tiny_pictures(8, 8, 1)
    options = {} if cls in CONDITIONAL else {"labels": "pseudo_labels"}

    def fit(folder, progress=silent):
        sampler = fitted(cls, data, tmp_path / folder, steps=7, progress=progress, **options)
        return sampler if cls in CONDITIONAL else sampler.unlabelled

    whole = fit("a")
    assert len(whole.notes) == 2
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)
    for killed_at in (2, 5):

        def kill(done: int, total: int, note: str = "", killed_at: int = killed_at) -> None:
            if done == killed_at and total == 7:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit("b", kill)
    again = fit("b")
    assert drawn(again, data).fingerprint == drawn(whole, data).fingerprint
    assert (again.curves, again.notes) == (whole.curves, whole.notes)


@pytest.mark.parametrize("cls", CONDITIONAL)
def test_what_is_learnt_depends_on_the_class(cls, tmp_path):
    torch.manual_seed(0)
    data = tiny_pictures(8, 8, 1, per_class=40)
    made = drawn(fitted(cls, data, tmp_path, steps=60, learning_rate=3e-3, augment_below=0), data, 60)
    brightness = [made.images[made.labels == label].mean() for label in range(3)]
    assert brightness[0] + 20 < brightness[1] < brightness[2] - 20


@pytest.mark.parametrize("cls", [MLPGAN, DCGAN, InfoGAN, WGANGP])
def test_an_unconditional_family_learns_what_pictures_look_like(cls, tmp_path):
    data = tiny_pictures(8, 8, 1, per_class=40).select(np.arange(40, 80))
    made = drawn(fitted(cls, data, tmp_path, steps=60, discriminator_steps=1, learning_rate=2e-3), data, 60)
    assert abs(made.images.mean() - data.images.mean()) < 25


def test_infogans_codes_can_be_read_off_its_pictures(tmp_path):
    """The mutual-information loss falls: what G is told shows in what it draws."""
    torch.manual_seed(0)
    data = tiny_pictures(8, 8, 1, per_class=40)
    options = make_options(InfoGAN.Options, {"width": 8, "latent": 4, "learning_rate": 2e-3})
    game = Game(INFOGAN, data, options, Budget(80, 16, "fp32"), 1, Workplace(tmp_path))

    def code_loss() -> float:
        latent = game.g.latents(60, Noise(torch.Generator().manual_seed(0)))
        with torch.no_grad():
            return INFOGAN.information(game.d, game.g(latent), latent)[1].item()

    before = code_loss()
    for number in range(80):
        game.step(number)
    assert code_loss() < 0.5 < before


# ---------------------------------------------------------------------------------- every option works


@pytest.mark.parametrize(
    "option",
    [
        *({"loss": loss} for loss in LOSSES if loss != "relativistic"),
        *({"penalty": penalty} for penalty in ("none", "r1", "r2", "gradient_penalty")),
        *({"gamma": 3.0}, {"l1": 1e-4}, {"l2": 1e-3}, {"momentum": 0.5}, {"second_momentum": 0.5}),
        *({"optimizer": "rmsprop"}, {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.9}),
        *({"learning_rate": 1e-3}, {"discriminator_learning_rate": 1e-3}, {"discriminator_steps": 2}),
        *({"batch_norm": "none"}, {"batch_norm": "both"}, {"spectral_norm": True}, {"ema": 0.0}, {"augment_below": 0}),
    ],
    ids=str,
)
def test_every_option_changes_the_fit(option, tmp_path):
    data = tiny_pictures(8, 8, 1)
    usual, changed = (
        fitted(CGAN, data, tmp_path / name, steps=3, **chosen).network.state_dict()
        for name, chosen in (("usual", {}), ("changed", option))
    )
    assert usual.keys() != changed.keys() or any(not torch.equal(usual[name], changed[name]) for name in usual)


def test_every_discriminator_step_sees_a_batch_of_its_own(tmp_path):
    options = make_options(CGAN.Options, {"width": 8, "latent": 8, "discriminator_steps": 3})
    game = Game(CGAN(options)._family(), tiny_pictures(8, 8, 1), options, Budget(2, 16), 1, Workplace(tmp_path))
    order, seen = game.order, []
    game.order = lambda step: (seen.append(step), order(step))[1]
    for number in range(2):
        game.step(number)
    assert seen == list(range(6))


@each_family
@pytest.mark.parametrize("batch_norm", ["none", "generator", "both"])
def test_batch_norm_is_where_it_is_asked_for(cls, batch_norm):
    options = make_options(cls.Options, {"width": 8, "latent": 8, "batch_norm": batch_norm})
    family, spec = cls(options)._family(), tiny_pictures(8, 8, 1).spec
    normalised = [
        any(isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d) for layer in network(spec, options).modules())
        for network in (family.generator, family.discriminator)
    ]
    assert normalised == [batch_norm != "none", batch_norm == "both"]


def test_an_option_that_does_not_fit_is_refused_before_the_fit():
    for cls, option in (
        (R3GAN, {"width": 12}),
        (R3GAN, {"spectral_norm": True}),
        (DCGAN, {"loss": "cubic"}),
        (MLPGAN, {"momentum": 1.0}),
    ):
        with pytest.raises(UserError, match=f"option '{next(iter(option))}'"):
            make_options(cls.Options, option)


# -------------------------------------------------------------------------------------------- the watch


def watched(data, tmp_path, **about):
    """A watch over pictures that are easy to tell apart."""
    about = {"steps": 400, "seed": 1, "by_class": False, "penalised": True, "logits": True} | about
    return watch.Watch(data, workplace=Workplace(tmp_path), **about)


def bars(per_class=40):
    """Three classes: a bar at the left, in the middle, at the right, in noise."""
    data = tiny_pictures(8, 8, 1, per_class=per_class)
    rng = np.random.default_rng(1)
    images = rng.integers(0, 60, data.images.shape, dtype=np.uint8)
    for label in range(3):
        images[data.labels == label, :, 3 * label : 3 * label + 2] += 150
    return LabelledImages(data.spec, images, data.labels)


SURE_OF_NOTHING = torch.tensor([1.0, -1.0]), torch.tensor([-0.5, 0.5])


def looked(eye, images, scores=SURE_OF_NOTHING, number=99):
    return eye.look(number, images, *scores, lambda: {"g": {"from": torch.tensor(number + 1)}, "d": {}})


def test_real_pictures_are_found_healthy_and_collapsed_ones_not(tmp_path):
    data = bars()
    eye = watched(data, tmp_path)
    real = eye.real.images
    looked(eye, real)
    assert (eye.trouble, eye.best_step) == ("", 100)
    seen = {name: curve[-1][1] for name, curve in eye.series.items()}
    assert seen == pytest.approx(
        {"mode coverage": 1, "class entropy": 1, "diversity": 1, "discriminator accuracy": 0.5}, abs=0.05
    )
    looked(eye, np.repeat(real[:1], len(real), axis=0))
    assert eye.trouble.startswith("mode coverage 1 of 3, diversity 0.00")
    one_of_each = np.stack([real[eye.real.labels == label][0] for label in range(3)])
    looked(eye, one_of_each[eye.real.labels])
    assert eye.trouble.startswith("mode coverage 3 of 3, diversity 0.00")
    only_left = real[np.resize(np.flatnonzero(eye.real.labels == 0), len(real))]
    looked(eye, only_left)
    assert re.match(r"mode coverage 1 of 3, diversity (0\.9|1\.0)", eye.trouble)


@pytest.mark.parametrize(("classes", "looked_at"), [(1, 200), (50, 200), (51, 204), (257, 771)])
def test_a_look_takes_in_enough_pictures_of_many_classes(classes, looked_at, tmp_path, monkeypatch):
    """Real pictures drawn without regard to their class are healthy: a perfect generator without labels."""

    class Reader:
        """Reads the class off the first two pixels."""

        def probabilities(self, images):
            return np.eye(classes, dtype=np.float32)[images[:, 0, 0, 0] + 256 * images[:, 0, 1, 0].astype(int)]

    monkeypatch.setattr(watch, "train_probe", lambda *args, **kwargs: Reader())
    spec = replace(tiny_pictures(8, 8, 1).spec, classes=tuple(map(str, range(classes))))
    labels = np.arange(max(3 * classes, 400)) % classes
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8, 1), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = labels % 256, labels // 256
    eye = watched(LabelledImages(spec, images, labels), tmp_path)
    assert len(eye.real) == looked_at
    drawn_at_random = np.random.default_rng(1).integers(0, len(labels), looked_at)
    looked(eye, images[drawn_at_random])
    assert not eye.trouble


def test_the_diversity_of_classes_is_the_mean_over_their_pairs():
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 5, 4, 3), dtype=np.uint8), rng.integers(0, 6, 40)
    flat = images.reshape(40, -1).astype(float)
    apart = [np.linalg.norm(flat[i] - flat[j]) for i in range(40) for j in range(i + 1, 40) if labels[i] == labels[j]]
    assert health.mean_distance(images, labels) == pytest.approx(np.mean(apart), rel=1e-12)
    assert health.mean_distance(images[:2], np.array([0, 1])) == pytest.approx(np.linalg.norm(flat[0] - flat[1]) / 2)


def test_a_discriminator_that_wins_is_found(tmp_path):
    eye = watched(bars(), tmp_path)
    looked(eye, eye.real.images, (torch.full((9,), 50.0), torch.full((9,), -50.0)))
    assert "the discriminator wins: it is right on 100.0%, its scores 100 apart" in eye.trouble
    looked(eye, eye.real.images, (torch.full((9,), 3.0), torch.full((9,), -3.0)))
    assert not eye.trouble
    eye.logits = False  # a critic's scores have a scale of their own
    looked(eye, eye.real.images, (torch.full((9,), 50.0), torch.full((9,), -50.0)))
    assert not eye.trouble


def test_a_fit_is_sent_back_a_few_times_to_its_best_weights_and_then_fails(tmp_path):
    eye = watched(bars(), tmp_path)
    looked(eye, eye.real.images)
    collapsed = np.zeros_like(eye.real.images)
    for turn in range(watch.MOST_RESTARTS):
        for _ in range(watch.PATIENCE - 1):
            assert not looked(eye, collapsed)
        trouble = looked(eye, collapsed, number=139)
        assert trouble
        assert eye.restart(139, trouble)["g"]["from"] == 100
        assert "went on from step 100's weights with half the learning rates and twice the penalty" in eye.notes[turn]
    with pytest.raises(TrainingDiverged, match=r"diversity 0\.00 .* at step 60 of 400, restarted 3 times"):
        eye.restart(59, eye.trouble)


def test_at_the_end_the_last_weights_count_if_healthy_else_the_best_else_it_fails(tmp_path):
    eye = watched(bars(), tmp_path)
    collapsed = np.zeros_like(eye.real.images)
    for _ in range(watch.PATIENCE + 1):
        looked(eye, collapsed)
    with pytest.raises(TrainingDiverged, match=r"diversity 0\.00 .* at step 400 of 400, restarted 0 times"):
        eye.verdict()
    looked(eye, eye.real.images)
    assert eye.verdict() is None
    looked(eye, collapsed)
    assert eye.verdict()["g"]["from"] == 100
    assert "samples with the weights of step 100" in eye.notes[-1]


def test_a_fit_that_ends_while_it_gets_better_is_short_not_collapsed(tmp_path):
    eye = watched(bars(), tmp_path, by_class=True)
    real, labels = eye.real.images, eye.real.labels
    alike = np.stack([real[labels == label].mean(0) for label in range(3)])[labels]
    for part in np.linspace(0.05, 0.3, 2 * watch.PATIENCE):
        looked(eye, (alike + part * (real - alike)).astype(np.uint8))
    assert eye.trouble
    assert eye.verdict() is None
    assert eye.notes[-1].endswith("but still getting better: it needs more steps")


def test_a_fit_too_short_to_become_healthy_is_not_judged(tmp_path):
    eye = watched(bars(), tmp_path, steps=watch.FEWEST_STEPS - 1)
    assert not any(eye.looks_at(number) for number in range(200))
    assert eye.verdict() is None
    judge = watched(bars(), tmp_path, steps=410)
    assert [number for number in range(410) if judge.looks_at(number)] == [*range(19, 410, 20), 409]


def test_a_fit_too_short_to_be_judged_says_so_and_whether_its_samples_are_alike(tmp_path):
    eye = watched(bars(), tmp_path, steps=100)
    eye.last_look(eye.real.images)
    eye.last_look(np.repeat(eye.real.images[:1], len(eye.real), axis=0))
    short = "100 steps: too short for the collapse watch, which takes 400"
    assert eye.notes == [short, short, "samples are nearly all alike: diversity below 0.1 of real pictures'"]
    by_class = watched(bars(), tmp_path, steps=100, by_class=True)
    one_of_each = np.stack([by_class.real.images[by_class.real.labels == label][0] for label in range(3)])
    by_class.last_look(one_of_each[by_class.real.labels])
    assert "nearly all alike" in by_class.notes[1]
    judged = watched(bars(), tmp_path)
    judged.last_look(judged.real.images)
    assert not judged.notes

    blobs = {"loss": "minimax", "learning_rate": 10.0, "ema": 0.0, "width": 16}
    sampler = fitted(MLPGAN, bars(), tmp_path / "fit", steps=90, **blobs)
    assert sampler.notes[1] == "every class: 30 steps: too short for the collapse watch, which takes 400"
    assert "samples are nearly all alike" in sampler.notes[2]


def test_samples_that_are_not_finite_fail_the_fit_however_short(tmp_path, monkeypatch):
    monkeypatch.setattr(Game, "drawn", lambda self: torch.full((4, 1, 8, 8), math.nan))
    with pytest.raises(TrainingDiverged, match="samples are not finite after 4 steps"):
        fitted(CGAN, bars(12), tmp_path)


@pytest.mark.usefixtures("watch_of_any_fit")
def test_looking_does_not_touch_the_fit(tmp_path, monkeypatch):
    data = bars(12)
    monkeypatch.setattr(watch, "PATIENCE_AT_FIRST", 99)
    monkeypatch.setattr(watch.Watch, "verdict", lambda self: None)
    seen = fitted(CGAN, data, tmp_path / "a", steps=8, spectral_norm=True).network.state_dict()
    monkeypatch.setattr(watch, "FEWEST_STEPS", 99)
    unseen = fitted(CGAN, data, tmp_path / "b", steps=8, spectral_norm=True).network.state_dict()
    assert all(torch.equal(seen[name], unseen[name]) for name in seen)


def test_a_loss_that_stays_not_finite_fails_with_its_step(tmp_path):
    with pytest.raises(TrainingDiverged, match=r"a loss was not finite at step \d+ of 30, restarted 3 times"):
        fitted(CGAN, bars(12), tmp_path, steps=30, loss="wasserstein", gamma=1e30, learning_rate=1e30)


def test_a_loss_that_was_not_finite_once_is_survived(tmp_path, monkeypatch):
    play, broken = Game.play, []

    def torn(self, number):
        losses = play(self, number)
        if number == 20 and not broken:
            broken.append(number)
            with torch.no_grad():
                next(self.g.parameters()).fill_(math.nan)
            return losses | {"generator loss": torch.tensor(math.nan)}
        return losses

    monkeypatch.setattr(Game, "play", torn)
    data = bars(12)
    sampler = fitted(CGAN, data, tmp_path, steps=30)
    assert sampler.notes[0] == (
        "step 21: a loss was not finite; went on from step 0's weights with half the learning rates and twice "
        "the penalty"
    )
    assert all(bool(p.isfinite().all()) for p in sampler.network.parameters())
    assert np.ptp(drawn(sampler, data).images) > 0


HEALTHY = health.Seen(coverage=3, classes=3, entropy=1, diversity=1, accuracy=0.5, gap=0, logits=True, likeness=1)
SICK = replace(HEALTHY, diversity=0)


def fitted_as_seen(tmp_path, monkeypatch, looks):
    """A fit whose looks find what they are told to; the first trouble sends it back."""
    monkeypatch.setattr(watch, "PATIENCE", 1)
    found = iter(looks)
    monkeypatch.setattr(watch.Watch, "_measure", lambda *_: next(found))
    return fitted(CGAN, bars(12), tmp_path, steps=len(looks))


@pytest.mark.usefixtures("watch_of_any_fit")
def test_trouble_at_the_last_look_leaves_the_healthy_snapshot(tmp_path, monkeypatch):
    """No step would follow a restart there; counted as the third, it would have failed the fit."""
    sampler = fitted_as_seen(tmp_path, monkeypatch, [HEALTHY] * 3 + [SICK, SICK] + [HEALTHY] * 2 + [SICK])
    sent_back = [note.partition(":")[0] for note in sampler.notes if "went on from step 3's weights" in note]
    assert sent_back == ["step 4", "step 5"]
    assert sampler.notes[2:] == (
        "step 8: mode coverage 3 of 3, diversity 0.00 of real pictures'; samples with the weights of step 7",
    )


@pytest.mark.usefixtures("watch_of_any_fit")
def test_trouble_at_the_last_look_after_all_restarts_fails(tmp_path, monkeypatch):
    with pytest.raises(TrainingDiverged, match="at step 8 of 8, restarted 3 times"):
        fitted_as_seen(tmp_path, monkeypatch, [HEALTHY] * 3 + [SICK] * 3 + [HEALTHY, SICK])


def test_a_fit_that_was_never_healthy_gets_more_time(tmp_path):
    eye = watched(bars(), tmp_path)
    found = [looked(eye, np.zeros_like(eye.real.images)) for _ in range(watch.PATIENCE_AT_FIRST + 1)]
    assert not any(found[:-1])
    assert found[-1]


@pytest.mark.usefixtures("watch_of_any_fit")
def test_the_unstable_setting_is_caught(tmp_path):
    """The value function itself, no tricks, a high learning rate: collapses, and is failed for it."""
    options = {"labels": "pseudo_labels", "loss": "minimax", "ema": 0.0, "learning_rate": 10.0, "width": 16}
    with pytest.raises(TrainingDiverged, match=r"mode coverage 1 of 3, diversity"):
        fitted(MLPGAN, bars(), tmp_path, steps=220, **options)


# ---------------------------------------------------------------------------------------- bad input


@each_family
def test_what_it_cannot_learn_from_is_said(cls, tmp_path):
    with pytest.raises(NotApplicable, match="pictures of equal size with one class each"):
        fitted(cls, "boxes on unequal pictures", tmp_path)
    with pytest.raises(NotApplicable, match="at least two pictures"):
        fitted(cls, tiny_pictures(8, 8, 1).select([0]), tmp_path)


@each_family
def test_a_batch_of_one_is_refused_where_it_would_be_normalised(cls, tmp_path):
    def fit(**options):
        generator = cls(make_options(cls.Options, {"width": 8, "latent": 8, **options}))
        budget, workplace = Budget(4, 1, "fp32"), Workplace(tmp_path / str(options))
        return generator.fit(tiny_pictures(8, 8, 1), budget=budget, seed=1, progress=silent, workplace=workplace)

    for batch_norm in ("generator", "both"):
        with pytest.raises(NotApplicable, match="a batch_size of two or more, or set batch_norm: none"):
            fit(batch_norm=batch_norm)
    assert fit(batch_norm="none").parameter_count


@each_family
@pytest.mark.parametrize("damage", ["cut", "version", "missing", "options"])
def test_a_damaged_sampler_is_one_line(cls, damage, tmp_path):
    data = tiny_pictures(8, 8, 1)
    saved = tmp_path / "saved"
    saved.mkdir()
    fitted(cls, data, tmp_path).save(saved)
    weights, about = next(saved.rglob("network.safetensors")), next(saved.rglob("sampler.json"))
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:200])
    elif damage == "missing":
        weights.unlink()
    elif damage == "version":
        about.write_text(about.read_text().replace('"format": ', '"format": 9'))
    else:
        about.write_text(about.read_text().replace('"ema"', '"emma"'))
    with pytest.raises(DataError) as caught:
        cls().load(saved)
    assert "\n" not in str(caught.value)
    assert str(saved) in str(caught.value)
