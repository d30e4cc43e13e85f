"""vae, autoencoder, flow and diffusion: resuming, what they learn and refuse, their solvers against closed forms."""

import json

import numpy as np
import pytest
import torch
from cvbench_generators.autoencoder import VAE, Autoencoder, AutoencoderOptions, VAEOptions, denoising
from cvbench_generators.autoencoder.code_density import CodeDensity, fit_density
from cvbench_generators.conditional_sampler import Noise
from cvbench_generators.flow import Diffusion, DiffusionOptions, Flow, FlowOptions, edm, rectified_flow
from cvbench_generators.flow.few_steps import worth_by_steps
from torch import nn

from cvbench.conformance import tiny_pictures
from cvbench.contracts import Budget, Workplace, silent
from cvbench.datasets import gather
from cvbench.errors import DataError, NotApplicable, TrainingDiverged, UserError
from cvbench.plugins import make_options

SMALL = {
    "vae": (VAE, VAEOptions(width=16, latent=4)),
    "autoencoder": (Autoencoder, AutoencoderOptions(width=16, code=4, components=2)),
    "diffusion": (Diffusion, DiffusionOptions(width=16)),
    "guided flow": (Flow, FlowOptions(width=16, label_dropout=0.2, guidance=2.0, solver="heun", sampling_steps=4)),
}
SPEC = tiny_pictures(4, 4, 1).spec


def fitted(name, data, folder, *, steps=6, progress=silent):
    cls, options = SMALL[name]
    budget = Budget(steps, 16, "fp32")
    return cls(options).fit(data, budget=budget, seed=1, progress=progress, workplace=Workplace(folder))


def drawn(sampler, data, count=12, **asked):
    return gather(sampler.sample(count, seed=3, **asked), data.spec)


def weights(sampler):
    return sampler.network.state_dict().values()


def noise(spread=1.0):
    return Noise(torch.Generator().manual_seed(0), spread)


# ------------------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("name", SMALL)
def test_a_killed_fit_continues_to_the_same_bits(name, tmp_path, monkeypatch):
    data = tiny_pictures(8, 8, 1)
    whole = fitted(name, data, tmp_path / "a")
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)

    def kill(done: int, total: int, note: str = "") -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fitted(name, data, tmp_path / "b", progress=kill)
    continued = fitted(name, data, tmp_path / "b")
    assert drawn(continued, data).fingerprint == drawn(whole, data).fingerprint
    for expected, found in zip(weights(whole), weights(continued), strict=True):
        assert torch.equal(expected, found)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("shape", [(9, 14, 3), (28, 28, 1), (64, 64, 3)])
def test_any_picture_shape_is_fitted(name, shape, tmp_path):
    data = tiny_pictures(*shape, per_class=4)
    assert drawn(fitted(name, data, tmp_path, steps=1), data, 5).images.shape == (5, *shape)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_learnt_depends_on_the_class(name, tmp_path):
    """The toy's classes differ in brightness; a conditional generator's samples must, too."""
    data = tiny_pictures(8, 8, 1, per_class=40)
    made = drawn(fitted(name, data, tmp_path, steps=100), data, 60)
    brightness = [made.images[made.labels == label].mean() for label in range(3)]
    assert brightness[0] + 25 < brightness[1] < brightness[2] - 25


