"""An image folder: ``<class>/000001.png``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cvbench.contracts import Progress
from cvbench.errors import UserError
from cvbench.samples import DatasetSpec, LabelledImages
from cvbench.writers.pictures import write_png


def refuse_class_names(spec: DatasetSpec) -> None:
    """Raise :class:`UserError` when a class name cannot be a folder's; worth asking before pictures are made."""
    for name in spec.classes:
        if not name or name in (".", "..") or Path(name).name != name:
            raise UserError(f"class {name!r} cannot be a folder's name", where=spec.name)


def write_image_folder(data: LabelledImages, folder: Path, progress: Progress) -> None:
    """Into an existing folder. Raises :class:`UserError` when a class name cannot be a folder's."""
    refuse_class_names(data.spec)
    for name in data.spec.classes:
        (folder / name).mkdir(parents=True)
    for number, (picture, label) in enumerate(zip(data.images, data.labels, strict=True)):
        write_png(np.asarray(picture), folder / data.spec.classes[label] / f"{number:06d}.png")
        progress(number + 1, len(data), "writing")
