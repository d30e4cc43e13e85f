"""A clip as a single-object tracker sees it: one object, given in the first frame; and what a tracker answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvbench.clips import Clip, Tracks
from cvbench.errors import DataError, PluginError
from cvbench.samples import BoolArray, FloatArray


@dataclass(frozen=True)
class Truth:
    """Where the object is: ``boxes`` float64 (n, 4) x1, y1, x2, y2 in pixels, one per frame.

    ``present`` bool (n,): frames that count. Where the object is absent, wholly hidden or ignored, its box is NaN.
    """

    boxes: FloatArray
    present: BoolArray


@dataclass(frozen=True)
class Trajectory:
    """A tracker's answer to a clip: ``boxes`` float64 (n, 4) x1, y1, x2, y2 in pixels, the first frame's as given.

    ``seconds`` float64 (n,): what the tracker took per frame, reading the frame not included; no score depends on it.
    """

    boxes: FloatArray
    seconds: FloatArray

    def checked(self, clip: Clip) -> Trajectory:
        """Itself, if it fits the clip; else :class:`PluginError`."""
        if self.boxes.shape != (len(clip), 4) or self.seconds.shape != (len(clip),):
            shapes = f"{self.boxes.shape} and {self.seconds.shape}"
            raise PluginError(f"boxes and seconds of {clip.name} must be ({len(clip)}, 4) and (n,), not {shapes}")
        if not np.isfinite(self.boxes).all():
            frame = int(np.flatnonzero(~np.isfinite(self.boxes).all(axis=1))[0])
            raise PluginError(f"the box in frame {frame} of {clip.name} is {self.boxes[frame].tolist()}")
        return self

    def tracks(self) -> Tracks:
        """The same as tracks of one object; it is absent where its box has no area."""
        there = (self.boxes[:, 2:] > self.boxes[:, :2]).all(axis=1)
        frames = np.flatnonzero(there)
        return Tracks.of(frames, np.ones(len(frames), np.int64), self.boxes[there])


def truth_of(clip: Clip) -> Truth:
    """The clip's one object.

    Raises :class:`DataError` as :func:`given` does, and where the object is in no other frame.
    """
    given(clip)
    truth = _boxes(clip)
    if not truth.present[1:].any():
        raise DataError("the object is in the first frame alone: nothing can be scored", where=clip.name)
    return truth


def given(clip: Clip) -> FloatArray:
    """(4,) the box in the first frame, which is all that a tracker is told.

    Raises :class:`DataError` where the clip has no object or several, or the one is not there in the first frame.
    """
    ids = np.unique(clip.tracks.ids)
    if len(ids) != 1:
        raise DataError(f"has {len(ids)} objects, a sequence to test on has one", where=clip.name)
    truth = _boxes(clip)
    if not truth.present[0]:
        hint = "begin the clip where the object is first seen"
        raise DataError("the object is not in the first frame, where it is given", where=clip.name, hint=hint)
    return np.asarray(truth.boxes[0])


def _boxes(clip: Clip) -> Truth:
    tracks = clip.tracks
    counts = (tracks.visibility > 0) & ~tracks.ignored
    boxes, present = np.full((len(clip), 4), np.nan), np.zeros(len(clip), np.bool_)
    boxes[tracks.frames[counts]] = tracks.boxes[counts]
    present[tracks.frames[counts]] = True
    return Truth(boxes, present)
