"""A stranger's plugins, for tests: a task whose model is the class means, and generators that misbehave."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from cvbench.contracts import Budget, Generator, Metric, Model, ModelInfo, Sampler, Scores, Task
from cvbench.datasets import load_dataset
from cvbench.errors import NotApplicable, NotInstalled
from cvbench.samples import AnnotationKind


@dataclass(frozen=True)
class ToyOptions:
    seconds: float = 0.0
    fault: str = ""


class Means(Model):
    """Nearest class mean, of a random part of the training pictures (so that seeds differ)."""

    def __init__(self, spec, options, seed):
        self.spec, self.options, self.means = spec, options, None

    def train(self, train, val, *, budget, augmentation, seed, progress, workplace):
        if self.options.fault == "raise":
            raise RuntimeError("the model fell over")
        if self.options.fault == "unfit":
            raise NotApplicable("this model is for cats")
        if self.options.fault == "absent" and "TOY_LIBRARY" not in os.environ:
            raise NotInstalled("the toy library is not installed: pip install toy")
        if self.options.fault == "once" and not (workplace.folder / "half").exists():
            workplace.folder.mkdir(parents=True, exist_ok=True)
            (workplace.folder / "half").write_text("done")
            raise RuntimeError("the model fell over")
        if self.options.fault == "exit":
            os._exit(7)
        if self.options.fault == "memory":
            raise MemoryError
        for step in range(5):
            time.sleep(self.options.seconds / 5)
            progress(step + 1, 5, "toy")
        rng = np.random.default_rng(seed)
        part = train.select(np.sort(rng.permutation(len(train))[: max(2, len(train) // 2)]))
        flat = part.images.reshape(len(part), -1).astype(float)
        classes = range(len(self.spec.classes))
        self.means = np.stack(
            [flat[part.labels == k].mean(0) if (part.labels == k).any() else flat.mean(0) for k in classes]
        )

    def predict(self, data):
        if self.options.fault == "peek":
            yield data.labels
            return
        flat = data.images.reshape(len(data), -1).astype(float)
        yield ((flat[:, None] - self.means[None]) ** 2).sum(-1).argmin(1)

    def save(self, folder):
        np.save(folder / "means.npy", self.means)

    def load(self, folder):
        self.means = np.load(folder / "means.npy")


class ToyTask(Task):
    summary = "nearest class mean"
    licence = "MIT"
    kind = AnnotationKind.LABEL
    metrics = (Metric("top1", "share that is right", primary=True),)
    default_budget = Budget(steps=5, batch_size=8)

    def models(self):
        return [ModelInfo("means", "nearest class mean", "MIT")]

    def model_options(self, name):
        return ToyOptions

    def model(self, name, spec, *, options, seed, workplace):
        return Means(spec, options, seed)

    def score(self, predictions, truth):
        right = (np.concatenate(list(predictions)) == truth.strata()).astype(float)
        return Scores({"top1": float(right.mean())}, {"top1": right})


class AgainSampler(Sampler):
    def __init__(self, data):
        self.data = data

    def sample(self, count, *, seed, class_counts=None):
        yield self.data.select(np.random.default_rng(seed).integers(0, len(self.data), count))

    def save(self, folder):
        self.data.save(folder)


class Again(Generator):
    summary, licence, kinds = "pictures drawn again", "MIT", frozenset({AnnotationKind.LABEL})
    sampler = AgainSampler

    def fit(self, train, *, budget, seed, progress, workplace):
        return self.sampler(train)

    def load(self, folder, *, device="cpu"):
        return self.sampler(load_dataset(folder))


class FitRaises(Again):
    def fit(self, train, *, budget, seed, progress, workplace):
        raise ValueError("cannot fit\nthis")


class NotForThis(Again):
    def fit(self, train, *, budget, seed, progress, workplace):
        raise NotApplicable("only for pictures of cats")


class SampleRaisesSampler(AgainSampler):
    def sample(self, count, *, seed, class_counts=None):
        raise KeyError("no samples today")


class SampleRaises(Again):
    sampler = SampleRaisesSampler


class RubbishSampler(AgainSampler):
    def sample(self, count, *, seed, class_counts=None):
        yield ["not", "pictures"]


class RubbishChunk(Again):
    sampler = RubbishSampler


class TooFewSampler(AgainSampler):
    def sample(self, count, *, seed, class_counts=None):
        yield self.data.select([0])


class TooFew(Again):
    sampler = TooFewSampler


class BoxesOnly(Again):
    kinds = frozenset({AnnotationKind.BOXES})
