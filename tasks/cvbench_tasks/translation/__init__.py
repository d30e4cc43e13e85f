"""The task ``translation``: real test pictures are corrupted, a model restores them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from cvbench.contracts import Budget, Generator, Learnt, Metric, Model, ModelInfo, Scores, Splits, Task, Workplace
from cvbench.errors import DataError
from cvbench.plugins import load_plugin
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec, IntArray, LabelledImages, UInt8Array
from cvbench_tasks.model_names import options_of
from cvbench_tasks.translation.models import NETWORKS, OPTIONS, known_models

PSNR_CAP = 10 * math.log10(255**2 * 12)  # dB: the squared error of rounding to whole grey levels is 1/12 on average


class Translation(Task):
    """Restores corrupted pictures and scores what comes out against the real ones.

    Every model names the corruption that it undoes; test pictures are corrupted alike for all models and seeds.
    The primary metric is the mean over pictures of PSNR. No picture's is above ``PSNR_CAP``: real pictures are rounded
    to whole grey levels, and what is nearer to one than that rounding is as good as equal. Without a cap the mean would
    be that of the few pictures whose hole lies on plain background.
    """

    summary = "restoration of corrupted pictures: inpainting, denoising, colorization, super-resolution"
    licence = "Apache-2.0"
    version = 2
    kind = AnnotationKind.LABEL
    metrics = (
        Metric("psnr", "peak signal-to-noise ratio in dB; 58.9 for equal pictures", low=0, high=PSNR_CAP, primary=True),
        Metric("ssim", "structural similarity, Gaussian windows of 11 pixels", low=-1),
    )
    default_budget = Budget(steps=1500, batch_size=32)

    def models(self) -> Sequence[ModelInfo]:
        return known_models()

    def model_options(self, name: str) -> type:
        return options_of(name, OPTIONS)

    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        from cvbench_tasks.translation.restorers import Baseline, Network

        self.model_options(name)
        if name in NETWORKS:
            return Network(name, options, seed=seed, device=workplace.device)
        return Baseline(name, options)

    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        from cvbench_tasks.translation.metrics import score

        return score(predictions, truth)

    def learnt(self, name: str, options: Any) -> Learnt | None:
        if name not in NETWORKS:
            return None
        generator: type[Generator] = load_plugin("generators", name)
        return Learnt(name, options, version=generator.version)

    def contest(self, name: str, options: Any) -> str:
        return str(options.as_corruption())

    def before_and_after(self, model: Model, data: Dataset, places: IntArray) -> tuple[UInt8Array, UInt8Array]:
        from cvbench_tasks.translation.restorers import Restorer

        assert isinstance(model, Restorer)
        corrupted, holes = model.corrupted(data)  # all of them: what a picture is given depends on its place
        return corrupted[places], model.restored(corrupted[places], None if holes is None else holes[places])

    def check_model(self, name: str, options: Any, spec: DatasetSpec) -> None:
        options.as_corruption().check_channels(spec.channels)

    def check_splits(self, splits: Splits) -> None:
        if not isinstance(splits.train, LabelledImages) or not isinstance(splits.test, LabelledImages):
            raise DataError("translation needs pictures of equal size", where=splits.train.spec.name)
