"""``bytetrack`` (Zhang et al., arXiv 2110.06864) and ``botsort`` (Aharon et al., arXiv 2206.14651) of ``trackers``."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import numpy as np

from cvbench.errors import NotInstalled
from cvbench.plugins import install_line
from cvbench.samples import FloatArray, IntArray, UInt8Array
from cvbench.scenes import Float32Array
from cvbench_tasks.tracking.association import Associator
from cvbench_tasks.tracking.models import BotSortOptions, ByteTrackOptions, TrackerOptions

SHARED = {part.name for part in fields(TrackerOptions)} | {"min_score"}  # the options that are not the library's


def library() -> Any:
    """Roboflow's ``trackers``. Raises :class:`NotInstalled` where it is not installed."""
    try:
        import trackers
    except ImportError as error:
        reason = "is not installed" if error.name == "trackers" else f"cannot be imported ({error})"
        raise NotInstalled(f"Roboflow's trackers {reason}: {install_line('tracking')}") from None
    return trackers


class RoboflowTracker(Associator):
    """One of the library's trackers, fed frame by frame. It tells of detections, not of its filters' boxes."""

    def __init__(self, trackers: Any, name: str, options: ByteTrackOptions | BotSortOptions) -> None:
        made = {"bytetrack": trackers.ByteTrackTracker, "botsort": trackers.BoTSORTTracker}[name]
        self.tracker = made(**{key: value for key, value in asdict(options).items() if key not in SHARED})
        self.min_score = options.min_score
        self.looks = isinstance(options, BotSortOptions) and options.enable_cmc

    def update(self, boxes: FloatArray, scores: Float32Array, frame: UInt8Array) -> tuple[FloatArray, IntArray]:
        from supervision import Detections

        counts = scores >= self.min_score
        found = Detections(xyxy=boxes[counts].astype(np.float32), confidence=scores[counts])
        bgr = np.repeat(frame, 3 // frame.shape[2], axis=2)[..., ::-1] if self.looks else None
        tracked = self.tracker.update(found, np.ascontiguousarray(bgr) if bgr is not None else None)
        told = tracked.tracker_id >= 0  # −1: not sure yet that there is an object
        return np.asarray(tracked.xyxy[told], np.float64), np.asarray(tracked.tracker_id[told], np.int64)
