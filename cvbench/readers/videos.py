"""What readers of video share: a format lists its sequences, this splits, scales, opens and checks them.

Opening looks at the first frame of each sequence alone; frames are decoded when they are asked for, one at a time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Lt

from cvbench.clips import Clip, Clips, FrameFiles, Frames, Tracks, VideoFrames, sizes_of
from cvbench.contracts import Finding, Reader, Splits
from cvbench.errors import DataError, near_names
from cvbench.readers.findings import Findings, few_of_each_file, summed_up
from cvbench.readers.frame_files import frames_of
from cvbench.readers.items import Item, item_of
from cvbench.readers.letterbox import Letterbox
from cvbench.readers.places import find_place
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, DatasetSpec, UInt8Array
from cvbench.seeds import derive_seed

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class VideoOptions:
    """``train`` and ``test``: the sequences of each, by name; with one of them alone the other gets the rest.

    Without names the folders train, val and test count; where there are none, ``test_fraction`` and ``split_seed``
    split the sequences. ``halves``: every sequence's first half of frames trains, its second half tests.
    ``size``: height and width that frames are brought to, their aspect kept, the rest padded; else each sequence
    keeps its own. ``channels``: 3 (RGB) or 1 (grey).
    """

    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    halves: bool = False
    test_fraction: Annotated[float, Gt(0), Lt(1)] = 0.3
    split_seed: int = 0
    size: tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]] | None = None
    channels: Literal[1, 3] = 3


@dataclass(frozen=True)
class Footage:
    """One sequence as its files have it: frames, and tracks in the frames' own pixels.

    ``split`` is "" when its folder says none; ``source`` is the file of its ground truth, or its folder. ``fps``:
    frames per second, where something says it. Of a sequence that is not ``sound`` a problem is told: it counts where
    sequences are split, and its frames are looked at, but it is not used.
    """

    name: str
    frames: Frames
    tracks: Tracks
    source: Path
    classes: tuple[str, ...] = ("object",)
    split: str = ""
    fps: float | None = None
    sound: bool = True


class VideoReader(Reader):
    """A reader of one format of video with tracks; a subclass says what a sequence is and reads it."""

    also_known_as: ClassVar[tuple[str, ...]] = ()  # of the folder in CVBENCH_DATA
    Options = VideoOptions

    @classmethod
    @abstractmethod
    def is_sequence(cls, folder: Path) -> bool:
        """Whether this folder holds a sequence of the format (whole or broken), not folders of them."""

    @classmethod
    def sequences(cls, folder: Path) -> list[Path]:
        """Which places :meth:`footage` reads of such a folder, one by one: the folder itself; each video in it."""
        return [folder]

    @abstractmethod
    def footage(self, place: Path, findings: Findings) -> Iterator[Footage]:
        """The place's sequences that have a ground truth. What is wrong goes to the findings, or is raised."""

    @classmethod
    def recognises(cls, root: Path) -> bool:
        return bool(cls.folders(root))

    @classmethod
    def folders(cls, root: Path) -> list[tuple[str, Path]]:
        """Split and folder of every sequence: the root itself, its children, or those of train, val and test."""
        if cls.is_sequence(root):
            return [("", root)]
        inside = [child for child in sorted(root.iterdir()) if child.is_dir()]
        found = [(child.name if child.name in SPLITS else "", child) for child in inside if cls.is_sequence(child)]
        for split in (child for child in inside if child.name in SPLITS and not cls.is_sequence(child)):
            found += [(split.name, child) for child in sorted(split.iterdir()) if cls.is_sequence(child)]
        return found

    def open(self, root: Path | None) -> Splits:
        place = _place(root, type(self).__name__.lower(), self.also_known_as)
        every = self._listed(place, Findings(strict=True))
        parts = divided(every, self.options, place)
        classes = every[0].classes
        opened = {split: [self._clip(one) for one in part] for split, part in parts.items()}
        shapes = {clip.shape for clips in opened.values() for clip in clips}
        height, width = next(iter(shapes))[:2] if len(shapes) == 1 else (0, 0)
        spec = DatasetSpec(place.name, AnnotationKind.TRACKS, classes, height, width, self.options.channels)
        data = {split: Clips(spec, tuple(clips)) for split, clips in opened.items()}
        return Splits(data["train"], data["test"], data.get("val"))

    def check(self, root: Path) -> Iterator[Finding]:
        yield from self.inspect(root)[0]

    def inspect(self, root: Path | None) -> tuple[list[Finding], list[Item]]:
        """Everything that is wrong or handled, sequence by sequence, every frame decoded once; never raises."""
        findings = Findings(strict=False)
        items: list[Item] = []
        try:
            place = _place(root, type(self).__name__.lower(), self.also_known_as)
            for folder in self._without_truth(place):
                findings.note(folder, "holds frames, and no ground truth that is read: passed over")
            for split, one in self._split_or_not(self._listed(place, findings), place, findings):
                try:
                    if look_at_every_frame(one, findings) and one.sound:
                        items.append(item_of(self._clip(one, findings), one.classes, split))
                except DataError as error:
                    findings.blame(error)
        except DataError as error:
            findings.blame(error)
        return list(few_of_each_file(list(summed_up(findings.found, str(root))))), items

    def _split_or_not(self, every: list[Footage], root: Path, findings: Findings) -> list[tuple[str, Footage]]:
        """Every sequence with its split, or with none where they cannot be split: they are looked at all the same.

        That is told when every one could be read: else what is lacking may be what could not.
        """
        try:
            return [(split, one) for split, part in divided(every, self.options, root).items() for one in part]
        except DataError as error:
            if not findings.unread:
                findings.blame(error)
            return [("", one) for one in every]

    def _without_truth(self, root: Path) -> list[Path]:
        """The folders beside sequences that look like one: they hold pictures, or a folder of them."""
        known = {folder for _, folder in self.folders(root)}
        beside = {child for folder in known - {root} for child in folder.parent.iterdir() if child.is_dir()}
        return [
            folder
            for folder in sorted(beside - known)
            if not any(folder in inner.parents for inner in known)
            and any(frames_of(place) for place in (folder, *(one for one in folder.iterdir() if one.is_dir())))
        ]

    def _listed(self, root: Path, findings: Findings) -> list[Footage]:
        """All sequences with a ground truth. Raises :class:`DataError` when there is none, and no problem says why."""
        every: list[Footage] = []
        places = [(split, place) for split, folder in self.folders(root) for place in self.sequences(folder)]
        for split, place in places:
            told = findings.problems
            try:
                for one in self.footage(place, findings):
                    every.append(replace(one, split=split, sound=findings.problems == told))
                    told = findings.problems
            except DataError as error:
                findings.blame(error)
                findings.unread = True
        if not every and not findings.problems:
            raise DataError("no sequence with frames and a ground truth can be read", where=str(root))
        if repeated := sorted({one.name for one in every if sum(one.name == other.name for other in every) > 1}):
            findings.problem(root, f"two sequences are called {repeated[0]!r}", "rename one")
        for one in every:
            if one.classes != every[0].classes:
                what = f"its classes are {one.classes}, those of {every[0].name} are {every[0].classes}"
                findings.problem(one.source, what, "bring them to one list")
        return every

    def _clip(self, one: Footage, findings: Findings | None = None) -> Clip:
        """The sequence at the size asked for, without boxes that lie wholly outside the picture."""
        size: tuple[int, int] | None = self.options.size
        height, width = one.frames[0].shape[:2]
        x1, y1, x2, y2 = one.tracks.boxes.T
        inside = (x1 < width) & (y1 < height) & (x2 > 0) & (y2 > 0)
        if findings is not None:
            what = "outside the picture: absent there"
            findings.note_count(one.source, int((~inside).sum()), "box", what)
        frames, tracks = one.frames, one.tracks.select(inside)
        if size is not None:
            fit = Letterbox(height, width, size)
            frames = Letterboxed(frames, fit)
            tracks = replace(tracks, boxes=fit.boxes(tracks.boxes.astype(np.float64)).astype(np.float32))
        return Clip(one.name, frames, tracks, one.fps)


