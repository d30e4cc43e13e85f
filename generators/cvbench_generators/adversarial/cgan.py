"""A class-conditional GAN (Goodfellow et al., arXiv 1406.2661; Mirza & Osindero, arXiv 1411.1784).

Made stable by the relativistic pairing loss with R1 and R2 penalties (R3GAN, arXiv 2501.05441, section 2), a
projection discriminator without normalisation (Miyato & Koyama, arXiv 1802.05637), averaged generator weights
and, for small data, differentiable augmentation (Zhao et al., arXiv 2006.10738).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, relu, softplus

from cvbench.contracts import Budget, Progress, Workplace
from cvbench.samples import Dataset, DatasetSpec
from cvbench.seeds import derive_seed
from cvbench.training import BatchOrder, Descent, Ema, OptimizerSettings, run_steps, to_tensor
from cvbench_generators.conditional_sampler import (
    ConditionalSampler,
    Draw,
    Noise,
    load_sampler,
    padded_side,
    pictures_to_learn,
    to_network,
)

if TYPE_CHECKING:
    from cvbench_generators.adversarial import CGANOptions

MULTIPLE = 4  # both networks halve the sides twice


class ConditionalNorm(nn.Module):
    """Batch normalisation with a scale and shift per class."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.scale, self.shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        nn.init.ones_(self.scale.weight)
        nn.init.zeros_(self.shift.weight)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        scale, shift = self.scale(label)[..., None, None], self.shift(label)[..., None, None]
        return cast(Tensor, self.norm(x) * scale + shift)


class PictureNet(nn.Module):
    """G: latent (n, Z) and class → picture (n, C, H, W) in [-1, 1]; H and W are multiples of 4."""

    def __init__(self, spec: DatasetSpec, latent: int, width: int) -> None:
        super().__init__()
        classes, self.latent = len(spec.classes), latent
        self.base = (padded_side(spec.height, MULTIPLE) // 4, padded_side(spec.width, MULTIPLE) // 4)
        self.label = nn.Embedding(classes, 64)
        self.start = nn.Linear(latent + 64, 2 * width * self.base[0] * self.base[1])
        self.norms = nn.ModuleList(ConditionalNorm(c, classes) for c in (2 * width, 2 * width, width))
        self.first = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2)
        self.second = nn.Conv2d(2 * width, width, 3, padding=1)
        self.out = nn.Conv2d(width, 4 * spec.channels, 3, padding=1)
        self.unfold = nn.PixelShuffle(2)

    def forward(self, latent: Tensor, label: Tensor) -> Tensor:
        x = self.start(torch.cat([latent, self.label(label)], dim=1)).unflatten(1, (-1, *self.base))
        x = self.first(relu(self.norms[0](x, label)))
        x = self.second(self.up(relu(self.norms[1](x, label))))
        return cast(Tensor, self.unfold(self.out(relu(self.norms[2](x, label)))).tanh())


class Critic(nn.Module):
    """D: picture and class → a real number (n,), by projection; no normalisation, as R1 and R2 want it."""

    def __init__(self, spec: DatasetSpec, width: int) -> None:
        super().__init__()
        high, wide = (padded_side(side, MULTIPLE) // 4 for side in (spec.height, spec.width))
        self.fold = nn.PixelUnshuffle(2)
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(4 * spec.channels, width, 3, padding=1),
                nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
                nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            ]
        )
        self.features = nn.Linear(2 * width * high * wide, 4 * width)
        self.score = nn.Linear(4 * width, 1)
        self.label = nn.Embedding(len(spec.classes), 4 * width)

    def forward(self, picture: Tensor, label: Tensor) -> Tensor:
        x = self.fold(picture)
        for convolution in self.convolutions:
            x = leaky_relu(convolution(x), 0.2)
        x = leaky_relu(self.features(x.flatten(1)), 0.2)
        return cast(Tensor, self.score(x)[:, 0] + (x * self.label(label)).sum(1) / x.shape[1] ** 0.5)


