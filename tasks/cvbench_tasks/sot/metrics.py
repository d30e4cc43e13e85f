"""The one ruler of single-object tracking: trajectories and true boxes in, scores out.

One pass, never restarted. A clip's score is the mean over its frames in which the object is, a test split's the mean
over its clips. (GOT-10k's toolkit pools all frames instead: equal where clips are equally long.) Overlap is the
intersection over union of boxes; the centre error the distance of their centres.

Success and precision are those of OTB (Wu et al., IEEE TPAMI 37(9), 2015) and count the first frame, as its toolkit
does; normalised precision is TrackingNet's (arXiv 1803.10794), with LaSOT's 51 thresholds; average overlap and success
rates are GOT-10k's (arXiv 1810.11981) and leave the first frame out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from cvbench.clips import as_clips
from cvbench.contracts import Metric, Scores
from cvbench.errors import PluginError
from cvbench.samples import AnyArray, Dataset, FloatArray
from cvbench_tasks.sot.boxes import centres_and_sizes, overlaps
from cvbench_tasks.sot.sequences import Trajectory, Truth, truth_of

METRICS = (
    Metric("success", "OTB's area under the success plot: share of frames above 21 overlaps", primary=True),
    Metric("precision", "share of frames whose centre is at most 20 pixels off"),
    Metric("normalised_precision", "TrackingNet's: centre error as a share of the object's size, area over 0 to 0.5"),
    Metric("AO", "GOT-10k's average overlap"),
    Metric("SR0.5", "share of frames with an overlap above 0.5"),
    Metric("SR0.75", "share of frames with an overlap above 0.75"),
    Metric("failures", "times per clip that the overlap falls to 0; no restart", higher_is_better=False, high=None),
)

OVERLAP_THRESHOLDS = np.linspace(0, 1, 21)
PIXELS = 20.0
SHARE_THRESHOLDS = np.linspace(0, 0.5, 51)


def score(predictions: Iterable[Any], truth: Dataset) -> Scores:
    """Scores of one :class:`Trajectory` per clip, in the truth's order; all of them per item too.

    Raises :class:`PluginError` for trajectories that do not fit, :class:`DataError` for clips without one object.
    """
    clips, found = as_clips(truth).clips, list(predictions)
    if len(found) != len(clips):
        raise PluginError(f"{len(found)} predictions for {len(clips)} test clips")
    rows = []
    for trajectory, clip in zip(found, clips, strict=True):
        if not isinstance(trajectory, Trajectory):
            raise PluginError(f"predictions must be Trajectory, one per clip, not {type(trajectory).__name__}")
        rows.append(clip_scores(trajectory.checked(clip).boxes, truth_of(clip), clip.shape[:2]))
    per_item = {metric.name: np.array([row[metric.name] for row in rows]) for metric in METRICS}
    return Scores({name: float(values.mean()) for name, values in per_item.items()}, per_item)


def clip_scores(boxes: FloatArray, truth: Truth, frame: tuple[int, int]) -> dict[str, float]:
    """Every metric of one clip, from boxes float64 (n, 4) in all of its frames, each (height, width) ``frame``."""
    found, true = boxes[truth.present], truth.boxes[truth.present]
    overlap = overlaps(found, true)
    later = overlaps(_in_frame(found, frame), _in_frame(true, frame))[1:]
    (centres, _), (goals, sizes) = centres_and_sizes(found), centres_and_sizes(true)
    return {
        "success": float((overlap > OVERLAP_THRESHOLDS[:, None]).mean()),
        "precision": float((_lengths(centres - goals) <= PIXELS).mean()),
        "normalised_precision": float((_lengths((centres - goals) / sizes) <= SHARE_THRESHOLDS[:, None]).mean()),
        "AO": float(later.mean()),
        "SR0.5": float((later > 0.5).mean()),
        "SR0.75": float((later > 0.75).mean()),
        "failures": float(np.count_nonzero((overlap[:-1] > 0) & (overlap[1:] == 0))),
    }


def _in_frame(boxes: FloatArray, frame: tuple[int, int]) -> FloatArray:
    """As GOT-10k's toolkit bounds them: what lies before the frame is moved into it, what reaches beyond is cut."""
    far = np.array([frame[1], frame[0]], np.float64)
    corner = boxes[:, :2].clip(0, far)
    return np.hstack([corner, corner + np.minimum(boxes[:, 2:] - boxes[:, :2], far - corner)])


def _lengths(vectors: AnyArray) -> FloatArray:
    return np.asarray(np.hypot(vectors[:, 0], vectors[:, 1]))