@dataclass(frozen=True)
class Letterboxed:
    """The same frames, scaled and padded."""

    frames: Frames
    fit: Letterbox

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, place: int) -> UInt8Array:
        return self.fit.picture(self.frames[place])

    def __iter__(self) -> Iterator[UInt8Array]:
        return (self.fit.picture(frame) for frame in self.frames)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of the files behind these frames."""
        return sizes_of(self.frames)


@dataclass(frozen=True)
class Part:
    """The frames from ``start`` up to ``stop``."""

    frames: Frames
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, place: int) -> UInt8Array:
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        return self.frames[self.start + place % len(self)]

    def __iter__(self) -> Iterator[UInt8Array]:
        if isinstance(self.frames, VideoFrames):
            return islice(self.frames.starting_at(self.start), len(self))
        return (self[place] for place in range(len(self)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of the files behind these frames."""
        whole = sizes_of(self.frames)
        return whole[self.start : self.stop] if len(whole) == len(self.frames) else whole


# ---------------------------------------------------------------------------------------- splits


def divided(every: Sequence[Footage], options: VideoOptions, root: Path) -> dict[str, list[Footage]]:
    """The sequences of train, test and, if there is one, val; train and test have at least one each.

    Raises :class:`DataError` for a name that is no sequence's or in both, and where a split would be empty.
    """
    if options.halves:
        halves = [(_part(one, 0, len(one.frames) // 2), _part(one, len(one.frames) // 2, None)) for one in every]
        return {"train": [first for first, _ in halves], "test": [second for _, second in halves]}
    if options.train or options.test:
        return _by_name(every, options, root)
    parts = {split: [one for one in every if one.split == split] for split in SPLITS}
    if parts["train"] and (parts["val"] or parts["test"]):
        if not parts["test"]:
            return {"train": parts["train"], "test": parts["val"]}
        return {split: part for split, part in parts.items() if part}
    return _by_seed(every, options, root)


def _by_name(every: Sequence[Footage], options: VideoOptions, root: Path) -> dict[str, list[Footage]]:
    known = {one.name: one for one in every}
    for name in (*options.train, *options.test):
        if name not in known:
            raise DataError(f"no sequence {name!r}", where=str(root), hint=near_names(name, known))
    if both := [name for name in options.train if name in options.test]:
        raise DataError(f"{both[0]!r} is in both train and test", where=str(root), hint="name it in one of them")
    train = options.train or [name for name in known if name not in options.test]
    test = options.test or [name for name in known if name not in options.train]
    if not train or not test:
        raise DataError(f"no sequence is left for {'test' if train else 'train'}", where=str(root))
    return {"train": [known[name] for name in train], "test": [known[name] for name in test]}


def _by_seed(every: Sequence[Footage], options: VideoOptions, root: Path) -> dict[str, list[Footage]]:
    if len(every) < 2:
        hint = "add sequences, or set the option halves: true"
        raise DataError("one sequence cannot be split into train and test", where=str(root), hint=hint)
    share = max(options.test_fraction, 1 / len(every))  # at least one of each
    seed = derive_seed(options.split_seed, "video split")
    test, train = split_real(np.zeros(len(every), np.int64), fraction=share, per_class=None, seed=seed)
    if not len(train):
        test, train = test[:-1], test[-1:]
    return {"train": [every[place] for place in train], "test": [every[place] for place in test]}


def _part(one: Footage, start: int, stop: int | None) -> Footage:
    """The sequence's frames from ``start`` to ``stop``, renumbered. Raises :class:`DataError` for fewer than two."""
    end = len(one.frames) if stop is None else stop
    if end - start < 1:
        raise DataError("has a single frame: no halves", where=str(one.source))
    tracks = one.tracks.select((one.tracks.frames >= start) & (one.tracks.frames < end))
    tracks = replace(tracks, frames=tracks.frames - start)
    return replace(one, name=f"{one.name}[{start}:{end}]", frames=Part(one.frames, start, end), tracks=tracks)


# ----------------------------------------------------------------------------------------- frames


def look_at_every_frame(one: Footage, findings: Findings) -> bool:
    """Whether all can be read and are of the first one's size; which are not is told, each with its file."""
    told, first = findings.problems, None
    for place, frame in _those_that_can_be_read(one.frames, findings):
        size = frame.shape[:2]
        first = first or size
        if size != first:
            what = f"is {size[0]}×{size[1]}, the first frame is {first[0]}×{first[1]}"
            findings.problem(_place_of(one.frames, place), what, "bring it to their size, or cut the sequence there")
    return findings.problems == told


def _those_that_can_be_read(frames: Frames, findings: Findings) -> Iterator[tuple[int, UInt8Array]]:
    """Frames with their places, in order. What follows a video's first bad one cannot be read."""
    if isinstance(frames.frames if isinstance(frames, Part) else frames, VideoFrames):
        try:
            yield from enumerate(frames)
        except DataError as error:
            findings.blame(error)
        return
    for place in range(len(frames)):
        try:
            frame = frames[place]
        except DataError as error:
            findings.blame(error)
            continue
        yield place, frame


def _place_of(frames: Frames, place: int) -> str:
    """The file of a frame; of a video, its number too."""
    if isinstance(frames, Part):
        return _place_of(frames.frames, frames.start + place)
    if isinstance(frames, FrameFiles):
        return str(frames.files[place])
    return f"{frames.file}, frame {place + 1}" if isinstance(frames, VideoFrames) else f"frame {place + 1}"


def _place(root: Path | None, reader: str, also: Sequence[str]) -> Path:
    """The root; without one, where a set of this name lies. Raises :class:`DataError` where there is none."""
    if root is None:
        return find_place(reader, None, download=False, can_download=False, also=also)
    if not root.is_dir():
        raise DataError("there is no such folder", where=str(root), hint="set root:")
    return root
