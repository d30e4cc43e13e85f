"""MOTChallenge folders: ``<sequence>/seqinfo.ini``, ``img1/000001.jpg``, ``gt/gt.txt``."""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from pathlib import Path

from cvbench.clips import FrameFiles
from cvbench.errors import DataError
from cvbench.readers.findings import Findings
from cvbench.readers.mot_rows import DISTRACTORS, MOT20_DISTRACTORS, read_truth
from cvbench.readers.videos import Footage, VideoReader, frame_number, picture_files

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
        _hold_to(told, pictures, folder / "seqinfo.ini")
        classes = tuple(labels.read_text(encoding="utf-8").split("\n")) if labels.is_file() else ()
        classes = tuple(name.strip() for name in classes if name.strip())
        distractors = MOT20_DISTRACTORS if folder.name.startswith("MOT20") else DISTRACTORS
        tracks = read_truth(truth, classes, findings, distractors)
        if frame_number(pictures[0]) != 1:
            what = f"frames begin at {pictures[0].name}, gt.txt counts from 1"
            raise DataError(what, where=str(folder), hint="number them from 1")
        if len(tracks) and tracks.frames[-1] >= len(pictures):
            what = f"reaches frame {tracks.frames[-1] + 1}, the last picture is {pictures[-1].name}"
            raise DataError(what, where=str(truth), hint="put the missing frames there, or cut the text")
        names = classes or ("pedestrian",)
        yield Footage(folder.name, FrameFiles(pictures, self.options.channels), tracks, truth, names)


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


def _hold_to(told: dict[str, str], pictures: tuple[Path, ...], file: Path) -> None:
    length = told.get("seqlength", str(len(pictures)))
    if length != str(len(pictures)):
        what = f"seqLength is {length}, there are {len(pictures)} pictures"
        raise DataError(what, where=str(file), hint="put the missing frames there, or mend seqLength")
