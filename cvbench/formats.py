"""The standard formats that made pictures and trackers' answers are written in, and which hold what annotation."""

from __future__ import annotations

from enum import StrEnum

from cvbench.errors import UserError


class Format(StrEnum):
    """What a set is written as: a folder per class, COCO JSON, Pascal VOC, YOLO, or pictures and mask files.

    Clips: MOTChallenge, OTB (one object each), or COCO with videos.
    """

    folder = "folder"
    coco = "coco"
    voc = "voc"
    yolo = "yolo"
    masks = "masks"
    mot = "mot"
    otb = "otb"
    coco_video = "coco-video"


class TrackFormat(StrEnum):
    """What a tracker's answers are written as: the results that a benchmark scores; all but ``mot`` of one object."""

    mot = "mot"
    otb = "otb"
    got10k = "got10k"
    vot = "vot"


HOLDING: dict[str, tuple[Format, ...]] = {  # by kind of annotation; the usual one first
    "label": (Format.folder,),
    "mask": (Format.masks, Format.voc),
    "boxes": (Format.coco, Format.voc, Format.yolo),
    "instances": (Format.coco, Format.voc, Format.yolo, Format.masks),
    "tracks": (Format.mot, Format.otb, Format.coco_video),
}


def format_for(kind: str, asked: Format | None) -> Format:
    """The format asked for, or the usual one for this kind. Raises :class:`UserError` for one that cannot hold it."""
    possible = HOLDING[kind]
    if asked is None:
        return possible[0]
    if asked not in possible:
        what = f"{asked.value} does not hold {'clips' if kind == 'tracks' else 'pictures'} with {kind}"
        raise UserError(what, where="--format", hint=f"use {' or '.join(possible)}")
    return asked
