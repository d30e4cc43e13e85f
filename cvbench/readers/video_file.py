"""Video files, each with a ground truth of its name: ``walk.mp4`` and ``walk.txt``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cvbench.clips import VideoFrames
from cvbench.errors import DataError
from cvbench.readers.box_rows import read_boxes, single_track
from cvbench.readers.findings import Findings
from cvbench.readers.frame_files import frame_rate
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

    @classmethod
    def sequences(cls, folder: Path) -> list[Path]:
        return [video for video, _ in _pairs(folder)]

    def footage(self, place: Path, findings: Findings) -> Iterator[Footage]:
        truth = place.with_suffix(".txt")
        if truth.is_file():
            yield self._one(place, truth, findings)
        else:
            findings.note(place, f"has no {truth.name}: passed over")

    def _one(self, video: Path, truth: Path, findings: Findings) -> Footage:
        there, fps = frames_in(video)
        classes: tuple[str, ...] = ("object",)
        if is_mot_text(truth):
            tracks, count, classes = read_truth(truth, findings=findings), there, ("pedestrian",)
            told = int(tracks.frames[-1]) + 1 if len(tracks) else 0
        else:
            boxes = read_boxes(truth, findings)
            told, count = len(boxes), min(there, len(boxes))
            if told < there:
                findings.note(truth, f"{told} lines, {video.name} has {there} frames: the rest is not used")
            tracks = single_track(boxes[:count], count, truth, findings)
        if told > there:
            what = f"reaches frame {told}, {video.name} stops at {there}"
            findings.problem(truth, what, "is the video cut short?")
        return Footage(video.stem, VideoFrames(video, count, self.options.channels), tracks, truth, classes, fps=fps)


def frames_in(video: Path) -> tuple[int, float | None]:
    """How many frames the file says that it has, and how many a second.

    Raises :class:`DataError` when it has none or is no video.
    """
    import cv2

    opened = cv2.VideoCapture(str(video))
    try:
        count = int(opened.get(cv2.CAP_PROP_FRAME_COUNT)) if opened.isOpened() else 0
        if count < 1 or not opened.read()[0]:
            raise DataError("no frame can be read from this video", where=str(video), hint="encode it anew")
        return count, frame_rate(opened.get(cv2.CAP_PROP_FPS))
    finally:
        opened.release()


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    videos = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in VIDEOS]
    return [(video, video.with_suffix(".txt")) for video in videos]
