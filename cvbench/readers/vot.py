"""VOT sequences: ``groundtruth.txt`` with boxes or polygons beside the frames, or beside a folder of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cvbench.clips import FrameFiles
from cvbench.readers.box_rows import read_boxes, single_track
from cvbench.readers.findings import Findings
from cvbench.readers.frame_files import picture_files
from cvbench.readers.got10k import Got10k
from cvbench.readers.videos import Footage, VideoReader

FRAMES = ("color", "img", ".")  # where they lie, by the year of the challenge


class Vot(VideoReader):
    """Visual Object Tracking challenge (Kristan et al., TPAMI 2016). For a polygon stands its axis-aligned box."""

    summary = "VOT: sequence/groundtruth.txt with 4 numbers or a polygon a line, frames in color/ or img/, one object"
    licence = "the data's own"
    also_known_as = ("sot_vot",)

    @classmethod
    def is_sequence(cls, folder: Path) -> bool:
        return (folder / "groundtruth.txt").is_file() and not Got10k.is_sequence(folder)

    def footage(self, folder: Path, findings: Findings) -> Iterator[Footage]:
        truth = folder / "groundtruth.txt"
        pictures = picture_files(next(folder / name for name in FRAMES if (folder / name).is_dir()))
        attributes = sorted({file.stem for ending in ("tag", "label") for file in folder.glob(f"*.{ending}")})
        if attributes:
            findings.note(folder, f"frame attributes are not used: {', '.join(attributes)}")
        tracks = single_track(read_boxes(truth, findings), len(pictures), truth, findings)
        yield Footage(folder.name, FrameFiles(pictures, self.options.channels), tracks, truth)
