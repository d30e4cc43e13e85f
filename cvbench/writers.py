"""Writes labelled pictures for people and other tools: an image folder, and a contact sheet to look at."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cvbench.contracts import Progress
from cvbench.durable import telling_a_full_disk
from cvbench.errors import UserError
from cvbench.samples import LabelledImages

SHEET_COLUMNS = 10
SHEET_MARGIN = 2  # pixels between pictures
SHEET_LEAST_SIDE = 56  # pixels: smaller pictures are enlarged by a whole factor, so that they can be seen


def write_image_folder(data: LabelledImages, folder: Path, *, about: Mapping[str, Any], progress: Progress) -> None:
    """``folder/<class>/000001.png``, a ``contact-sheet.png`` and ``about.json``: all there, or nothing.

    Raises :class:`UserError` as :func:`refuse_folder` does, or when a class name cannot be a folder's.
    """
    refuse_folder(folder)
    for name in data.spec.classes:
        if not name or name in (".", "..") or Path(name).name != name:
            raise UserError(f"class {name!r} cannot be a folder's name", where=data.spec.name)
    torn = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        with telling_a_full_disk(folder.parent):
            _write(data, torn, about, progress)
        if folder.exists():
            folder.rmdir()
        torn.replace(folder)
    finally:
        shutil.rmtree(torn, ignore_errors=True)


def refuse_folder(folder: Path) -> None:
    """Raise :class:`UserError` when pictures cannot be written there; worth asking before they are made."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError("already exists and is not empty", where=str(folder), hint="choose another --out")
    if folder.resolve() == Path.cwd():
        raise UserError("is the folder that you are in", where=str(folder), hint="name a new one for --out")
    ground = next(parent for parent in folder.resolve().parents if parent.exists())
    if not (ground.is_dir() and os.access(ground, os.W_OK)):
        raise UserError(f"no folder can be made in {ground}", where=str(folder), hint="choose another --out")


def _write(data: LabelledImages, torn: Path, about: Mapping[str, Any], progress: Progress) -> None:
    for name in data.spec.classes:
        (torn / name).mkdir(parents=True)
    for number, (picture, label) in enumerate(zip(data.images, data.labels, strict=True)):
        _image(picture).save(torn / data.spec.classes[label] / f"{number:06d}.png")
        progress(number + 1, len(data), "writing")
    contact_sheet(data).save(torn / "contact-sheet.png")
    (torn / "about.json").write_text(json.dumps(dict(about), indent=1) + "\n")


def contact_sheet(data: LabelledImages, columns: int = SHEET_COLUMNS) -> Image.Image:
    """One row per class in the classes' order, the first ``columns`` pictures of each; gaps stay white."""
    spec = data.spec
    scale = max(1, -(-SHEET_LEAST_SIDE // max(spec.height, spec.width)))
    high, wide = spec.height * scale + SHEET_MARGIN, spec.width * scale + SHEET_MARGIN
    sheet = np.full((len(spec.classes) * high, columns * wide, spec.channels), 255, np.uint8)
    for row in range(len(spec.classes)):
        for column, place in enumerate(np.flatnonzero(data.labels == row)[:columns]):
            enlarged = data.images[place].repeat(scale, axis=0).repeat(scale, axis=1)
            top, left = row * high, column * wide
            sheet[top : top + enlarged.shape[0], left : left + enlarged.shape[1]] = enlarged
    return _image(sheet)


def _image(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else np.ascontiguousarray(pixels))
