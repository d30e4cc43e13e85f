"""A fit of any family of the adversarial kind, and its samplers read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from cvbench.contracts import Budget, Progress, Workplace
from cvbench.errors import TrainingDiverged
from cvbench.samples import Dataset, DatasetSpec
from cvbench.training import run_steps
from cvbench_generators.adversarial.family import Family
from cvbench_generators.adversarial.game import Game
from cvbench_generators.adversarial.options import AdversarialOptions
from cvbench_generators.conditional_sampler import ConditionalSampler, Draw, load_sampler, pictures_to_learn, to_bytes


def fit(
    family: Family,
    train: Dataset,
    options: AdversarialOptions,
    budget: Budget,
    seed: int,
    progress: Progress,
    workplace: Workplace,
) -> ConditionalSampler:
    """Play for the budget's steps; the averaged G is what samples, or its last healthy snapshot.

    Never in bf16, whatever the budget's precision: the penalties differentiate twice.
    Raises :class:`~cvbench.errors.NotApplicable` for data that it cannot learn from and
    :class:`~cvbench.errors.TrainingDiverged` as :class:`Watch` says, and for samples that are not finite.
    """
    train = pictures_to_learn(train, family.name)
    game = Game(family, train, options, budget, seed, workplace)
    curves = run_steps(
        game.step,
        steps=budget.steps,
        seed=seed,
        state={"game": game},
        progress=progress,
        folder=workplace.folder,
        note=f"fitting {family.name}",
    )
    best = game.watch.verdict()
    if best:
        game.ema.load_state_dict(dict(best["g"]))
    drawn = game.drawn()
    if not bool(drawn.isfinite().all()):
        raise TrainingDiverged(f"the samples are not finite after {budget.steps} steps; try a lower learning rate")
    game.watch.last_look(to_bytes(drawn, train.spec))
    notes, curves = tuple(game.watch.notes), {**curves, **game.watch.series}
    return ConditionalSampler(
        game.ema.module, family.draw, train.spec, train.class_counts(), asdict(options), curves, notes
    )


def load(family: Family, options: type[AdversarialOptions], folder: Path, device: str) -> ConditionalSampler:
    """The sampler that was saved there; raises as :func:`load_sampler` does."""
    return load_sampler(folder, device, partial(rebuilt, family, options))


def rebuilt(
    family: Family, options: type[AdversarialOptions], spec: DatasetSpec, about: Mapping[str, Any]
) -> tuple[nn.Module, Draw]:
    """The network of a saved sampler, and how to draw from it."""
    return family.generator(spec, options(**about)), family.draw
