"""A learnt tracker in a cell: the shared training loop around any :class:`Network`, one pass per clip to predict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.clips import as_clips
from cvbench.contracts import Augmentation, Budget, Model, Progress, Workplace
from cvbench.samples import Dataset
from cvbench.seeds import derive_seed
from cvbench.training import (
    Descent,
    OptimizerSettings,
    autocast,
    data_parallel,
    load_weights,
    rank_and_world,
    run_steps,
    save_weights,
)
from cvbench_tasks.kept_weights import KeptWeights
from cvbench_tasks.sot.draws import Draws
from cvbench_tasks.sot.metrics import score
from cvbench_tasks.sot.models import LearntOptions
from cvbench_tasks.sot.one_pass import Tracker, all_passes
from cvbench_tasks.sot.sequences import Trajectory

LOOKS_AT_VAL = 5  # times per stage that the val split, if there is one, is tracked to choose weights

Batch = dict[str, Tensor]


class Network(nn.Module, ABC):
    """What a learnt tracker's network must be able to do: draw what it learns from, its loss, and track."""

    @abstractmethod
    def batch(self, draws: Draws, rng: np.random.Generator, count: int) -> Batch:
        """What a step trains on: ``count`` samples, on the CPU. A pure function of the draws and ``rng``."""

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """The loss of a batch."""

    @abstractmethod
    def tracker(self, seed: int) -> Tracker:
        """A fresh tracker with these weights; it changes none of them."""

    def begin(self, tracks: int) -> None:
        """Told before a stage of training how many tracks there are, for layers of their own."""

    def end(self) -> None:
        """Told when the stage is over: layers that serve training alone go."""


class LearntTracker(Model):
    """A network trained on crops drawn from clips; it tracks each test clip in one pass."""

    def __init__(self, network: Network, options: LearntOptions, *, seed: int, device: str) -> None:
        self.options, self.seed, self.device = options, seed, device
        self.net = network.to(device)

    def train(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        budget: Budget,
        augmentation: Augmentation,
        seed: int,
        progress: Progress,
        workplace: Workplace,
    ) -> None:
        net, options, device = self.net, self.options, self.device
        draws = Draws(as_clips(train), augmentation)
        torch.manual_seed(derive_seed(seed, "begin"))
        net.begin(len(draws.tracks))
        net.to(device)
        settings = OptimizerSettings(
            "adamw",
            options.learning_rate,
            options.weight_decay,
            warmup=min(options.warmup, budget.steps // 4),
            floor=0.01,
            clip_norm=options.clip_norm,
        )
        descent = Descent(net.parameters(), settings, steps=budget.steps, device=device, precision=budget.precision)
        kept = KeptWeights(net, ema=0.0, score=self._success, val=val, steps=budget.steps, looks=LOOKS_AT_VAL)
        shared, (rank, world) = data_parallel(net), rank_and_world()
        own = (rank,) if rank else ()
        count = max(1, budget.batch_size // world)

        def step(number: int) -> dict[str, Tensor]:
            net.train()
            rng = np.random.default_rng(derive_seed(seed, "draws", number, *own))
            batch = {name: part.to(device) for name, part in net.batch(draws, rng, count).items()}
            with autocast(device, budget.precision):
                loss = shared(batch)
            descent.step(loss.float(), number)
            kept.after(number)
            return {"loss": loss}

        run_steps(
            step,
            steps=budget.steps,
            seed=seed,
            state={"net": net, "descent": descent, **kept.parts()},
            progress=progress,
            folder=workplace.folder,
        )
        kept.settle()
        net.end()

    def predict(self, data: Dataset) -> Iterator[Trajectory]:
        """One :class:`Trajectory` per clip."""
        return self._tracked(self.net, data)

    def _tracked(self, net: nn.Module, data: Dataset) -> Iterator[Trajectory]:
        net.eval()
        return all_passes(cast(Network, net).tracker, data, self.seed)

    def _success(self, net: nn.Module, data: Dataset) -> float:
        return score(self._tracked(net, data), data).values["success"]

    def save(self, folder: Path) -> None:
        save_weights(self.net, folder / "network.safetensors")

    def load(self, folder: Path) -> None:
        load_weights(self.net, folder / "network.safetensors")
