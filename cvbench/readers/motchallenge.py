"""MOTChallenge folders: ``<sequence>/seqinfo.ini``, ``img1/000001.jpg``, ``gt/gt.txt``."""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from pathlib import Path

from cvbench.clips import FrameFiles
from cvbench.errors import DataError
from cvbench.readers.findings import Findings
from cvbench.readers.frame_files import frame_number, frame_rate, picture_files
from cvbench.readers.mot_rows import DISTRACTORS, MOT20_DISTRACTORS, read_truth
from cvbench.readers.pictures import text_lines
from cvbench.readers.videos import Footage, VideoReader

TWINS = ("-FRCNN", "-SDP", "-DPM")  # MOT17 has every sequence with three sets of detections; the first there is read
FOLDER = "img1"


class MotChallenge(VideoReader):
    """MOT15, MOT16, MOT17, MOT20, DanceTrack and what is written like them, CVAT's exports with ``gt/labels.txt`` too.

    Who counts is :func:`~cvbench.readers.mot_rows.read_truth`'s. Public detections (``det/``) are not read.
    """

    summary = "MOTChallenge: sequence/img1/000001.jpg, gt/gt.txt and seqinfo.ini, many objects each"
    licence = "the data's own"

    @classmethod
    def is_sequence(cls, folder: Path) -> bool:
        return any((folder / name).exists() for name in ("seqinfo.ini", "gt/gt.txt", FOLDER))

    def footage(self, folder: Path, findings: Findings) -> Iterator[Footage]:
        truth, labels = folder / "gt" / "gt.txt", folder / "gt" / "labels.txt"
        if twin := _twin(folder):
            findings.note(folder, f"the same video as {twin.name}: passed over")
            return
        if not truth.is_file():
            findings.note(folder, "has no gt/gt.txt: passed over")
            return
        told = _seqinfo(folder)
        pictures = picture_files(folder / told.get("imdir", FOLDER))
        frames = FrameFiles(pictures, self.options.channels)
        _hold_to(told, frames, folder / "seqinfo.ini", findings)
        classes = tuple(text_lines(labels)) if labels.is_file() else ()
        classes = tuple(name.strip() for name in classes if name.strip())
        distractors = MOT20_DISTRACTORS if folder.name.startswith("MOT20") else DISTRACTORS
        tracks = read_truth(truth, classes, findings, distractors)
        if frame_number(pictures[0]) != 1:
            what = f"frames begin at {pictures[0].name}, gt.txt counts from 1"
            findings.problem(folder, what, "number them from 1")
        elif len(tracks) and tracks.frames[-1] >= len(pictures):
            what = f"reaches frame {tracks.frames[-1] + 1}, the last picture is {pictures[-1].name}"
            findings.problem(truth, what, "put the missing frames there, or cut the text")
        names = classes or ("pedestrian",)
        yield Footage(folder.name, frames, tracks, truth, names, fps=frame_rate(told.get("framerate", "")))


def _twin(folder: Path) -> Path | None:
    """Another folder of the same video that is read in the place of this one."""
    name, dash, ending = folder.name.rpartition("-")
    if dash + ending not in TWINS:
        return None
    before = (folder.with_name(name + other) for other in TWINS[: TWINS.index(dash + ending)])
    return next((twin for twin in before if twin.is_dir()), None)


def _seqinfo(folder: Path) -> dict[str, str]:
    """What ``seqinfo.ini`` says, keys in lower case; nothing without one. Raises :class:`DataError`."""
    file = folder / "seqinfo.ini"
    if not file.is_file():
        return {}
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(file.read_text(encoding="utf-8-sig"))
        return dict(parser["Sequence"])
    except (configparser.Error, KeyError, UnicodeDecodeError) as error:
        what = f"no [Sequence] can be read ({type(error).__name__})"
        raise DataError(what, where=str(file), hint="mend or remove it") from None


def _hold_to(told: dict[str, str], frames: FrameFiles, file: Path, findings: Findings) -> None:
    """The number of frames and the size of the first are what ``seqinfo.ini`` says, if it says them."""
    length = told.get("seqlength", str(len(frames)))
    if length != str(len(frames)):
        what = f"seqLength is {length}, there are {len(frames)} pictures"
        findings.problem(file, what, "put the missing frames there, or mend seqLength")
    if not {"imwidth", "imheight"} & told.keys():
        return
    try:
        height, width = frames[0].shape[:2]
    except DataError:  # whoever looks at every frame says so
        return
    for key, said, side in (("imWidth", "wide", width), ("imHeight", "high", height)):
        if (claimed := told.get(key.lower(), str(side))) != str(side):
            hint = f"mend {key}, or put the frames there that it was written for"
            findings.problem(file, f"{key} is {claimed}, {frames.files[0].name} is {side} pixels {said}", hint)
