"""The watch over a fit: it notices collapse and divergence, keeps the best weights and sends the game back to them.

``LOOKS`` times a fit it draws ``SAMPLES`` pictures (of more than fifty classes four times as many as there are classes)
from the averaged generator and holds them against as many real training pictures: how many classes a probe finds in
them (mode coverage), the entropy of those classes, how far apart pictures of one class lie (diversity), and how well
the discriminator tells the two apart. A fit of fewer than ``FEWEST_STEPS`` never had a chance to become healthy and is
not judged: a note says so, and whether its samples are all alike. A loss that is not finite sends a fit of any length
back, as trouble does; what fails it is such a loss after ``MOST_RESTARTS``, or samples that are not finite at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvbench.contracts import Workplace
from cvbench.errors import TrainingDiverged
from cvbench.fidelity.probe import Float32Array, train_probe
from cvbench.samples import LabelledImages, UInt8Array, proportional_counts
from cvbench.seeds import derive_seed
from cvbench.training import Curves
from cvbench_generators.adversarial.health import Seen, class_shares, entropy, mean_distance
from cvbench_generators.conditional_sampler import Noise

LOOKS, SAMPLES, PROBE_STEPS = 20, 200, 100
SAMPLES_PER_CLASS = 4  # at least: of fewer, chance alone hides classes of a perfect generator, at four it hides 2 %
FEWEST_STEPS = 400
ALIKE = 0.1  # of real pictures' diversity: below, samples of a class are nearly one picture
PATIENCE = 5  # looks in a row that find a fit unhealthy and no better before it is sent back;
PATIENCE_AT_FIRST = 10  # and as long as it was never healthy: a critic may need a third of a short fit to find its way
MOST_RESTARTS = 3
EARLIEST = 0.2  # of a fit: weights before that are no snapshot to fall back on, whatever they happen to draw

Snapshot = Mapping[str, Mapping[str, Tensor]]


class Watch:
    """What was seen of one fit, its best healthy snapshot and how often it was sent back; part of the checkpoint."""

    def __init__(
        self,
        train: LabelledImages,
        *,
        steps: int,
        seed: int,
        workplace: Workplace,
        by_class: bool,
        penalised: bool,
        logits: bool,
    ) -> None:
        self.steps, self.seed, self.by_class, self.penalised, self.logits = steps, seed, by_class, penalised, logits
        self.judges, self.every = steps >= FEWEST_STEPS, max(1, steps // LOOKS)
        self.real = _proportional_part(train, _looked_at(train), derive_seed(seed, "watch real"))
        self.series: Curves = {}
        self.notes: list[str] = []
        self.restarts, self.unhealthy, self.highest, self.trouble = 0, 0, -1.0, ""
        self.best: Snapshot = {}
        self.best_score, self.best_step = -1.0, 0
        self.probe = None
        if self.judges:
            if len(np.unique(train.labels)) > 1:  # a probe of one class would always be right
                probe_seed = derive_seed(seed, "watch probe")
                self.probe = train_probe(train, seed=probe_seed, workplace=workplace, steps=PROBE_STEPS)
            self.real_shares = class_shares(self._probabilities(self.real.images))
            self.real_distance = mean_distance(self.real.images, self.real.labels)

    def noise(self) -> Noise:
        """The same latents at every look, drawn apart from the fit's own random numbers."""
        return Noise(torch.Generator().manual_seed(derive_seed(self.seed, "watch noise")))

    def looks_at(self, number: int) -> bool:
        """Whether this step is one after which it looks."""
        return self.judges and ((number + 1) % self.every == 0 or number == self.steps - 1)

    def look(
        self, number: int, images: UInt8Array, real: Tensor, fake: Tensor, snapshot: Callable[[], Snapshot]
    ) -> str:
        """Take in what the averaged generator drew for ``self.real.labels`` and how both were scored.

        Gives what is wrong once it was wrong, and no better than before, often enough in a row; else nothing.
        """
        seen = self._measure(images, real, fake)
        for name, value in (
            ("mode coverage", seen.coverage / seen.classes),
            ("class entropy", seen.entropy),
            ("diversity", seen.diversity),
            ("discriminator accuracy", seen.accuracy),
        ):
            self.series.setdefault(name, []).append((number + 1, value))
        self.trouble = seen.trouble
        improves = seen.score > self.highest  # a fit that is still getting better has not collapsed
        self.highest = max(self.highest, seen.score)
        self.unhealthy = 0 if improves or not seen.trouble else self.unhealthy + 1
        if not seen.trouble and seen.score >= self.best_score and number + 1 >= EARLIEST * self.steps:
            self.keep(snapshot(), number + 1, seen.score)
        patience = PATIENCE if self.best_score >= 0 else PATIENCE_AT_FIRST
        return seen.trouble if self.unhealthy >= patience else ""

    def keep(self, snapshot: Snapshot, step: int = 0, score: float = -1.0) -> None:
        """Hold this snapshot as the best."""
        self.best, self.best_step, self.best_score = snapshot, step, score

    def restart(self, number: int, trouble: str) -> Snapshot:
        """The snapshot to go on from.

        Raises :class:`TrainingDiverged` when the fit was sent back ``MOST_RESTARTS`` times already.
        """
        if self.restarts == MOST_RESTARTS:
            raise self._given_up(number + 1, trouble)
        self.restarts, self.unhealthy, self.highest = self.restarts + 1, 0, self.best_score
        changed = "half the learning rates" + (" and twice the penalty" if self.penalised else "")
        self.notes.append(f"step {number + 1}: {trouble}; went on from step {self.best_step}'s weights with {changed}")
        return self.best

    def verdict(self) -> Snapshot | None:
        """At the fit's end: None if its last weights are healthy (or it is not judged), else the best snapshot.

        A fit that was never healthy nor sent back, and still got better, has not collapsed but was too short: noted.
        Raises :class:`TrainingDiverged` when it was never healthy otherwise, or every restart ended here.
        """
        if not self.judges or not self.trouble:
            return None
        if self.best_score < 0 and self.restarts == 0 and self.unhealthy < PATIENCE:
            self.notes.append(f"step {self.steps}: {self.trouble}, but still getting better: it needs more steps")
            return None
        if self.best_score < 0 or self.restarts == MOST_RESTARTS:
            raise self._given_up(self.steps, self.trouble)
        self.notes.append(f"step {self.steps}: {self.trouble}; samples with the weights of step {self.best_step}")
        return self.best

    def last_look(self, images: UInt8Array) -> None:
        """Note of a fit too short to be judged what it draws for ``self.real.labels`` at its end."""
        if self.judges:
            return
        labels = self.real.labels if self.by_class else np.zeros_like(self.real.labels)
        diversity = mean_distance(images, labels) / max(mean_distance(self.real.images, labels), 1e-9)
        self.notes.append(f"{self.steps} steps: too short for the collapse watch, which takes {FEWEST_STEPS}")
        if diversity < ALIKE:
            self.notes.append(f"samples are nearly all alike: diversity below {ALIKE:g} of real pictures'")

    def _given_up(self, step: int, trouble: str) -> TrainingDiverged:
        hint = "try a larger gamma, a lower learning rate or another loss"
        return TrainingDiverged(f"{trouble} at step {step} of {self.steps}, restarted {self.restarts} times; {hint}")

    def _measure(self, images: UInt8Array, real: Tensor, fake: Tensor) -> Seen:
        probabilities = self._probabilities(images)
        predicted, shares = probabilities.argmax(1), class_shares(probabilities)
        labels = self.real.labels if self.by_class else predicted
        found = self.real_shares > 0
        covered = found & (shares >= np.maximum(self.real_shares / 4, 0.5 / len(images)))
        real_entropy = entropy(self.real_shares)
        return Seen(
            coverage=int(covered.sum()),
            classes=int(found.sum()),
            entropy=entropy(shares) / real_entropy if real_entropy else 1.0,
            diversity=mean_distance(images, labels) / max(self.real_distance, 1e-9),
            accuracy=float((real[:, None] > fake).float().mean()),
            gap=float(real.mean() - fake.mean()),
            logits=self.logits,
            likeness=float(probabilities[np.arange(len(labels)), labels].mean()),
        )

    def _probabilities(self, images: UInt8Array) -> Float32Array:
        if self.probe is None:
            certain: Float32Array = np.zeros((len(images), len(self.real.spec.classes)), np.float32)
            certain[:, self.real.labels[0]] = 1
            return certain
        return self.probe.probabilities(images)

    def state_dict(self) -> dict[str, Any]:
        """What a kill must not lose."""
        return {name: getattr(self, name) for name in STATE}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        for name in STATE:
            setattr(self, name, state_dict[name])


STATE = ("series", "notes", "restarts", "unhealthy", "highest", "trouble", "best", "best_score", "best_step")


def _looked_at(train: LabelledImages) -> int:
    """Pictures that a look takes."""
    classes = int(np.count_nonzero(train.class_counts()))
    return min(len(train), max(SAMPLES, SAMPLES_PER_CLASS * classes))


def _proportional_part(train: LabelledImages, count: int, seed: int) -> LabelledImages:
    rng, counts = np.random.default_rng(seed), proportional_counts(train.class_counts(), count)
    chosen = [rng.permutation(np.flatnonzero(train.labels == label))[:n] for label, n in enumerate(counts)]
    return train.select(np.concatenate(chosen))