@pytest.mark.parametrize("name", SMALL)
def test_a_wider_latent_gives_more_varied_samples(name, tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler, one_class = fitted(name, data, tmp_path, steps=1), np.array([60, 0, 0], dtype=np.int64)
    made = [drawn(sampler.widened(spread), data, 60, class_counts=one_class).images for spread in (0.5, 1.0, 1.5)]
    variety = [images.std(axis=0).mean() for images in made]
    assert variety[0] * 1.2 < variety[1] < variety[2] / 1.1


@pytest.mark.parametrize("name", SMALL)
def test_samples_that_are_not_finite_are_no_pictures(name, tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler = fitted(name, data, tmp_path, steps=1)
    with torch.no_grad():
        for weights_of_a_layer in sampler.network.parameters():
            weights_of_a_layer.fill_(torch.nan)
    with pytest.raises(TrainingDiverged, match="the samples are not finite"):
        drawn(sampler, data)
    with pytest.raises(TrainingDiverged, match="the samples are not finite"):
        sampler.walk(2, seed=1)


def test_codes_that_are_not_finite_fail_the_fit(tmp_path, monkeypatch):
    monkeypatch.setattr(denoising, "encoded", lambda *_: np.full((36, 4), np.nan))
    with pytest.raises(TrainingDiverged, match="the codes are not finite after 6 steps"):
        fitted("autoencoder", tiny_pictures(8, 8, 1), tmp_path)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("damage", ["cut", "version", "missing", "json", "other network"])
def test_a_damaged_sampler_is_one_line(name, damage, tmp_path):
    fitted(name, tiny_pictures(8, 8, 1), tmp_path / "w", steps=1).save(tmp_path)
    weights, about = tmp_path / "network.safetensors", tmp_path / "sampler.json"
    said = json.loads(about.read_text())
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:200])
    elif damage == "missing":
        weights.unlink()
    elif damage == "json":
        about.write_text("{")
    elif damage == "version":
        about.write_text(json.dumps({**said, "format": 99}))
    else:
        about.write_text(json.dumps({**said, "about": {**said["about"], "width": 32}}))
    with pytest.raises(DataError) as caught:
        SMALL[name][0]().load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert "delete that folder: the same command fits it again" in str(caught.value)


def test_a_sampler_of_another_family_is_one_line(tmp_path):
    fitted("vae", tiny_pictures(8, 8, 1), tmp_path / "w", steps=1).save(tmp_path)
    for cls in (Autoencoder, Diffusion, Flow):
        with pytest.raises(DataError, match="not a readable sampler"):
            cls().load(tmp_path)


@pytest.mark.parametrize("name", SMALL)
def test_data_that_is_not_for_them_is_refused_with_a_reason(name, tmp_path):
    generator = SMALL[name][0]()
    for data, reason in (("no pictures", "one class each"), (tiny_pictures(8, 8, 1).select([0]), "two pictures")):
        with pytest.raises(NotApplicable, match=reason):
            generator.fit(data, budget=Budget(1), seed=0, progress=silent, workplace=Workplace(tmp_path))


@pytest.mark.parametrize("name", SMALL)
def test_a_class_without_pictures_is_never_drawn(name, tmp_path):
    data = tiny_pictures(8, 8, 1)
    sampler = fitted(name, data.select(np.flatnonzero(data.labels != 1)), tmp_path, steps=1)
    assert drawn(sampler, data).class_counts().tolist() == [6, 0, 6]
    with pytest.raises(NotApplicable, match="'grey'"):
        drawn(sampler, data, class_counts=np.array([4, 4, 4], dtype=np.int64))


def test_a_density_that_lacks_pictures_is_told_before_a_step_is_taken(tmp_path):
    data = tiny_pictures(8, 8, 1)
    kept = np.flatnonzero(data.labels != 1).tolist() + np.flatnonzero(data.labels == 1)[:1].tolist()
    steps: list[int] = []
    with pytest.raises(NotApplicable, match="has one picture"):
        fitted("autoencoder", data.select(kept), tmp_path, progress=lambda done, *_: steps.append(done))
    assert steps == []


@pytest.mark.parametrize("name", SMALL)
def test_one_picture_per_class_is_refused(name, tmp_path):
    with pytest.raises(NotApplicable, match="two pictures of some class"):
        fitted(name, tiny_pictures(8, 8, 1, per_class=1), tmp_path, steps=1)


def test_a_batch_of_one_cannot_be_normalised(tmp_path):
    for name in ("vae", "autoencoder"):
        cls, options = SMALL[name]
        asked = {"budget": Budget(2, 1, "fp32"), "seed": 1, "progress": silent, "workplace": Workplace(tmp_path / name)}
        if name == "vae":
            assert cls(options).fit(tiny_pictures(8, 8, 1), **asked)
            continue
        with pytest.raises(NotApplicable, match="autoencoder needs a batch_size of two or more"):
            cls(options).fit(tiny_pictures(8, 8, 1), **asked)


@pytest.mark.parametrize("options", [VAEOptions, AutoencoderOptions, DiffusionOptions])
def test_a_width_that_cannot_be_normalised_in_groups_is_refused_before_the_fit(options):
    with pytest.raises(UserError, match="option 'width'"):
        make_options(options, {"width": 24})


