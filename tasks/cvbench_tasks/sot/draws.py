"""What learnt trackers train on: frames of the tracks of clips, drawn by chance, one or two at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvbench.clips import Clip, Clips
from cvbench.contracts import Augmentation
from cvbench.errors import DataError
from cvbench.samples import FloatArray, IntArray, UInt8Array

LEAST_VISIBLE = 0.3  # share of an object that must be seen for its frame to be learnt from
LEAST_SIDE = 2.0  # pixels
CONTRAST, BRIGHTNESS, BLUR = (0.6, 1.4), 40.0, 0.3  # of strong augmentation; the last one is how often


@dataclass(frozen=True)
class Seen:
    """One frame uint8 (H, W, C) and where the object is in it, float64 (4,)."""

    frame: UInt8Array
    box: FloatArray


@dataclass(frozen=True)
class Track:
    """The frames of a clip in which an object can be seen well, ascending (n,), and its boxes there, (n, 4)."""

    clip: Clip
    frames: IntArray
    boxes: FloatArray


class Draws:
    """Frames of every track in which an object is seen at least once; all objects of a clip count.

    Raises :class:`DataError` when there is none.
    """

    def __init__(self, data: Clips, augmentation: Augmentation) -> None:
        self.tracks = [track for clip in data.clips for track in _tracks(clip)]
        self.strong = augmentation is Augmentation.STRONG
        if not self.tracks:
            raise DataError("no object can be seen in the clips to train on", where=data.spec.name)

    def pair(self, rng: np.random.Generator, gap: int) -> tuple[Seen, Seen]:
        """Two frames of one track, at most ``gap`` apart; both mirrored or neither."""
        track = self.tracks[int(rng.integers(len(self.tracks)))]
        first = int(rng.integers(len(track.frames)))
        near = np.flatnonzero(np.abs(track.frames - track.frames[first]) <= gap)
        one, other = self._seen(track, [first, int(rng.choice(near))], rng)
        return one, other

    def frame_of(self, track: int, rng: np.random.Generator) -> Seen:
        """One frame of this track."""
        own = self.tracks[track]
        return self._seen(own, [int(rng.integers(len(own.frames)))], rng)[0]

    def _seen(self, track: Track, places: list[int], rng: np.random.Generator) -> tuple[Seen, ...]:
        found = [Seen(track.clip.frames[int(track.frames[place])], track.boxes[place]) for place in places]
        if rng.random() < 0.5:
            found = [_mirrored(one) for one in found]
        if self.strong:
            found = [_disturbed(one, rng) for one in found]
        return tuple(found)


def _tracks(clip: Clip) -> list[Track]:
    tracks, found = clip.tracks, []
    height, width, _ = clip.shape
    centres, sizes = (tracks.boxes[:, :2] + tracks.boxes[:, 2:]) / 2, tracks.boxes[:, 2:] - tracks.boxes[:, :2]
    inside = ((centres >= 0) & (centres <= [width, height])).all(axis=1) & (sizes >= LEAST_SIDE).all(axis=1)
    good = inside & (tracks.visibility >= LEAST_VISIBLE) & ~tracks.ignored
    for number in np.unique(tracks.ids[good]):
        own = good & (tracks.ids == number)
        found.append(Track(clip, tracks.frames[own], tracks.boxes[own].astype(np.float64)))
    return found


def _mirrored(seen: Seen) -> Seen:
    x1, y1, x2, y2 = seen.box
    width = seen.frame.shape[1]
    return Seen(seen.frame[:, ::-1], np.array([width - x2, y1, width - x1, y2]))


def _disturbed(seen: Seen, rng: np.random.Generator) -> Seen:
    """Other contrast and brightness, and now and then out of focus: the two frames of a pair differ in them."""
    import cv2

    frame = seen.frame.astype(np.float32) * rng.uniform(*CONTRAST) + rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    if rng.random() < BLUR:
        frame = np.asarray(cv2.GaussianBlur(frame, (3, 3), 0), np.float32).reshape(frame.shape)
    return Seen(np.clip(frame, 0, 255).astype(np.uint8), seen.box)
