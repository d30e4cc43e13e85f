"""pix2pix (Isola, Zhu, Zhou & Efros, "Image-to-Image Translation with Conditional Adversarial Networks",
arXiv 1611.07004).

G is a U-Net from source x to target y; D judges patches of (x, y) side by side; G's loss is adversarial plus
λ·‖y − G(x)‖₁ (equation 4). Pairs are training pictures y with their corruptions x, drawn anew at every step.
Sized for 28 to 96 px. The noise z is left out: the paper finds that G learns to ignore it, and has dropout in its place
(section 3.1); what varies here is the source picture.

Other than in the paper (section 3.3): a ``learning_rate`` of 1e-3 that a cosine takes to 0 and batches of 32, where it
has 2e-4 and batches of 1 to 10; and G translates with the running statistics of its batch normalisation, not with
those of the test batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss

from cvbench.contracts import Budget, Progress, Translator, Workplace
from cvbench.corruptions import Corruption, corrupt
from cvbench.samples import Dataset, DatasetSpec
from cvbench.seeds import derive_seed
from cvbench.training import BatchOrder, Curves, Descent, OptimizerSettings, autocast, run_steps, to_tensor
from cvbench_generators.conditional_sampler import padded_shape, to_network
from cvbench_generators.translation.patch_critic import PatchCritic, start_weights
from cvbench_generators.translation.translating_sampler import (
    TranslatingSampler,
    Turn,
    load_translator,
    pictures_to_translate,
)

if TYPE_CHECKING:
    from cvbench_generators.translation import Pix2PixOptions


class Weights(Protocol):
    """What the game's options have, whatever the pairs are."""

    @property
    def l1_weight(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...


def levels_of(spec: DatasetSpec) -> int:
    """How often the U-Net halves the sides: down to 2 to 6 px."""
    side = max(spec.height, spec.width)
    return 2 if side <= 16 else 3 if side <= 48 else 4


class UNet(nn.Module):
    """G: (n, C, H, W) → (n, O, H, W) in [-1, 1]; level i of the encoder is joined to its mirror in the decoder.

    The outermost skip is the source picture itself, so that what needs no change costs nothing to keep.
    """

    def __init__(self, channels: int, width: int, levels: int, painted: int) -> None:
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(levels)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for level, (inside, outside) in enumerate(zip([channels, *widths], widths, strict=False)):
            norm = nn.BatchNorm2d(outside) if level else nn.Identity()
            self.down.append(nn.Sequential(nn.Conv2d(inside, outside, 4, stride=2, padding=1), norm, nn.LeakyReLU(0.2)))
        for level in reversed(range(levels)):
            inside, outside = widths[level], widths[max(0, level - 1)]
            if level < levels - 1:
                inside *= 2
            block = [nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1), nn.BatchNorm2d(outside), nn.ReLU()]
            self.up.append(nn.Sequential(*block))
        self.out = nn.Conv2d(width + channels, painted, 3, padding=1)

    def forward(self, source: Tensor) -> Tensor:
        passed = [source]
        for down in self.down:
            passed.append(down(passed[-1]))
        x = passed.pop()
        for up in self.up:
            x = torch.cat([up(x), passed.pop()], dim=1)
        return cast(Tensor, self.out(x).tanh())


def build(spec: DatasetSpec, about: Mapping[str, Any]) -> tuple[nn.ModuleDict, Turn]:
    """G and D, their weights still to be drawn or read, and how to translate with G."""
    width, levels = int(about["width"]), levels_of(spec)
    channels, high, wide = padded_shape(spec, 2**levels)
    networks = nn.ModuleDict(
        {
            "g": UNet(channels, width, levels, channels),
            "d": PatchCritic(2 * channels, width, (high, wide), nn.BatchNorm2d),
        }
    )
    return networks, partial(turn, multiple=2**levels)


