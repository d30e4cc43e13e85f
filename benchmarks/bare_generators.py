"""Each family of generators without the house, as in a notebook: optimizer, network, loss, averaged weights.

One loop for the likelihood families, one for the adversarial ones, one each for the two translators. Networks, losses,
penalties, latents, the density of codes and the replay buffer are the families' own modules; what is written out here
is everything between them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import torch
from cvbench_generators.adversarial.family import Family
from cvbench_generators.adversarial.losses import LOSSES
from cvbench_generators.adversarial.penalties import AT_PICTURES, PENALTIES, Judged
from cvbench_generators.autoencoder.denoising import DenoisingAutoencoder
from cvbench_generators.autoencoder.vae import Likelihood, Posterior
from cvbench_generators.conditional_sampler import Noise
from cvbench_generators.flow.edm import P_MEAN, P_STD, SIGMA_DATA, SIGMA_MAX, Denoiser, noise_levels
from cvbench_generators.flow.unet import UNet
from cvbench_generators.translation import cyclegan, pix2pix
from cvbench_generators.translation.patch_critic import start_weights
from cvbench_generators.translation.replay_buffer import ReplayBuffer
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import l1_loss

from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages

PICTURES, SIDE, CLASSES, BATCH = 2000, 32, 10, 16  # no network has to pad 32 px


@dataclass(frozen=True)
class Data:
    """The same pictures for both sides: for the harness, and as float tensors in [-1, 1] for the bare loop."""

    train: LabelledImages
    images: Tensor
    labels: Tensor

    @property
    def spec(self) -> DatasetSpec:
        return self.train.spec

    def batch(self) -> tuple[Tensor, Tensor]:
        places = torch.randint(PICTURES, (BATCH,))
        return self.images[places], self.labels[places]


def blobs(classes: int) -> Data:
    """Bright spots whose size tells their class."""
    rng = np.random.default_rng(0)
    sizes, centres = np.arange(PICTURES) % CLASSES, rng.uniform(8, SIDE - 8, (2, PICTURES, 1, 1))
    y, x = np.mgrid[:SIDE, :SIDE]
    squared = (y - centres[0]) ** 2 + (x - centres[1]) ** 2
    pixels = (255 * np.exp(-squared / (4 + 4 * sizes)[:, None, None])).astype(np.uint8)[..., None]
    spec = DatasetSpec("blobs", AnnotationKind.LABEL, tuple(map(str, range(classes))), SIDE, SIDE, 1)
    train = LabelledImages(spec, pixels, (sizes % classes).astype(np.int64))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    return Data(train, images, torch.from_numpy(train.labels))


@dataclass(frozen=True)
class Bare:
    """A family without the house: one training step, and pictures (n, C, H, W) drawn from a fitted network."""

    step: Callable[[], object]
    draw: Callable[[Any, Tensor], Tensor]


def averaging(network: nn.Module, decay: float) -> Callable[[], None]:
    """What keeps an exponential moving average of the network's weights."""
    average = copy.deepcopy(network).requires_grad_(False)
    ours, theirs = list(average.parameters()), list(network.parameters())
    buffers = list(zip(average.buffers(), network.buffers(), strict=True))

    @torch.no_grad()
    def update() -> None:
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        for mine, its in buffers:
            mine.copy_(its)

    return update


