"""CycleGAN (Zhu, Park, Isola & Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks", arXiv 1703.10593).

G turns source a into target, F target b into source; a discriminator judges each domain with least squares, on
fakes from a buffer of the last 50 (section 4). The loss adds λ(‖F(G(a)) − a‖₁ + ‖G(F(b)) − b‖₁) (equation 2) and
the identity loss λ/2(‖G(b) − b‖₁ + ‖F(a) − a‖₁) (section 5.2). Sized for 28 to 96 px.

Other than in the paper (section 4): a ``learning_rate`` of 5e-4 that a cosine takes to 0 and batches of 16, where it
has 2e-4, constant for half of the epochs and then falling linearly to 0, and a batch of 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from cvbench.contracts import Budget, Progress, Translator, Workplace
from cvbench.corruptions import corrupt
from cvbench.samples import Dataset, DatasetSpec
from cvbench.seeds import derive_seed
from cvbench.training import BatchOrder, Curves, Descent, OptimizerSettings, autocast, run_steps, to_tensor
from cvbench_generators.conditional_sampler import padded_shape, to_network
from cvbench_generators.translation.domains import two_domains
from cvbench_generators.translation.patch_critic import PatchCritic, start_weights
from cvbench_generators.translation.replay_buffer import ReplayBuffer
from cvbench_generators.translation.resnet import ResNet
from cvbench_generators.translation.translating_sampler import (
    TranslatingSampler,
    Turn,
    load_translator,
    pictures_to_translate,
)

if TYPE_CHECKING:
    from cvbench_generators.translation import CycleGANOptions

MULTIPLE = 4  # G and F halve the sides twice


class Weights(Protocol):
    """What both games' options have, whatever the domains are."""

    @property
    def cycle_weight(self) -> float: ...
    @property
    def set_identity_weight(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...


def build(spec: DatasetSpec, about: Mapping[str, Any]) -> tuple[nn.ModuleDict, Turn]:
    """Both translators and both discriminators, their weights still to be drawn or read; how to use G."""
    width, (channels, high, wide) = int(about["width"]), padded_shape(spec, MULTIPLE)
    networks: dict[str, nn.Module] = {}
    for translator, critic in (("g", "d_target"), ("f", "d_source")):
        networks[translator] = ResNet(channels, width, int(about["blocks"]))
        networks[critic] = PatchCritic(channels, width, (high, wide), nn.InstanceNorm2d)
    return nn.ModuleDict(networks), turn


def turn(networks: nn.Module, source: Tensor) -> Tensor:
    """uint8 (n, C, H, W) → G's pictures, in fp32 whatever the fit's precision."""
    return cast(Tensor, cast(nn.ModuleDict, networks)["g"](to_network(source, MULTIPLE)))


def fit(
    train: Dataset,
    options: CycleGANOptions,
    budget: Budget,
    seed: int,
    progress: Progress,
    workplace: Workplace,
    start: Translator | None = None,
) -> TranslatingSampler:
    """Play both games for the budget's steps, one step of G and F, then one of the discriminators."""
    train = pictures_to_translate(train, "cyclegan")
    device, spec, about = workplace.device, train.spec, {"width": options.width, "blocks": options.blocks}
    domains = two_domains(train, options, derive_seed(seed, "halves"))
    torch.manual_seed(derive_seed(seed, "weights"))
    networks, translating = build(spec, about)
    start_weights(networks)
    if start is not None:
        networks.load_state_dict(cast(TranslatingSampler, start).networks.state_dict())
    networks.to(device).to(memory_format=torch.channels_last).train()
    order_a = BatchOrder(len(domains.source), budget.batch_size, derive_seed(seed, "order", "source"))
    order_b = BatchOrder(len(domains.target), budget.batch_size, derive_seed(seed, "order", "target"))

    def batches(number: int) -> tuple[Tensor, Tensor]:
        from_source = domains.source.images[order_a(number).numpy()]
        if domains.corruption is not None:
            from_source = corrupt(from_source, domains.corruption, derive_seed(seed, "corruption", number))
        from_target = domains.target[order_b(number).numpy()]
        a, b = (to_network(to_tensor(images, device), MULTIPLE) for images in (from_source, from_target))
        return a, b

    curves = play(networks, batches, spec, options, budget, seed, progress, workplace, note="fitting cyclegan")
    return TranslatingSampler(
        networks,
        translating,
        domains.source,
        domains.corruption,
        train.class_counts(),
        about,
        curves,
        (domains.note,),
    )


def play(
    networks: nn.ModuleDict,
    batches: Callable[[int], tuple[Tensor, Tensor]],
    spec: DatasetSpec,
    weights: Weights,
    budget: Budget,
    seed: int,
    progress: Progress,
    workplace: Workplace,
    *,
    note: str,
) -> Curves:
    """Both games, which train the networks; ``batches`` gives the pictures (n, C, H, W) of either domain of a step."""
    device = workplace.device
    g, f, d_source, d_target = (networks[name] for name in ("g", "f", "d_source", "d_target"))
    settings = OptimizerSettings("adam", weights.learning_rate, betas=(0.5, 0.999))
    descend_gf, descend_d = (
        Descent(
            nn.ModuleList(pair).parameters(), settings, steps=budget.steps, device=device, precision=budget.precision
        )
        for pair in ((g, f), (d_source, d_target))
    )
    shape = padded_shape(spec, MULTIPLE)
    old_sources, old_targets = ReplayBuffer(shape, device), ReplayBuffer(shape, device)

    def step(number: int) -> dict[str, Tensor]:
        a, b = batches(number)

        networks.requires_grad_(True)
        nn.ModuleList([d_source, d_target]).requires_grad_(False)
        with autocast(device, budget.precision):
            fake_b, fake_a = g(a), f(b)
            same_b, same_a = (g(b), f(a)) if weights.set_identity_weight else (b, a)
            again_a, again_b = f(fake_b), g(fake_a)
            game = least_squares(d_target(fake_b), 1) + least_squares(d_source(fake_a), 1)
        cycle = l1_loss(again_a.float(), a) + l1_loss(again_b.float(), b)
        identity = l1_loss(same_a.float(), a) + l1_loss(same_b.float(), b)
        translators_loss = game + weights.cycle_weight * (cycle + weights.set_identity_weight * identity)
        descend_gf.step(translators_loss, number)

        nn.ModuleList([d_source, d_target]).requires_grad_(True)
        with autocast(device, budget.precision):
            d_loss = critic_loss(d_target, b, old_targets.exchange(fake_b.detach().float()))
            d_loss = d_loss + critic_loss(d_source, a, old_sources.exchange(fake_a.detach().float()))
        descend_d.step(d_loss, number)
        return {"translators' loss": translators_loss, "discriminators' loss": d_loss, "cycle distance": cycle}

    return run_steps(
        step,
        steps=budget.steps,
        seed=seed,
        state={
            "networks": networks,
            "descend_gf": descend_gf,
            "descend_d": descend_d,
            "old_sources": old_sources,
            "old_targets": old_targets,
        },
        progress=progress,
        folder=workplace.folder,
        note=note,
    )


def least_squares(score: Tensor, wanted: float) -> Tensor:
    """The mean squared distance of D's patch scores from what is wanted of them (LSGAN, arXiv 1611.04076)."""
    return (score.float() - wanted).square().mean()


def critic_loss(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Half of D's loss: 1 is wanted for real patches, 0 for fakes."""
    return (least_squares(d(real), 1) + least_squares(d(fake), 0)) / 2


def load(folder: Path, device: str) -> TranslatingSampler:
    """The sampler that was saved there; raises as :func:`load_translator` does."""
    return load_translator(folder, device, build)