def turn(networks: nn.Module, source: Tensor, *, multiple: int) -> Tensor:
    """uint8 (n, C, H, W) → G's pictures, in fp32 whatever the fit's precision."""
    return cast(Tensor, cast(nn.ModuleDict, networks)["g"](to_network(source, multiple)))


def fit(
    train: Dataset,
    options: Pix2PixOptions,
    budget: Budget,
    seed: int,
    progress: Progress,
    workplace: Workplace,
    start: Translator | None = None,
) -> TranslatingSampler:
    """Play the game for the budget's steps, one step of D, then one of G."""
    train = pictures_to_translate(train, "pix2pix")
    device, spec, about = workplace.device, train.spec, {"width": options.width}
    corruption = Corruption(options.source, options.strength)
    corrupt(train.images[:1], corruption, 0)  # says at once when the pictures cannot have it
    torch.manual_seed(derive_seed(seed, "weights"))
    networks, translating = build(spec, about)
    start_weights(networks)
    if start is not None:
        networks.load_state_dict(cast(TranslatingSampler, start).networks.state_dict())
    networks.to(device).to(memory_format=torch.channels_last).train()
    order, multiple = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order")), 2 ** levels_of(spec)

    def pairs(number: int) -> tuple[Tensor, Tensor]:
        clean = train.images[order(number).numpy()]
        corrupted = corrupt(clean, corruption, derive_seed(seed, "corruption", number))
        source, target = (to_network(to_tensor(images, device), multiple) for images in (corrupted, clean))
        return source, target

    curves = play(networks, pairs, options, budget, seed, progress, workplace, note="fitting pix2pix")
    notes = (f"samples: training pictures, turned and shifted a little, corrupted ({corruption}) and restored",)
    return TranslatingSampler(networks, translating, train, corruption, train.class_counts(), about, curves, notes)


def play(
    networks: nn.ModuleDict,
    pairs: Callable[[int], tuple[Tensor, Tensor]],
    weights: Weights,
    budget: Budget,
    seed: int,
    progress: Progress,
    workplace: Workplace,
    *,
    note: str,
) -> Curves:
    """The game of ``g`` and ``d``, which it trains; ``pairs`` gives the sources and targets (n, C, H, W) of a step."""
    device, g, d = workplace.device, networks["g"], networks["d"]
    settings = OptimizerSettings("adam", weights.learning_rate, betas=(0.5, 0.999))
    descend_g, descend_d = (
        Descent(network.parameters(), settings, steps=budget.steps, device=device, precision=budget.precision)
        for network in (g, d)
    )

    def step(number: int) -> dict[str, Tensor]:
        x, y = pairs(number)
        with autocast(device, budget.precision):
            fake = g(x)
            real_score, fake_score = d(torch.cat([x, y], 1)), d(torch.cat([x, fake.detach()], 1))
        d_loss = (judged(real_score, real=True) + judged(fake_score, real=False)) / 2
        descend_d.step(d_loss, number)

        d.requires_grad_(False)
        with autocast(device, budget.precision):
            score = d(torch.cat([x, fake], 1))
        distance = l1_loss(fake.float(), y)
        g_loss = judged(score, real=True) + weights.l1_weight * distance
        descend_g.step(g_loss, number)
        d.requires_grad_(True)
        return {"generator loss": g_loss, "discriminator loss": d_loss, "L1 distance": distance}

    return run_steps(
        step,
        steps=budget.steps,
        seed=seed,
        state={"networks": networks, "descend_g": descend_g, "descend_d": descend_d},
        progress=progress,
        folder=workplace.folder,
        note=note,
    )


def judged(score: Tensor, *, real: bool) -> Tensor:
    """The cross-entropy of D's patch scores when all patches are real, or all are not."""
    score = score.float()
    return binary_cross_entropy_with_logits(score, torch.full_like(score, float(real)))


def load(folder: Path, device: str) -> TranslatingSampler:
    """The sampler that was saved there; raises as :func:`load_translator` does."""
    return load_translator(folder, device, build)
