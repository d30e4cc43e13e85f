"""Holds what a plugin returned to its contract, the moment it is returned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from cvbench.contracts import Metric, Scores
from cvbench.datasets import CLASSES
from cvbench.errors import DataError, PluginError
from cvbench.samples import Dataset, DatasetSpec


def checked_chunk(chunk: Any, spec: DatasetSpec, who: str) -> Dataset:
    """The chunk of a sampler, if it is samples of the kind of ``spec`` and fits it; else :class:`PluginError`."""
    if not isinstance(chunk, CLASSES[spec.kind]):
        raise PluginError(f"{who}: sample gave {type(chunk).__name__}, not {CLASSES[spec.kind].__name__}")
    if replace(chunk.spec, name="") != replace(spec, name=""):
        raise PluginError(f"{who}: sample gave pictures of another spec ({chunk.spec}), not the train split's")
    try:
        return chunk.under(spec)
    except DataError as error:
        raise PluginError(f"{who}: {error.what}") from None


def checked_scores(scores: Any, metrics: Sequence[Metric], items: int, who: str) -> Scores:
    """The scores, if every metric is there and in its range and per-item scores fit; else :class:`PluginError`."""
    if not isinstance(scores, Scores):
        raise PluginError(f"{who}: score gave {type(scores).__name__}, not Scores")
    for metric in metrics:
        value = scores.values.get(metric.name)
        if value is None:
            raise PluginError(f"{who}: the metric {metric.name!r} is missing")
        low = -np.inf if metric.low is None else metric.low
        high = np.inf if metric.high is None else metric.high
        if not np.isfinite(value) or not low - 1e-9 <= value <= high + 1e-9:
            raise PluginError(f"{who}: {metric.name} is {value}, outside [{low:g}, {high:g}]")
    for name, per_item in scores.per_item.items():
        if np.shape(per_item) != (items,):
            raise PluginError(f"{who}: {name} has per-item scores of shape {np.shape(per_item)}, not ({items},)")
        if not abs(float(np.mean(per_item)) - scores.values[name]) <= 1e-6:
            raise PluginError(f"{who}: the mean of the per-item scores of {name} is not its value")
    return scores
