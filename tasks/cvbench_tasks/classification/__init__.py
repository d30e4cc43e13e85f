"""The task ``classification``: one class per picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from cvbench.contracts import Budget, Metric, Model, ModelInfo, Scores, Splits, Task, Workplace
from cvbench.errors import DataError
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec, labelled
from cvbench_tasks.classification.models import SimpleCnnOptions, TorchvisionOptions, known_models
from cvbench_tasks.model_names import unknown_model
from cvbench_tasks.pretrained import weights_checked
from cvbench_tasks.splits import check_classes


class Classification(Task):
    """Trains a classifier and scores its class probabilities."""

    summary = "image classification: one class per picture"
    licence = "Apache-2.0"
    kind = AnnotationKind.LABEL
    metrics = (
        Metric("top1", "share of pictures whose likeliest class is right", primary=True),
        Metric("top5", "share of pictures whose class is among the five likeliest"),
        Metric("macro_f1", "F1 averaged over classes"),
        Metric("ece", "expected calibration error of the likeliest class, 15 bins", higher_is_better=False),
    )
    default_budget = Budget(steps=1000, batch_size=128)

    def models(self) -> Sequence[ModelInfo]:
        return known_models()

    def model_options(self, name: str) -> type:
        if name == "simple_cnn":
            return SimpleCnnOptions
        if name not in {info.name for info in self.models()} and not _in_torchvision(name):
            raise unknown_model(name, (info.name for info in self.models()))
        return weights_checked(TorchvisionOptions, name)

    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        from cvbench_tasks.classification.classifier import Classifier

        return Classifier(name, spec, options, seed=seed, device=workplace.device)

    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        from cvbench_tasks.classification.metrics import score

        return score(predictions, truth)

    def check_splits(self, splits: Splits) -> None:
        train, test, name = labelled(splits.train).labels, labelled(splits.test).labels, splits.train.spec.name
        classes = splits.train.spec.classes
        if len(train) < 2:
            raise DataError("a single training picture is not enough", where=name)
        if len(np.unique(train)) < 2:
            only = classes[int(train[0])]
            raise DataError(f"all training pictures are of one class ({only!r})", where=name, hint="two are needed")
        check_classes(set(train.tolist()), set(test.tolist()), splits.train.spec)


def _in_torchvision(name: str) -> bool:
    """Whether the installed torchvision, newer than our list, has such a classifier."""
    from torchvision import models

    return name in models.list_models(module=models)
