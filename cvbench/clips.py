"""Video: clips whose frames are read one at a time, with the objects that move through them.

Frames that are files, a video or a memory-mapped array are never in memory all at once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cvbench.decoding import read_picture
from cvbench.errors import DataError
from cvbench.samples import AnnotationKind, AnyArray, BoolArray, Dataset, DatasetSpec, IntArray, UInt8Array
from cvbench.scenes import BoxedImages, Float32Array

LOOKED_AT = 16  # frames of a clip that its fingerprint reads; of files, it holds every one's size too


class Frames(Protocol):
    """The frames of a clip, uint8 (H, W, C) each: iterating reads them in order, indexing reads one."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int, /) -> UInt8Array: ...

    def __iter__(self) -> Iterator[UInt8Array]: ...


@dataclass(frozen=True)
class FrameFiles:
    """One picture file per frame."""

    files: tuple[Path, ...]
    channels: int

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> UInt8Array:
        return read_picture(self.files[place], self.channels)

    def __iter__(self) -> Iterator[UInt8Array]:
        return (self[place] for place in range(len(self)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of each file."""
        return tuple(file.stat().st_size for file in self.files)


@dataclass(frozen=True)
class VideoFrames:
    """The frames of a video file. ``count`` is how many are used; reading them in order decodes each once."""

    file: Path
    count: int
    channels: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> UInt8Array:
        if not -self.count <= place < self.count:
            raise IndexError(place)
        return next(self.starting_at(place % self.count))

    def __iter__(self) -> Iterator[UInt8Array]:
        return self.starting_at(0)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of the file."""
        return (self.file.stat().st_size,)

    def starting_at(self, place: int) -> Iterator[UInt8Array]:
        """The frames from this one on, each decoded once."""
        import cv2

        video = cv2.VideoCapture(str(self.file))
        try:
            if place:
                video.set(cv2.CAP_PROP_POS_FRAMES, place)
            for number in range(place, self.count):
                there, picture = video.read()
                if not there:
                    raise DataError(f"stops at frame {number} of {self.count}", where=str(self.file))
                to = cv2.COLOR_BGR2GRAY if self.channels == 1 else cv2.COLOR_BGR2RGB
                turned = cv2.cvtColor(picture, to)
                yield np.asarray(turned, np.uint8).reshape(*turned.shape[:2], self.channels)
        finally:
            video.release()


def sizes_of(frames: object) -> tuple[int, ...]:
    """Bytes of each file behind the frames, as far as there are files: what tells that one was exchanged."""
    sizes: tuple[int, ...] = getattr(frames, "sizes", ())
    return sizes


@dataclass(frozen=True)
class Tracks:
    """Who is where when: one row per object and frame, in the frames' order.

    ``frames`` int64 (M,) from 0, ``ids`` int64 (M,), ``boxes`` float32 (M, 4) x1, y1, x2, y2 in pixels (they may
    leave the picture), ``labels`` int64 (M,), ``visibility`` float32 (M,) 0..1, ``ignored`` bool (M,): neither a hit
    nor a miss. An object is absent from a frame that has no row of it. Raises :class:`DataError` for boxes that are
    empty or not finite and for an id that is twice in a frame.
    """

    frames: IntArray
    ids: IntArray
    boxes: Float32Array
    labels: IntArray
    visibility: Float32Array
    ignored: BoolArray

    @classmethod
    def of(
        cls,
        frames: AnyArray,
        ids: AnyArray,
        boxes: AnyArray,
        labels: AnyArray | None = None,
        visibility: AnyArray | None = None,
        ignored: AnyArray | None = None,
    ) -> Tracks:
        """From columns in any order of rows; what is left out is class 0, wholly visible, not ignored."""
        count = len(frames)
        order = np.lexsort((np.asarray(ids), np.asarray(frames)))
        columns: dict[str, tuple[AnyArray | None, Any, Any]] = {
            "frames": (frames, np.int64, 0),
            "ids": (ids, np.int64, 0),
            "boxes": (np.reshape(boxes, (-1, 4)), np.float32, 0),
            "labels": (labels, np.int64, 0),
            "visibility": (visibility, np.float32, 1),
            "ignored": (ignored, np.bool_, False),
        }
        return cls(
            **{
                name: np.full(count, default, kind) if values is None else np.asarray(values, kind)[order]
                for name, (values, kind, default) in columns.items()
            }
        )

    def __post_init__(self) -> None:
        count = len(self.frames)
        for part in fields(self):
            array = getattr(self, part.name)
            if array.shape != ((count, 4) if part.name == "boxes" else (count,)):
                raise DataError(f"tracks have {count} rows, {part.name} is {array.shape}")
        if count and self.frames[0] < 0:
            raise DataError(f"a track begins at frame {self.frames[0]}")
        same = (np.diff(self.frames) == 0) & (np.diff(self.ids) == 0)
        if same.any():
            place = int(np.flatnonzero(same)[0])
            raise DataError(f"the id {self.ids[place]} is twice in frame {self.frames[place]}")
        if (np.diff(self.frames) < 0).any():
            raise DataError("the rows of tracks must be in the frames' order")
        x1, y1, x2, y2 = self.boxes.T
        sound = np.isfinite(self.boxes).all(axis=1) & (x1 < x2) & (y1 < y2)
        if not sound.all():
            place = int(np.flatnonzero(~sound)[0])
            raise DataError(f"a box in frame {self.frames[place]} is {self.boxes[place].tolist()}")

    def __len__(self) -> int:
        return len(self.frames)

    def rows(self, frame: int) -> slice:
        """Where the rows of a frame are."""
        return slice(int(np.searchsorted(self.frames, frame)), int(np.searchsorted(self.frames, frame + 1)))

    def select(self, kept: BoolArray) -> Tracks:
        """The rows for which ``kept`` (M,) is true."""
        return Tracks(**{part.name: getattr(self, part.name)[kept] for part in fields(self)})


@dataclass(frozen=True)
class Clip:
    """One video: its frames, and what moves in them.

    ``fps``: frames per second, where the source says it; for those who play or write it, no part of what it is.
    """

    name: str
    frames: Frames | UInt8Array
    tracks: Tracks
    fps: float | None = None

    def __post_init__(self) -> None:
        if not len(self.frames):
            raise DataError("a clip without frames", where=self.name)
        if len(self.tracks) and self.tracks.frames[-1] >= len(self.frames):
            raise DataError(
                f"tracks reach frame {self.tracks.frames[-1]}, there are {len(self.frames)} frames", where=self.name
            )

    def __len__(self) -> int:
        return len(self.frames)

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of its frames: the first one is read, once."""
        height, width, channels = self.frames[0].shape
        return height, width, channels

    @cached_property
    def digest(self) -> str:
        """A content hash of the frames: of their number, their files' sizes, and some of them, evenly spread."""
        places = np.unique(np.linspace(0, len(self) - 1, LOOKED_AT).astype(int))
        digest = hashlib.blake2b(f"{len(self)} {sizes_of(self.frames)}".encode(), digest_size=16)
        for place in places:
            frame = np.ascontiguousarray(self.frames[int(place)])
            digest.update(repr(frame.shape).encode() + frame.data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Clips(Dataset):
    """Videos with tracks. Where clips differ in size, the spec's height and width are 0.

    Raises :class:`DataError` for a clip that does not fit the spec.
    """

    spec: DatasetSpec
    clips: tuple[Clip, ...]

    def __post_init__(self) -> None:
        spec = self.spec
        if spec.kind is not AnnotationKind.TRACKS:
            raise DataError(f"clips are annotated with tracks, not {spec.kind.value}", where=spec.name)
        for clip in self.clips:
            labels = clip.tracks.labels
            if len(labels) and not (labels.min() >= 0 and labels.max() < len(spec.classes)):
                raise DataError(f"labels in {clip.name} reach {labels.max()}, there are {len(spec.classes)} classes")
            shape = clip.shape
            if shape[2] != spec.channels or (spec.height and shape[:2] != (spec.height, spec.width)):
                raise DataError(f"frames of {clip.name} are {shape}, the spec says otherwise", where=spec.name)

    def __len__(self) -> int:
        return len(self.clips)

    def select(self, indices: IntArray | Sequence[int]) -> Clips:
        return replace(self, clips=tuple(self.clips[int(place)] for place in indices))

    def with_tracks(self, tracks: Iterable[Tracks]) -> Clips:
        """The same clips, each with other tracks, in their order."""
        pairs = zip(self.clips, tracks, strict=True)
        return replace(self, clips=tuple(replace(clip, tracks=own) for clip, own in pairs))

    def with_fps(self, fps: float) -> Clips:
        """The same clips; this is the frame rate of those that have none."""
        return replace(self, clips=tuple(replace(clip, fps=clip.fps or fps) for clip in self.clips))

    def strata(self) -> IntArray:
        return np.zeros(len(self), np.int64)

    def item_hashes(self) -> list[str]:
        return [clip.digest for clip in self.clips]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over spec (without its name), every track and each clip's digest."""
        digest = hashlib.sha256(json.dumps(self.spec.to_json() | {"name": ""}, sort_keys=True).encode())
        for clip in self.clips:
            digest.update(clip.digest.encode())
            for part in fields(clip.tracks):
                digest.update(np.ascontiguousarray(getattr(clip.tracks, part.name)).data)
        return digest.hexdigest()

    @classmethod
    def concatenated(cls, parts: Sequence[Clips], spec: DatasetSpec) -> Clips:
        return cls(spec, tuple(clip for part in parts for clip in part.clips))

    def save(self, folder: Path) -> None:
        for number, clip in enumerate(self.clips):
            place = folder / f"clip-{number:05d}"
            place.mkdir()
            shape = (len(clip), *clip.shape)
            array = np.lib.format.open_memmap(place / "frames.npy", mode="w+", dtype=np.uint8, shape=shape)
            for written, frame in zip(array, clip.frames, strict=True):
                written[:] = frame
            array.flush()
            np.savez(place / "tracks.npz", **{part.name: getattr(clip.tracks, part.name) for part in fields(Tracks)})
        (folder / "clips.json").write_text(json.dumps([clip.name for clip in self.clips], indent=1))
        (folder / "dataset.json").write_text(json.dumps(self.spec.to_json(), indent=1))

    @classmethod
    def load(cls, folder: Path, spec: DatasetSpec) -> Clips:
        clips = []
        for number, name in enumerate(json.loads((folder / "clips.json").read_text())):
            place = folder / f"clip-{number:05d}"
            with np.load(place / "tracks.npz", allow_pickle=False) as columns:
                tracks = Tracks(**{part.name: columns[part.name] for part in fields(Tracks)})
            clips.append(Clip(name, np.load(place / "frames.npy", mmap_mode="r", allow_pickle=False), tracks))
        return cls(spec, tuple(clips))


def as_clips(data: Dataset) -> Clips:
    """The data, if it is clips. Raises :class:`DataError` for any other."""
    if not isinstance(data, Clips):
        raise DataError("needs clips with tracks", where=data.spec.name)
    return data


def frames_with_boxes(clips: Clips, *, most: int) -> BoxedImages:
    """At most so many frames, evenly spread over the clips, as pictures with boxes: what a detector learns from.

    Boxes are cut at the picture's edge; an object that is wholly outside or hidden is left out.
    Raises :class:`DataError` for clips of unequal size.
    """
    if not clips.spec.height:
        raise DataError("clips of unequal size make no pictures of one size", where=clips.spec.name)
    places = [(clip, place) for clip in clips.clips for place in range(len(clip))]
    chosen = [places[k] for k in np.unique(np.linspace(0, len(places) - 1, min(most, len(places))).astype(int))]
    images, boxes, labels, crowd = [], [], [], []
    edge = np.array([clips.spec.width, clips.spec.height] * 2, np.float32)
    for clip, place in chosen:
        rows = clip.tracks.rows(place)
        cut = np.clip(clip.tracks.boxes[rows], 0, edge)
        there = (cut[:, 2] > cut[:, 0]) & (cut[:, 3] > cut[:, 1]) & (clip.tracks.visibility[rows] > 0)
        images.append(clip.frames[place])
        boxes.append(cut[there])
        labels.append(clip.tracks.labels[rows][there])
        crowd.append(clip.tracks.ignored[rows][there])
    spec = replace(clips.spec, kind=AnnotationKind.BOXES)
    return BoxedImages.of(spec, np.stack(images), boxes, labels, crowd)
