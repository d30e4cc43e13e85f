"""What controls do to clips: noise in place of the frames, or another clip's tracks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cvbench.clips import Clip, Clips, Tracks
from cvbench.errors import NotApplicable
from cvbench.samples import UInt8Array
from cvbench.seeds import derive_seed


@dataclass(frozen=True)
class NoiseFrames:
    """Every pixel uniform over 0..255; a frame is drawn when it is asked for."""

    length: int
    shape: tuple[int, ...]
    seed: int

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, place: int) -> UInt8Array:
        rng = np.random.default_rng(derive_seed(self.seed, "noise frame", range(self.length)[place]))
        return rng.integers(0, 256, self.shape, dtype=np.uint8)

    def __iter__(self) -> Iterator[UInt8Array]:
        return (self[place] for place in range(self.length))


def as_noise(clips: Clips, seed: int) -> Clips:
    """The same tracks over noise."""
    noisy = [
        replace(clip, frames=NoiseFrames(len(clip), clip.shape, derive_seed(seed, "clip", number)))
        for number, clip in enumerate(clips.clips)
    ]
    return replace(clips, clips=tuple(noisy))


def with_others_tracks(clips: Clips, seed: int) -> Clips:
    """Every clip with the tracks of another, cut at its end. Raises :class:`NotApplicable` for a single clip."""
    if len(clips) < 2:
        raise NotApplicable("one clip alone: there are no other tracks to give it")
    order = np.random.default_rng(seed).permutation(len(clips))
    others = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    return clips.with_tracks(_until(clips.clips[others[place]].tracks, clip) for place, clip in enumerate(clips.clips))


def _until(tracks: Tracks, clip: Clip) -> Tracks:
    return tracks.select(tracks.frames < len(clip))
