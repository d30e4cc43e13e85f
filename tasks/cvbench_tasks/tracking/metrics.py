"""The one ruler of multi-object tracking: tracks and true tracks in, TrackEval's scores out.

HOTA, DetA, AssA: Luiten et al., IJCV 129, 2021. MOTA and identity switches: Bernardin & Stiefelhagen, EURASIP JIVP,
2008. IDF1: Ristani et al., ECCV workshops, 2016. The clips of a split are pooled as TrackEval pools sequences; several
classes are averaged over those that the test split has, their identity switches are summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cvbench.clips import Clip, Tracks, as_clips
from cvbench.contracts import Metric, Scores
from cvbench.errors import PluginError
from cvbench.samples import Dataset

METRICS = (
    Metric("HOTA", "higher order tracking accuracy: finding and telling apart in equal parts", primary=True),
    Metric("DetA", "HOTA's detection accuracy: how well objects are found"),
    Metric("AssA", "HOTA's association accuracy: how well they are told apart"),
    Metric("IDF1", "F1 of boxes under the best one-to-one matching of whole tracks"),
    Metric("MOTA", "1 less the share of misses, false boxes and identity switches", low=None),
    Metric("IDSW", "identity switches in all clips together", higher_is_better=False, high=None),
)


def score(predictions: Iterable[Any], truth: Dataset) -> Scores:
    """Scores of one :class:`Tracks` per clip, in the truth's order. None of them is a mean over clips.

    Raises :class:`PluginError` for predictions that do not fit.
    """
    from trackeval.metrics import CLEAR, HOTA, Identity

    from cvbench_tasks.tracking.evaluated import evaluated

    data = as_clips(truth)
    found = [_checked(one, clip, len(data.spec.classes)) for one, clip in _pairs(list(predictions), data.clips)]
    quiet = {"PRINT_CONFIG": False}
    families = (HOTA(), CLEAR(quiet), Identity(quiet))
    per_class: dict[str, Mapping[str, float]] = {}
    for label, name in enumerate(data.spec.classes):
        if not any(((clip.tracks.labels == label) & ~clip.tracks.ignored).any() for clip in data.clips):
            continue
        sequences = [evaluated(own, clip, label) for own, clip in zip(found, data.clips, strict=True)]
        pooled: dict[str, Any] = {}
        for family in families:
            results = {str(place): family.eval_sequence(one) for place, one in enumerate(sequences)}
            pooled |= family.combine_sequences(results)
        per_class[name] = {metric.name: float(np.mean(pooled[metric.name])) for metric in METRICS}
    return _over_classes(per_class, data.spec.classes)


def _over_classes(there: Mapping[str, Mapping[str, float]], classes: tuple[str, ...]) -> Scores:
    values = {metric.name: float(np.mean([own[metric.name] for own in there.values()])) for metric in METRICS}
    values["IDSW"] = float(sum(own["IDSW"] for own in there.values()))
    named = {m.name: {name: there[name][m.name] if name in there else np.nan for name in classes} for m in METRICS}
    return Scores(values, per_class=named)


def _pairs(found: list[Any], clips: tuple[Clip, ...]) -> Iterable[tuple[Any, Clip]]:
    if len(found) != len(clips):
        raise PluginError(f"{len(found)} predictions for {len(clips)} test clips")
    return zip(found, clips, strict=True)


def _checked(found: Any, clip: Clip, classes: int) -> Tracks:
    if not isinstance(found, Tracks):
        raise PluginError(f"predictions must be Tracks, one per clip, not {type(found).__name__}")
    if len(found) and found.frames[-1] >= len(clip):
        raise PluginError(f"tracks of {clip.name} reach frame {found.frames[-1]}, it has {len(clip)}")
    if len(found) and not (found.labels.min() >= 0 and found.labels.max() < classes):
        raise PluginError(f"tracks of {clip.name} have the class {found.labels.max()}, there are {classes} classes")
    return found