# ---------------------------------------------------------------------- the autoencoder's code density


def test_a_density_draws_what_it_was_fitted_to():
    rng = np.random.default_rng(0)
    mixing = np.array([[1.0, 0.0], [0.8, 0.3]])
    first = rng.normal(size=(2000, 2)) @ mixing.T + [3.0, -1.0]
    second = np.concatenate([rng.normal(-5, 0.1, (500, 2)), rng.normal(5, 0.1, (1500, 2))])
    codes, labels = np.concatenate([first, second]), np.repeat([0, 2], 2000)
    density = fit_density(codes, labels, SPEC, components=2, seed=0)
    asked = torch.tensor([0, 2]).repeat(4000)
    codes = density.draw(asked, noise()).numpy()
    assert codes[asked == 0].mean(0) == pytest.approx([3.0, -1.0], abs=0.1)
    assert np.cov(codes[asked == 0].T) == pytest.approx(mixing @ mixing.T, abs=0.1)
    assert (codes[asked == 2][:, 0] > 0).mean() == pytest.approx(0.75, abs=0.03)
    assert np.abs(np.abs(codes[asked == 2]) - 5).max() < 1


def test_a_small_class_has_fewer_gaussians_and_never_draws_an_empty_one():
    codes = np.random.default_rng(0).normal(7, 0.1, (21, 3))
    density = fit_density(codes, np.zeros(21, dtype=np.int64), SPEC, components=5, seed=0)
    assert (density.shares[0] > 0).sum() == 2
    density.shares *= 0.5  # as if rounding had lost much
    assert density.draw(torch.zeros(200, dtype=torch.long), noise()).min() > 5


def test_a_narrow_density_is_its_means():
    density = CodeDensity(1, 1, 2)
    density.shares += 1
    density.means += 4
    density.scales += torch.eye(2)
    assert torch.equal(density.draw(torch.tensor([0]), noise(0.0)), torch.full((1, 2), 4.0))


# ------------------------------------------------------------------ solvers against Gaussian closed forms

MEAN, DEVIATION = 0.3, 0.5  # of "data" whose pixels are independent Gaussians


class GaussianVelocity(nn.Module):
    """The exact velocity of the straight paths from a standard Gaussian to the data."""

    def forward(self, x, time, label):
        t = time[:, None, None, None]
        slope = (t * DEVIATION**2 - (1 - t)) / ((1 - t) ** 2 + (t * DEVIATION) ** 2)
        return MEAN + slope * (x - t * MEAN)


class GaussianDenoiser(nn.Module):
    """The exact expectation of a picture given its noisy self."""

    def forward(self, noisy, sigma, label):
        at = sigma[:, None, None, None] ** 2
        return (DEVIATION**2 * noisy + at * MEAN) / (DEVIATION**2 + at)


def flowed(net, labels, **asked):
    given = {"spec": SPEC, "steps": 8, "solver": "euler", "guidance": 1.0, "precision": "fp32"}
    return rectified_flow.follow(net, labels, noise(), **{**given, **asked})


def test_the_flow_carries_noise_to_the_data_and_heun_is_nearer_than_euler():
    labels = torch.zeros(50, dtype=torch.long)
    exact = MEAN + DEVIATION * noise().normal(50, 1, 4, 4)
    error = {
        (solver, steps): (flowed(GaussianVelocity(), labels, solver=solver, steps=steps) - exact).abs().max().item()
        for solver in ("euler", "heun")
        for steps in (8, 64)
    }
    assert error["heun", 64] < 2e-3
    assert error["heun", 8] < error["euler", 8] / 3
    assert error["euler", 64] < error["euler", 8] / 4


def test_guidance_goes_beyond_the_class_by_its_difference_from_no_class():
    class Constant(nn.Module):
        def forward(self, x, time, label):
            return torch.tensor([1.0, 2.0, 4.0, 0.5])[label][:, None, None, None].expand_as(x)

    labels = torch.tensor([0, 1, 2])
    moved = (flowed(Constant(), labels, guidance=3.0) - noise().normal(3, 1, 4, 4)).mean((1, 2, 3))
    assert moved.tolist() == pytest.approx([0.5 + 3 * 0.5, 0.5 + 3 * 1.5, 0.5 + 3 * 3.5], abs=1e-5)


