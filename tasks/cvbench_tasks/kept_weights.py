"""Which weights a training leaves behind: the last, their moving average, or those of either that were best on val."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from torch import nn

from cvbench.samples import Dataset
from cvbench.training import Ema, Stateful


class KeptWeights:
    """Watches over the weights of ``net`` from the first step of a training to the last.

    ``ema``: the decay of their moving average, 0 for none. ``score``: how good weights are on ``val``, from 0, higher
    is better; with a val split it is asked ``looks`` times, evenly spread over ``steps``, and after the last step.
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        ema: float,
        score: Callable[[nn.Module, Dataset], float],
        val: Dataset | None,
        steps: int,
        looks: int,
    ) -> None:
        self.net, self.score, self.val, self.steps = net, score, val, steps
        self.ema = Ema(net, ema) if ema else None
        self.best = Best(net) if val is not None else None
        self.look_every = max(1, steps // looks)

    def parts(self) -> dict[str, Stateful]:
        """What a checkpoint must hold of it."""
        parts: dict[str, Stateful | None] = {"ema": self.ema, "best": self.best}
        return {name: part for name, part in parts.items() if part is not None}

    def after(self, step: int) -> None:
        """Take in the weights after ``step``, counted from 0, and look at val when it is time."""
        if self.ema is not None:
            self.ema.update(self.net, step)
        done = step + 1
        is_time = done % self.look_every == 0 or done == self.steps
        if is_time and self.val is not None and self.best is not None:
            self.best.consider(self._latest, self.score(self._latest, self.val))

    def settle(self) -> None:
        """Put the weights that count into ``net``."""
        kept = self.best.net if self.best is not None else self._latest
        self.net.load_state_dict(kept.state_dict())

    @property
    def _latest(self) -> nn.Module:
        return self.ema.module if self.ema is not None else self.net


class Best:
    """The weights that scored best on val so far; ties go to the later ones."""

    def __init__(self, net: nn.Module) -> None:
        self.net = copy.deepcopy(net).requires_grad_(False)
        self.score = -1.0

    def consider(self, net: nn.Module, score: float) -> None:
        """Keep these weights if their score is at least the best so far."""
        if score >= self.score:
            self.score = score
            self.net.load_state_dict(net.state_dict())

    def state_dict(self) -> dict[str, Any]:
        """Weights and score, so that a continued run chooses alike."""
        return {"net": self.net.state_dict(), "score": self.score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.net.load_state_dict(state_dict["net"])
        self.score = state_dict["score"]
