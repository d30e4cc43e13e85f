"""The task ``generation``: generators are the contestants, one small classifier is the judge."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvbench.contracts import Budget, Metric, Model, ModelInfo, Scores, Splits, Task, Workplace
from cvbench.errors import DataError, UserError
from cvbench.fidelity import PROBE_VERSION
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec, labelled


@dataclass(frozen=True)
class JudgeOptions:
    """The judge has none: it is the same for every generator."""


class Generation(Task):
    """Trains the judge on samples alone and tests it on real pictures (TSTR); fidelity stands in the run's own table.

    Ask for the regime ``synthetic``: the row ``real`` is what the judge gets from real pictures.
    """

    summary = "generators as contestants: a small judge trained on samples alone, tested on real pictures"
    licence = "Apache-2.0"
    kind = AnnotationKind.LABEL
    metrics = (Metric("tstr", "share of real pictures that a judge trained on the samples gets right", primary=True),)
    default_budget = Budget(steps=600, batch_size=128, precision="fp32")

    def models(self) -> Sequence[ModelInfo]:
        what = "the harness's probe: three convolutions, any picture size"
        return (ModelInfo("judge", what, "Apache-2.0", PROBE_VERSION),)

    def model_options(self, name: str) -> type:
        if name != "judge":
            raise UserError(f"unknown model {name!r}", hint="generation has one: judge")
        return JudgeOptions

    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        from cvbench_tasks.generation.judge import Judge

        return Judge(spec, seed, workplace.device)

    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        labels = labelled(truth).labels
        right = np.concatenate([p.argmax(1) for p in predictions]) == labels
        classes = {name: right[labels == label] for label, name in enumerate(truth.spec.classes)}
        recall = {name: float(own.mean()) if len(own) else float("nan") for name, own in classes.items()}
        return Scores({"tstr": float(right.mean())}, {"tstr": right.astype(np.float64)}, {"recall": recall})

    def check_splits(self, splits: Splits) -> None:
        if len(np.unique(labelled(splits.train).labels)) < 2:
            raise DataError(
                "all training pictures are of one class", where=splits.train.spec.name, hint="two are needed"
            )