def test_guidance_without_label_dropout_is_refused_before_the_fit():
    with pytest.raises(UserError, match="set label_dropout"):
        make_options(FlowOptions, {"guidance": 2.0})


def test_dropped_labels_are_learnt_as_no_class(tmp_path):
    flow = Flow(FlowOptions(width=16, label_dropout=0.5))
    data = tiny_pictures(8, 8, 1)
    sampler = flow.fit(data, budget=Budget(3, 16, "fp32"), seed=1, progress=silent, workplace=Workplace(tmp_path))
    rows = sampler.network.label.weight
    assert rows.shape[0] == 4
    plain = Flow(FlowOptions(width=16)).fit(
        data, budget=Budget(3, 16, "fp32"), seed=1, progress=silent, workplace=Workplace(tmp_path / "plain")
    )
    assert plain.network.label.weight.shape[0] == 3


def test_diffusion_carries_noise_to_the_data():
    labels = torch.zeros(50, dtype=torch.long)
    start = noise().normal(50, 1, 4, 4)
    exact = MEAN + DEVIATION * (edm.SIGMA_MAX * start - MEAN) / (edm.SIGMA_MAX**2 + DEVIATION**2) ** 0.5

    def error(steps):
        made = edm.denoise(GaussianDenoiser(), labels, noise(), spec=SPEC, steps=steps, precision="fp32")
        return (made - exact).abs().max().item()

    assert error(80) < 0.01
    assert error(80) < error(40) / 3.5  # second order


def test_the_noise_levels_are_those_of_equation_5():
    levels = edm.noise_levels(18)
    assert levels[0] == pytest.approx(80.0)
    assert levels[17] == pytest.approx(0.002)
    assert levels[18] == 0
    assert levels[5] == pytest.approx((80 ** (1 / 7) + 5 / 17 * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7)


def test_an_untrained_denoiser_trusts_the_picture_as_far_as_the_noise_is_small():
    denoiser = edm.Denoiser(SPEC, 16)
    noisy, labels = torch.randn(3, 1, 4, 4), torch.zeros(3, dtype=torch.long)
    denoised = denoiser(noisy, torch.tensor([1e-4, 0.5, 1e3]), labels)
    assert torch.allclose(denoised[0], noisy[0], atol=1e-3)
    assert torch.allclose(denoised[1], noisy[1] / 2)
    assert denoised[2].abs().max() < 1e-5


def test_what_samples_are_worth_is_measured_for_every_number_of_steps():
    def recognised(samples):
        typical = np.array([38.0, 128.0, 217.0])
        nearest = np.abs(samples.images.mean((1, 2, 3))[:, None] - typical).argmin(1)
        return (nearest == samples.labels).mean()

    class FourSteps(nn.Module):
        """Reaches the class's brightness with steps of a quarter; steps of a half go there and back to noise."""

        def __init__(self):
            super().__init__()
            self.goal = nn.Parameter(torch.tensor([-0.7, 0.0, 0.7]))

        def forward(self, x, time, label):
            return 4 * (self.goal[label][:, None, None, None] - x)

    data = tiny_pictures(4, 4, 1)
    about = {"sampling_steps": 8, "solver": "euler", "guidance": 1.0, "precision": "fp32"}
    draw = rectified_flow.drawing(SPEC, about)
    sampler = rectified_flow.ConditionalSampler(FourSteps(), draw, SPEC, data.class_counts(), about)
    found = worth_by_steps(sampler, rectified_flow.drawing, recognised, count=90, seed=0, steps=(2, 4))
    assert found[4] == 1.0
    assert found[2] == pytest.approx(1 / 3, abs=0.2)

    def rough(samples):
        return samples.images.std(axis=(1, 2, 3)).mean()

    asked = {"count": 90, "seed": 0, "steps": (4,)}
    assert worth_by_steps(sampler, rectified_flow.drawing, rough, **asked)[4] < 1
    # with this velocity each of heun's steps leaves half of the noise
    assert 4 < worth_by_steps(sampler, rectified_flow.drawing, rough, **asked, solver="heun")[4] < 16
