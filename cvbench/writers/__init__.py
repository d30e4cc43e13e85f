"""Writes made pictures in standard formats, for people and other tools: all there, or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cvbench.clips import Clips
from cvbench.contracts import Progress
from cvbench.drawing import sheet_of
from cvbench.durable import appearing
from cvbench.errors import UserError
from cvbench.formats import Format, format_for
from cvbench.samples import Pictures
from cvbench.writers.clips import write_coco_video, write_mot, write_otb
from cvbench.writers.coco import write_coco
from cvbench.writers.image_folder import write_image_folder
from cvbench.writers.mask_pairs import write_mask_pairs
from cvbench.writers.voc import write_voc
from cvbench.writers.yolo import write_yolo

Write = Callable[[Any, Path, Progress], None]
_WRITERS: dict[Format, Write] = {
    Format.folder: write_image_folder,
    Format.coco: write_coco,
    Format.voc: write_voc,
    Format.yolo: write_yolo,
    Format.masks: write_mask_pairs,
    Format.mot: write_mot,
    Format.otb: write_otb,
    Format.coco_video: write_coco_video,
}


def write_set(
    data: Pictures | Clips,
    folder: Path,
    *,
    format: Format | None = None,
    about: Mapping[str, Any],
    real: Pictures | Clips | None = None,
    progress: Progress,
) -> None:
    """The pictures or clips with their annotation, a ``contact-sheet.png`` (``real`` ones above) and ``about.json``.

    Clips without a frame rate have the one of the ``real`` clips that they are made after.
    Raises :class:`UserError` as :func:`refuse_folder` and :func:`format_for` do, or for what the format cannot hold.
    """
    if isinstance(data, Clips) and isinstance(real, Clips) and (fps := real.clips[0].fps):
        data = data.with_fps(fps)
    write = _WRITERS[format_for(data.spec.kind, format)]
    refuse_folder(folder)
    with appearing(folder) as torn:
        write(data, torn, progress)
        sheet_of(data, above=real).save(torn / "contact-sheet.png")
        (torn / "about.json").write_text(json.dumps(dict(about), indent=1) + "\n")


def refuse_folder(folder: Path) -> None:
    """Raise :class:`UserError` when pictures cannot be written there; worth asking before they are made."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError("already exists and is not empty", where=str(folder), hint="choose another --out")
    if folder.resolve() == Path.cwd():
        raise UserError("is the folder that you are in", where=str(folder), hint="name a new one for --out")
    ground = next(parent for parent in folder.resolve().parents if parent.exists())
    if not (ground.is_dir() and os.access(ground, os.W_OK)):
        raise UserError(f"no folder can be made in {ground}", where=str(folder), hint="choose another --out")
