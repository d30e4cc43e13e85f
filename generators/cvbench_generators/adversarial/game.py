"""The adversarial game, played once for all families: a family brings its networks, the options everything else.

One step is ``discriminator_steps`` steps of D and one of G. All choices meet here: loss, penalty, weight decay,
spectral norm, optimizer, two learning rates, averaging, augmentation. The watch looks on, and can send it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from cvbench.contracts import Budget, Workplace
from cvbench.samples import LabelledImages
from cvbench.seeds import derive_seed
from cvbench.training import LOOK_EVERY, BatchOrder, Descent, Ema, OptimizerSettings, to_tensor
from cvbench_generators.adversarial.augmentation import augmented
from cvbench_generators.adversarial.blocks import spectrally_normalised
from cvbench_generators.adversarial.family import Family
from cvbench_generators.adversarial.losses import LOSSES
from cvbench_generators.adversarial.options import AdversarialOptions
from cvbench_generators.adversarial.penalties import AT_PICTURES, PENALTIES, Judged, weight_decay
from cvbench_generators.adversarial.watch import Watch
from cvbench_generators.conditional_sampler import (
    Noise,
    to_bytes,
    to_network,
)


class Game:
    """G against D on a train split, and all that a step changes: what a checkpoint holds."""

    def __init__(
        self,
        family: Family,
        train: LabelledImages,
        options: AdversarialOptions,
        budget: Budget,
        seed: int,
        workplace: Workplace,
    ) -> None:
        self.family, self.options, self.device = family, options, workplace.device
        self.spec, self.multiple, self.loss = train.spec, family.multiple(train.spec), LOSSES[options.loss]
        self.watch = Watch(
            train,
            steps=budget.steps,
            seed=seed,
            workplace=workplace,
            by_class=family.conditional,
            penalised=options.penalty != "none",
            logits=options.loss != "wasserstein",
        )
        torch.manual_seed(derive_seed(seed, "weights"))
        self.g = family.generator(self.spec, options).to(self.device)
        d = family.discriminator(self.spec, options).to(self.device)
        self.d = spectrally_normalised(d) if options.spectral_norm else d
        for network in (self.g, self.d):
            network.to(memory_format=torch.channels_last)
        self.ema = Ema(self.g, options.ema)
        self.settings_g = OptimizerSettings(
            options.optimizer,
            options.learning_rate,
            betas=(options.momentum, options.second_momentum),
            warmup=50,
            floor=0.1,
        )
        rate = options.discriminator_learning_rate or options.learning_rate
        self.settings_d = replace(self.settings_g, learning_rate=rate)
        self.descend_g = Descent(self.g.parameters(), self.settings_g, steps=budget.steps)
        self.descend_d = Descent(self.d.parameters(), self.settings_d, steps=budget.steps)
        self.images, self.labels = to_tensor(train.images, self.device), torch.from_numpy(train.labels).to(self.device)
        self.order = BatchOrder(len(train), budget.batch_size, derive_seed(seed, "order"))
        self.few = len(train) < options.augment_below
        self.steps = budget.steps
        self.watch.keep(self.snapshot())

    def step(self, number: int) -> dict[str, Tensor]:
        """One step; where the watch says so, from its best snapshot.

        Raises :class:`~cvbench.errors.TrainingDiverged` when the watch gives up.
        """
        losses = self.play(number)
        last = number == self.steps - 1
        while (number % LOOK_EVERY == 0 or last) and not all(bool(loss.isfinite()) for loss in losses.values()):
            self.start_again(self.watch.restart(number, "a loss was not finite"))
            losses = self.play(number)
        if self.watch.looks_at(number):
            trouble = self.look(number)
            if trouble and not last:  # no step would follow: the watch's verdict chooses the weights
                self.start_again(self.watch.restart(number, trouble))
        return losses

    def play(self, number: int) -> dict[str, Tensor]:
        """D's steps on fresh batches, then G's on the last one."""
        turns = self.options.discriminator_steps
        for turn in range(turns):
            batch = self.order(number * turns + turn).to(self.device)
            real, label = to_network(self.images[batch], self.multiple), self.labels[batch]
            latent = self.g.latents(len(batch), Noise(torch.default_generator)).to(self.device)
            with torch.set_grad_enabled(turn == turns - 1):
                fake = self.g(latent, *self.family.condition(label))
            if self.few:
                real, fake = augmented(torch.stack([real, fake])).unbind()
            d_loss = self.discriminator_loss(real, fake, label, latent)
            self.descend_d.step(d_loss, number)

        self.d.requires_grad_(False)
        g_loss = self.generator_loss(real, fake, label, latent)
        self.descend_g.step(g_loss, number)
        self.d.requires_grad_(True)
        self.ema.update(self.g, number)
        return {"generator loss": g_loss, "discriminator loss": d_loss}

    def discriminator_loss(self, real: Tensor, fake: Tensor, label: Tensor, latent: Tensor) -> Tensor:
        """D's loss with penalty, weight decay and the family's own."""
        options = self.options

        def judge(picture: Tensor) -> Tensor:
            return cast(Tensor, self.d(picture, *self.family.condition(label)))

        sloped = options.penalty in AT_PICTURES
        real, fake = real.detach().requires_grad_(sloped), fake.detach().requires_grad_(sloped)
        real_score, (fake_score, own) = judge(real), self.family.judged(self.d, fake, label, latent)
        loss = self.loss.discriminator(real_score, fake_score) + own
        if options.penalty != "none":
            penalty = PENALTIES[options.penalty](Judged(judge, real, fake, real_score, fake_score))
            loss = loss + options.gamma * 2**self.watch.restarts * penalty
        return loss + weight_decay(self.d, options.l1, options.l2)

    def generator_loss(self, real: Tensor, fake: Tensor, label: Tensor, latent: Tensor) -> Tensor:
        """G's loss with weight decay and the family's own; D stands still."""
        with torch.no_grad():
            real_score = self.d(real, *self.family.condition(label)) if self.loss.paired else torch.zeros(0)
        fake_score, own = self.family.judged(self.d, fake, label, latent)
        return (
            self.loss.generator(real_score, fake_score) + own + weight_decay(self.g, self.options.l1, self.options.l2)
        )

    def look(self, number: int) -> str:
        """Show the watch what the averaged G draws and how D judges it; what is wrong, once that is certain."""
        watch = self.watch
        drawn = self.drawn()
        self.d.eval()  # dropout, batch statistics and power iterations are the training's own
        with torch.no_grad():
            condition = self.family.condition(torch.from_numpy(watch.real.labels).to(self.device))
            real = to_network(to_tensor(watch.real.images, self.device), self.multiple)
            real_score, fake_score = self.d(real, *condition), self.d(drawn, *condition)
        self.d.train()
        return watch.look(number, to_bytes(drawn, self.spec), real_score, fake_score, self.snapshot)

    def drawn(self) -> Tensor:
        """(n, C, H', W') in [-1, 1]: what the averaged G draws for the labels of the watch's real pictures."""
        labels = torch.from_numpy(self.watch.real.labels).to(self.device)
        with torch.no_grad():
            return self.family.draw(self.ema.module, labels, self.watch.noise())

    def snapshot(self) -> dict[str, dict[str, Tensor]]:
        """The averaged G and the D of now."""
        networks = {"g": self.ema.module, "d": self.d}
        return {name: {k: v.clone() for k, v in n.state_dict().items()} for name, n in networks.items()}

    def start_again(self, snapshot: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Both sides from a snapshot, their optimizers fresh and slower."""
        self.g.load_state_dict(snapshot["g"])
        self.ema.load_state_dict(dict(snapshot["g"]))
        self.d.load_state_dict(snapshot["d"])
        for descent in (self.descend_g, self.descend_d):
            descent.optimizer.state.clear()
        self.slow_down()

    def slow_down(self) -> None:
        """Half the learning rates for every restart."""
        for descent, settings in ((self.descend_g, self.settings_g), (self.descend_d, self.settings_d)):
            descent.settings = replace(settings, learning_rate=settings.learning_rate / 2**self.watch.restarts)

    def state_dict(self) -> dict[str, Any]:
        """Everything that a step changes."""
        return {name: getattr(self, name).state_dict() for name in STATE}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        for name in STATE:
            getattr(self, name).load_state_dict(state_dict[name])
        self.slow_down()


STATE = ("g", "d", "ema", "descend_g", "descend_d", "watch")