def descend(optimizer: torch.optim.Optimizer, loss: Tensor, clip: Iterable[nn.Parameter] | None = None) -> None:
    """Zero, backward, step."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        nn.utils.clip_grad_norm_(clip, 1.0)
    optimizer.step()


# --------------------------------------------------------------------------------- likelihood and denoising


def bare_regression(
    networks: nn.ModuleList, averaged: nn.Module, loss: Callable[[], Tensor], draw: Callable[..., Tensor], *, clip: bool
) -> Bare:
    """AdamW on a loss of one batch."""
    networks.to(memory_format=torch.channels_last)
    weights = list(networks.parameters())
    optimizer, average = torch.optim.AdamW(weights, 2e-3, (0.9, 0.99), weight_decay=1e-2), averaging(averaged, 0.995)

    def step() -> None:
        descend(optimizer, loss(), weights if clip else None)
        average()

    return Bare(step, draw)


def bare_flow(data: Data, options: Any) -> Bare:
    net = UNet(data.spec, options.width, labels=CLASSES)

    def loss() -> Tensor:
        picture, label = data.batch()
        noise, time = torch.randn_like(picture), torch.randn(BATCH).sigmoid()
        along = time[:, None, None, None]
        velocity: Tensor = net((1 - along) * noise + along * picture, time, label)
        return (velocity - (picture - noise)).square().mean()

    def draw(net: nn.Module, labels: Tensor) -> Tensor:
        x, steps = torch.randn(len(labels), 1, SIDE, SIDE), options.sampling_steps
        for k in range(steps):
            x = x + net(x, torch.full((len(x),), k / steps), labels) / steps
        return x

    return bare_regression(nn.ModuleList([net]), net, loss, draw, clip=True)


def bare_diffusion(data: Data, options: Any) -> Bare:
    denoiser = Denoiser(data.spec, options.width)

    def loss() -> Tensor:
        picture, label = data.batch()
        sigma = (P_MEAN + P_STD * torch.randn(BATCH)).exp()
        denoised: Tensor = denoiser(picture + sigma[:, None, None, None] * torch.randn_like(picture), sigma, label)
        weight = (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
        return (weight * (denoised - picture).square().mean((1, 2, 3))).mean()

    def draw(net: nn.Module, labels: Tensor) -> Tensor:
        x = SIGMA_MAX * torch.randn(len(labels), 1, SIDE, SIDE)
        for now, after in pairwise(noise_levels(options.sampling_steps)):
            slope = (x - net(x, torch.full((len(x),), now), labels)) / now
            ahead = x + (after - now) * slope
            if after:
                slope = (slope + (ahead - net(ahead, torch.full((len(x),), after), labels)) / after) / 2
                ahead = x + (after - now) * slope
            x = ahead
        return x

    return bare_regression(nn.ModuleList([denoiser]), denoiser, loss, draw, clip=True)


def bare_vae(data: Data, options: Any) -> Bare:
    q, p = (kind(data.spec, options.width, options.latent) for kind in (Posterior, Likelihood))

    def loss() -> Tensor:
        picture, label = data.batch()
        mean, log_variance = q(picture, label)
        logits = p(mean + (log_variance / 2).exp() * torch.randn_like(mean), label)
        reconstruction = cross_entropy(logits, (picture + 1) / 2, reduction="sum") / BATCH
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        return (reconstruction + divergence) / picture[0].numel()

    def draw(p: nn.Module, labels: Tensor) -> Tensor:
        logits: Tensor = p(torch.randn(len(labels), options.latent), labels)
        return 2 * logits.sigmoid() - 1

    return bare_regression(nn.ModuleList([q, p]), p, loss, draw, clip=False)


def bare_autoencoder(data: Data, options: Any) -> Bare:
    net = DenoisingAutoencoder(data.spec, options.width, options.code)

    def loss() -> Tensor:
        picture, _ = data.batch()
        cleaned: Tensor = net(picture + options.noise * torch.randn_like(picture))
        return (cleaned - picture).square().mean()

    def draw(samples: Any, labels: Tensor) -> Tensor:
        logits: Tensor = samples.decoder(samples.density.draw(labels, Noise(torch.default_generator)))
        return logits.tanh()

    return bare_regression(nn.ModuleList([net]), net, loss, draw, clip=False)


# ---------------------------------------------------------------------------------------------- adversarial


def bare_game(family: Family) -> Callable[[Data, Any], Bare]:
    """G against D with the family's networks, its options' loss and penalty."""

    def game(data: Data, options: Any) -> Bare:
        g, d = family.generator(data.spec, options), family.discriminator(data.spec, options)
        g.to(memory_format=torch.channels_last)
        d.to(memory_format=torch.channels_last)
        loss, betas = LOSSES[options.loss], (options.momentum, options.second_momentum)
        of_g, of_d = (torch.optim.Adam(net.parameters(), options.learning_rate, betas) for net in (g, d))
        average, sloped = averaging(g, options.ema), options.penalty in AT_PICTURES

        def step() -> None:
            for turn in range(options.discriminator_steps):
                real, label = data.batch()
                given = (label,) if family.conditional else ()
                latent = g.latents(BATCH, Noise(torch.default_generator))
                with torch.set_grad_enabled(turn == options.discriminator_steps - 1):
                    fake = g(latent, *given)
                seen = fake.detach().requires_grad_(sloped)
                real_score = d(real.requires_grad_(sloped), *given)
                fake_score, own = family.judged(d, seen, label, latent)
                d_loss = loss.discriminator(real_score, fake_score) + own
                if options.penalty != "none":
                    slopes = Judged(lambda x, given=given: d(x, *given), real, seen, real_score, fake_score)
                    d_loss = d_loss + options.gamma * PENALTIES[options.penalty](slopes)
                descend(of_d, d_loss)
            d.requires_grad_(False)
            with torch.no_grad():
                real_score = d(real, *given) if loss.paired else torch.zeros(0)
            fake_score, own = family.judged(d, fake, label, latent)
            descend(of_g, loss.generator(real_score, fake_score) + own)
            d.requires_grad_(True)
            average()

        def draw(g: Any, labels: Tensor) -> Tensor:
            latent = g.latents(len(labels), Noise(torch.default_generator))
            pictures: Tensor = g(latent, *((labels,) if family.conditional else ()))
            return pictures

        return Bare(step, draw)

    return game


# ---------------------------------------------------------------------------------------------- translation


def with_holes(pictures: Tensor) -> Tensor:
    """A grey rectangle in each, of a quarter to half of the side."""
    count = len(pictures)
    high, wide = (SIDE * (0.25 + 0.25 * torch.rand(2, count, 1, 1))).round()
    top, left = torch.rand(2, count, 1, 1) * (SIDE - torch.stack([high, wide]))
    y, x = torch.arange(SIDE)[None, :, None], torch.arange(SIDE)[None, None, :]
    inside = (y >= top) & (y < top + high) & (x >= left) & (x < left + wide)
    return pictures.masked_fill(inside[:, None], 0.0)


def turned(data: Data, count: int) -> Tensor:
    """So many training pictures, turned and shifted a little."""
    rng = np.random.default_rng(0)
    moved = np.empty((count, SIDE, SIDE, 1), np.uint8)
    for place, image in enumerate(data.train.images[rng.integers(0, PICTURES, count)]):
        affine = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), rng.uniform(-10, 10), 1.0)
        affine[:, 2] += rng.uniform(-2, 2, 2)
        moved[place, ..., 0] = cv2.warpAffine(image, affine, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101)
    return torch.from_numpy(moved).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def bare_pix2pix(data: Data, options: Any) -> Bare:
    networks, _ = pix2pix.build(data.spec, {"width": options.width})
    start_weights(networks.to(memory_format=torch.channels_last))
    g, d = networks["g"], networks["d"]
    of_g, of_d = (torch.optim.Adam(net.parameters(), options.learning_rate, (0.5, 0.999)) for net in (g, d))

    def judged(score: Tensor, real: float) -> Tensor:
        return cross_entropy(score, torch.full_like(score, real))

    def step() -> None:
        y, _ = data.batch()
        x = with_holes(y)
        fake = g(x)
        descend(of_d, (judged(d(torch.cat([x, y], 1)), 1) + judged(d(torch.cat([x, fake.detach()], 1)), 0)) / 2)
        d.requires_grad_(False)
        descend(of_g, judged(d(torch.cat([x, fake], 1)), 1) + options.l1_weight * l1_loss(fake, y))
        d.requires_grad_(True)

    return Bare(step, lambda networks, labels: networks["g"](with_holes(turned(data, len(labels)))))


def bare_cyclegan(data: Data, options: Any) -> Bare:
    networks, _ = cyclegan.build(data.spec, {"width": options.width, "blocks": options.blocks})
    start_weights(networks.to(memory_format=torch.channels_last))
    g, f, d_a, d_b = (networks[name] for name in ("g", "f", "d_source", "d_target"))
    translators, critics = nn.ModuleList([g, f]), nn.ModuleList([d_a, d_b])
    of_gf, of_d = (
        torch.optim.Adam(nets.parameters(), options.learning_rate, (0.5, 0.999)) for nets in (translators, critics)
    )
    old_a, old_b = (ReplayBuffer((1, SIDE, SIDE), "cpu") for _ in range(2))

    def squares(score: Tensor, wanted: float) -> Tensor:
        return (score - wanted).square().mean()

    def step() -> None:
        a, b = -data.batch()[0], data.batch()[0]
        critics.requires_grad_(False)
        fake_b, fake_a = g(a), f(b)
        cycle = l1_loss(f(fake_b), a) + l1_loss(g(fake_a), b)
        game = squares(d_b(fake_b), 1) + squares(d_a(fake_a), 1)
        descend(of_gf, game + options.cycle_weight * cycle)
        critics.requires_grad_(True)
        loss = squares(d_b(b), 1) + squares(d_b(old_b.exchange(fake_b.detach())), 0)
        descend(of_d, (loss + squares(d_a(a), 1) + squares(d_a(old_a.exchange(fake_a.detach())), 0)) / 2)

    return Bare(step, lambda networks, labels: networks["g"](-turned(data, len(labels))))