def fit(
    train: Dataset, options: CGANOptions, budget: Budget, seed: int, progress: Progress, workplace: Workplace
) -> ConditionalSampler:
    """Play the game for the budget's steps, one step of each side; the averaged G is what samples.

    Always in fp32, whatever the budget's precision: the penalties differentiate twice.
    """
    train = pictures_to_learn(train, "cgan")
    device, spec = workplace.device, train.spec
    torch.manual_seed(derive_seed(seed, "weights"))
    g = PictureNet(spec, options.latent, options.width).to(device).to(memory_format=torch.channels_last)
    d = Critic(spec, options.width).to(device).to(memory_format=torch.channels_last)
    ema = Ema(g, options.ema)
    settings = OptimizerSettings("adam", options.learning_rate, betas=(0.0, 0.9), warmup=50, floor=0.1)
    descend_g = Descent(g.parameters(), settings, steps=budget.steps)
    descend_d = Descent(d.parameters(), settings, steps=budget.steps)
    images, labels = to_tensor(train.images, device), torch.from_numpy(train.labels).to(device)
    order = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order"))
    few = len(train) < options.augment_below

    def step(number: int) -> dict[str, Tensor]:
        batch = order(number).to(device)
        real, label = to_network(images[batch], MULTIPLE), labels[batch]
        fake = g(torch.randn(len(batch), options.latent, device=device), label)
        if few:
            real, fake = augmented(torch.stack([real, fake])).unbind()

        real_in, fake_in = real.detach().requires_grad_(), fake.detach().requires_grad_()
        real_score, fake_score = d(real_in, label), d(fake_in, label)
        penalty = squared_slope(real_score, real_in) + squared_slope(fake_score, fake_in)
        d_loss = softplus(fake_score - real_score).mean() + options.gamma / 2 * penalty
        descend_d.step(d_loss, number)

        d.requires_grad_(False)
        with torch.no_grad():
            real_score = d(real, label)
        g_loss = softplus(real_score - d(fake, label)).mean()
        descend_g.step(g_loss, number)
        d.requires_grad_(True)
        ema.update(g, number)
        return {"generator loss": g_loss, "discriminator loss": d_loss}

    curves = run_steps(
        step,
        steps=budget.steps,
        seed=seed,
        state={"g": g, "d": d, "ema": ema, "descend_g": descend_g, "descend_d": descend_d},
        progress=progress,
        folder=workplace.folder,
        note="fitting cgan",
    )
    about = {"width": options.width, "latent": options.latent}
    return ConditionalSampler(ema.module, draw, spec, train.class_counts(), about, curves)


def squared_slope(score: Tensor, picture: Tensor) -> Tensor:
    """The mean over pictures of the squared norm of the score's gradient: R1 on real ones, R2 on fakes."""
    (slope,) = torch.autograd.grad(score.sum(), picture, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()


def augmented(pair: Tensor) -> Tensor:
    """(2, n, C, H, W) → the same, each picture and its partner shifted and partly blanked alike."""
    n, _, high, wide = pair.shape[1:]
    device, reach = pair.device, max(1, min(high, wide) // 8)
    padded = pad(pair.flatten(0, 1), (reach, reach, reach, reach), mode="replicate").view(
        2, n, -1, high + 2 * reach, wide + 2 * reach
    )
    down, right = torch.randint(0, 2 * reach + 1, (2, n, 1, 1), device=device)
    rows = (torch.arange(high, device=device)[None, :, None] + down).expand(n, high, wide)
    columns = (torch.arange(wide, device=device)[None, None, :] + right).expand(n, high, wide)
    which = torch.arange(n, device=device)[:, None, None]
    shifted = padded.permute(1, 3, 4, 0, 2)[which, rows, columns].permute(3, 0, 4, 1, 2)
    top, left = torch.rand(2, n, 1, 1, device=device) * torch.tensor([high, wide], device=device).view(2, 1, 1, 1)
    y, x = torch.arange(high, device=device)[None, :, None], torch.arange(wide, device=device)[None, None, :]
    inside = ((y - top).abs() < high / 6) & ((x - left).abs() < wide / 6)
    blank = inside & (torch.rand(n, 1, 1, device=device) < 0.5)
    return torch.where(blank[None, :, None], torch.zeros((), device=device), shifted)


def draw(g: nn.Module, labels: Tensor, noise: Noise) -> Tensor:
    """Pictures (n, C, H, W) in [-1, 1] from Gaussian latents."""
    latent = noise.normal(len(labels), cast(int, g.latent))
    return cast(Tensor, g(latent.to(labels.device), labels))


def load(folder: Path, device: str) -> ConditionalSampler:
    """The sampler that was saved there; raises as :func:`load_sampler` does."""
    return load_sampler(folder, device, rebuilt)


def rebuilt(spec: DatasetSpec, about: Mapping[str, Any]) -> tuple[PictureNet, Draw]:
    """The network of a saved sampler, and how to draw from it."""
    return PictureNet(spec, int(about["latent"]), int(about["width"])), draw
