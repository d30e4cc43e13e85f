"""Writes labelled pictures for people and other tools: an image folder with a contact sheet."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvbench.contracts import Progress
from cvbench.durable import telling_a_full_disk
from cvbench.errors import UserError
from cvbench.samples import LabelledImages
from cvbench.sheets import as_image, contact_sheet


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
        as_image(picture).save(torn / data.spec.classes[label] / f"{number:06d}.png")
        progress(number + 1, len(data), "writing")
    contact_sheet(data).save(torn / "contact-sheet.png")
    (torn / "about.json").write_text(json.dumps(dict(about), indent=1) + "\n")
