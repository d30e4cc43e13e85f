"""GOT-10k: ``train/<sequence>/00000001.jpg``, ``groundtruth.txt``, ``absence.label``, ``cover.label``; ``val`` too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cvbench.clips import FrameFiles
from cvbench.readers.box_rows import read_boxes, read_flags, single_track
from cvbench.readers.findings import Findings
from cvbench.readers.frame_files import picture_files
from cvbench.readers.videos import Footage, VideoReader

COVERED = 8.0  # cover.label counts the visible share in eighths


class Got10k(VideoReader):
    """GOT-10k (Huang, Zhao and Huang, TPAMI 2021). Its test split shows no ground truth: val is tested on."""

    summary = "GOT-10k: train and val folders of sequences with groundtruth.txt and absence.label, one object each"
    licence = "the data's own"

    @classmethod
    def is_sequence(cls, folder: Path) -> bool:
        return (folder / "groundtruth.txt").is_file() and (
            folder.name.startswith("GOT-10k_") or (folder / "absence.label").is_file()
        )

    def footage(self, folder: Path, findings: Findings) -> Iterator[Footage]:
        pictures, truth = picture_files(folder), folder / "groundtruth.txt"
        boxes = read_boxes(truth, findings)
        if len(boxes) == 1 < len(pictures):
            findings.note(folder, "the ground truth is withheld: passed over")
            return
        visibility = None
        if (folder / "absence.label").is_file() and len(boxes) == len(pictures):
            boxes[read_flags(folder / "absence.label", len(pictures)) > 0] = np.nan
        if (folder / "cover.label").is_file() and len(boxes) == len(pictures):
            visibility = np.clip(read_flags(folder / "cover.label", len(pictures)) / COVERED, 0, 1)
        tracks = single_track(boxes, len(pictures), truth, findings, visibility)
        yield Footage(folder.name, FrameFiles(pictures, self.options.channels), tracks, truth)
