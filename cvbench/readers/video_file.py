"""Video files, each with a ground truth of its name: ``walk.mp4`` and ``walk.txt``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cvbench.clips import Tracks, VideoFrames
from cvbench.errors import DataError
from cvbench.readers.box_rows import read_boxes, single_track
from cvbench.readers.findings import Findings
from cvbench.readers.mot_rows import is_mot_text, read_truth
from cvbench.readers.videos import Footage, VideoReader

# What FFmpeg logs of a damaged file would stand on stderr beside our own line about it; OpenCV asks at its first video
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"}


class VideoFile(VideoReader):
    """The text is either a box or polygon per frame (one object, as OTB and VOT) or MOTChallenge's (many).

    A video of which the text describes the beginning alone is read up to there.
    """

    summary = "video files, each with a .txt of its name: a box per frame, or MOTChallenge's lines"
    licence = "the data's own"

    @classmethod
    def is_sequence(cls, folder: Path) -> bool:
        return folder.is_dir() and any(truth.is_file() for _, truth in _pairs(folder))

    def footage(self, folder: Path, findings: Findings) -> Iterator[Footage]:
        for video, truth in _pairs(folder):
            if not truth.is_file():
                findings.note(video, f"has no {truth.name}: passed over")
                continue
            try:
                yield self._one(video, truth, findings)
            except DataError as error:
                findings.blame(error)

    def _one(self, video: Path, truth: Path, findings: Findings) -> Footage:
        there = frames_in(video)
        classes: tuple[str, ...] = ("object",)
        tracks: Tracks
        if is_mot_text(truth):
            tracks, count, classes = read_truth(truth, findings=findings), there, ("pedestrian",)
        else:
            boxes = read_boxes(truth, findings)
            count = min(there, len(boxes))
            if len(boxes) < there:
                findings.note(truth, f"{len(boxes)} lines, {video.name} has {there} frames: the rest is not used")
            _refuse_early_end(len(boxes), there, video, truth)
            tracks = single_track(boxes, count, truth)
        _refuse_early_end(int(tracks.frames[-1]) + 1 if len(tracks) else 0, there, video, truth)
        return Footage(video.stem, VideoFrames(video, count, self.options.channels), tracks, truth, classes)


def frames_in(video: Path) -> int:
    """How many frames the file says that it has. Raises :class:`DataError` when it has none or is no video."""
    import cv2

    opened = cv2.VideoCapture(str(video))
    try:
        count = int(opened.get(cv2.CAP_PROP_FRAME_COUNT)) if opened.isOpened() else 0
        if count < 1 or not opened.read()[0]:
            raise DataError("no frame can be read from this video", where=str(video), hint="encode it anew")
        return count
    finally:
        opened.release()


def _refuse_early_end(told: int, there: int, video: Path, truth: Path) -> None:
    if told > there:
        hint = "is the video cut short?"
        raise DataError(f"reaches frame {told}, {video.name} stops at {there}", where=str(truth), hint=hint)


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    videos = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in VIDEOS]
    return [(video, video.with_suffix(".txt")) for video in videos]
