"""Clips in the formats of tracking: MOTChallenge, OTB and COCO with videos. Frames are PNG, written one at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.clips import Clip, Clips
from cvbench.contracts import Progress
from cvbench.errors import UserError
from cvbench.writers.pictures import write_png

RATE = 25  # frames per second: MOTChallenge asks for one, not every clip has one


def write_mot(data: Clips, folder: Path, progress: Progress) -> None:
    """``<clip>/img1/000001.png``, ``gt/gt.txt`` (MOT16's columns), ``gt/labels.txt`` (CVAT's) and ``seqinfo.ini``.

    Ignored rows have the flag 0. Frames, pixels and classes count from 1.
    """
    for clip, place, done in _places(data, folder):
        height, width = _write_frames(clip, place / "img1", 6, done, data, progress)
        tracks, lines = clip.tracks, []
        for row in range(len(tracks)):
            x1, y1, x2, y2 = map(float, tracks.boxes[row])
            counts = int(not tracks.ignored[row])
            lines.append(
                f"{tracks.frames[row] + 1},{tracks.ids[row]},{_number(x1 + 1)},{_number(y1 + 1)},{_number(x2 - x1)},"
                f"{_number(y2 - y1)},{counts},{tracks.labels[row] + 1},{_number(float(tracks.visibility[row]))}\n"
            )
        (place / "gt").mkdir()
        (place / "gt" / "gt.txt").write_text("".join(lines))
        (place / "gt" / "labels.txt").write_text("".join(f"{name}\n" for name in data.spec.classes), encoding="utf-8")
        facts = f"imDir=img1\nframeRate={clip.fps or RATE:g}\nseqLength={len(clip)}\n"
        facts += f"imWidth={width}\nimHeight={height}\nimExt=.png\n"
        (place / "seqinfo.ini").write_text(f"[Sequence]\nname={clip.name}\n{facts}", encoding="utf-8")


def write_otb(data: Clips, folder: Path, progress: Progress) -> None:
    """``<clip>/img/0001.png`` and ``groundtruth_rect.txt``, NaN where the object is absent; pixels count from 1.

    Raises :class:`UserError` for a clip with more than one object.
    """
    for clip in data.clips:
        if (ids := len(np.unique(clip.tracks.ids))) > 1:
            raise UserError(f"{clip.name} has {ids} objects, OTB holds one", where="--format otb", hint="use mot")
    for clip, place, done in _places(data, folder):
        _write_frames(clip, place / "img", 4, done, data, progress)
        lines = ["NaN,NaN,NaN,NaN\n"] * len(clip)
        for frame, (x1, y1, x2, y2) in zip(clip.tracks.frames, clip.tracks.boxes.astype(float), strict=True):
            lines[frame] = ",".join(map(_number, (x1 + 1, y1 + 1, x2 - x1, y2 - y1))) + "\n"
        (place / "groundtruth_rect.txt").write_text("".join(lines))


def write_coco_video(data: Clips, folder: Path, progress: Progress) -> None:
    """``<clip>/000000.png`` and one ``annotations.json``: COCO with ``videos``, ``video_id``, ``frame_id`` and
    ``instance_id``, as MMTracking's CocoVID; ids count from 1, frames from 0."""
    videos, images, annotations = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
    for number, (clip, place, done) in enumerate(_places(data, folder), start=1):
        height, width = _write_frames(clip, place, 6, done, data, progress, first=0)
        size = {"height": height, "width": width}
        videos.append({"id": number, "name": clip.name, **size})
        before = len(images)
        for frame in range(len(clip)):
            file = {"file_name": f"{clip.name}/{frame:06d}.png", "video_id": number, "frame_id": frame}
            images.append({"id": before + frame + 1, **file, **size})
        for row in range(len(clip.tracks)):
            x1, y1, x2, y2 = map(float, clip.tracks.boxes[row])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": before + int(clip.tracks.frames[row]) + 1,
                    "video_id": number,
                    "instance_id": int(clip.tracks.ids[row]),
                    "category_id": int(clip.tracks.labels[row]) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(clip.tracks.ignored[row]),
                    "visibility": round(float(clip.tracks.visibility[row]), 4),
                }
            )
    categories = [{"id": label + 1, "name": name} for label, name in enumerate(data.spec.classes)]
    content = {"videos": videos, "images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")


def _places(data: Clips, folder: Path) -> Iterator[tuple[Clip, Path, int]]:
    """Each clip, a new folder of its name (a copy's with a number), and how many frames the clips before it have."""
    done, seen = 0, Counter[str]()
    for clip in data.clips:
        seen[clip.name] += 1
        place = folder / (clip.name if seen[clip.name] == 1 else f"{clip.name}-{seen[clip.name]}")
        place.mkdir()
        yield clip, place, done
        done += len(clip)


def _write_frames(
    clip: Clip, folder: Path, digits: int, done: int, data: Clips, progress: Progress, first: int = 1
) -> tuple[int, int]:
    """The frames, numbered; their height and width."""
    folder.mkdir(exist_ok=True)
    total, shape = sum(len(one) for one in data.clips), (0, 0)
    for number, frame in enumerate(clip.frames):
        write_png(np.asarray(frame), folder / f"{number + first:0{digits}d}.png")
        shape = (frame.shape[0], frame.shape[1])
        progress(done + number + 1, total, "writing")
    return shape


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
