"""OTB sequences: ``<sequence>/img/0001.jpg`` and ``groundtruth_rect.txt``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cvbench.clips import FrameFiles
from cvbench.readers.box_rows import read_boxes, single_track
from cvbench.readers.findings import Findings
from cvbench.readers.frame_files import picture_files
from cvbench.readers.videos import Footage, VideoReader

# Where the benchmark scores a part of the frames that come with a sequence: its first and last, counted from 1.
SCORED = {"David": (300, 770), "Diving": (1, 215), "Football1": (1, 74), "Freeman3": (1, 460), "Freeman4": (1, 283)}


class Otb(VideoReader):
    """Object Tracking Benchmark (Wu, Lim and Yang, TPAMI 2015). Its pixels count from 1, the tracks' from 0.

    A folder with ``groundtruth_rect.1.txt`` and ``.2.txt`` holds two sequences.
    """

    summary = "OTB: sequence/img/0001.jpg and groundtruth_rect.txt, one object each"
    licence = "the data's own"

    @classmethod
    def is_sequence(cls, folder: Path) -> bool:
        return folder.is_dir() and any(folder.glob("groundtruth_rect*.txt"))

    def footage(self, folder: Path, findings: Findings) -> Iterator[Footage]:
        truths = sorted(folder.glob("groundtruth_rect*.txt"))
        empty = [file for file in truths if not file.stat().st_size]
        for file in empty if len(empty) < len(truths) else ():  # as one of Human4's is, as it is distributed
            findings.note(file, "is empty: passed over")
            truths.remove(file)
        pictures = picture_files(folder / "img")
        for truth in truths:
            target = truth.stem.removeprefix("groundtruth_rect")  # ".1", or nothing
            boxes = read_boxes(truth, findings) - 1
            first, last = SCORED.get(folder.name, (1, len(pictures)))
            scored = pictures[first - 1 : last]
            own = scored if len(boxes) == len(scored) else pictures
            tracks = single_track(boxes, len(own), truth, findings)
            yield Footage(folder.name + target, FrameFiles(own, self.options.channels), tracks, truth)
