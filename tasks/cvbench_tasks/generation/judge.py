"""The judge in a cell: the harness's probe, trained on what the regime gives it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cvbench.contracts import Augmentation, Budget, Model, Progress, Workplace
from cvbench.errors import NotApplicable
from cvbench.fidelity.probe import load_probe, train_probe, untrained_probe
from cvbench.samples import Dataset, DatasetSpec, labelled
from cvbench.training import refuse_to_share


class Judge(Model):
    """Learns once: it refuses a second stage, since what one taught must not help the next one's samples."""

    def __init__(self, spec: DatasetSpec, seed: int, device: str) -> None:
        self.seed, self.device = seed, device
        self.probe, self.trained = untrained_probe(spec, seed), False

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
        """Raises :class:`NotApplicable` for a second stage and for strong augmentation: neither judges a generator.

        So it does for a precision that the probe has not, and for several processes.
        """
        refuse_to_share("the judge of generators")
        if budget.precision not in ("auto", "fp32"):
            raise NotApplicable(f"the judge of generators learns in fp32, not {budget.precision}")
        if self.trained or augmentation is Augmentation.STRONG:
            raise NotApplicable("generation judges samples as they are: use the regimes synthetic and mixed")
        pictures = labelled(train)
        steps, batch = budget.steps, budget.batch_size
        self.probe = train_probe(
            pictures, seed=self.seed, workplace=workplace, steps=steps, batch=batch, progress=progress
        )
        self.trained = True

    def predict(self, data: Dataset) -> Iterator[npt.NDArray[np.float32]]:
        """float32 (n, classes) probabilities, all at once: the probe looks at batches itself."""
        yield self.probe.probabilities(labelled(data).images)

    def save(self, folder: Path) -> None:
        self.probe.save(folder)

    def load(self, folder: Path) -> None:
        self.probe = load_probe(folder, self.device)
