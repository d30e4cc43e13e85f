"""Mask pairs: ``images/000000.png``, ``masks/000000.png`` with a class per pixel, ``classes.txt``."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from cvbench.colours import colour
from cvbench.contracts import Progress
from cvbench.samples import UInt8Array
from cvbench.scenes import IGNORED, InstanceImages, SegmentedImages, painted
from cvbench.writers.pictures import numbered


def write_mask_pairs(data: SegmentedImages | InstanceImages, folder: Path, progress: Progress) -> None:
    """Into an existing folder; instances painted. 255 is ignored; the masks' palette is for people alone."""
    data = painted(data) if isinstance(data, InstanceImages) else data
    (folder / "masks").mkdir()
    for place, name in numbered(data, folder / "images", progress):
        palette_image(data.masks[place]).save(folder / "masks" / f"{name}.png")
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in data.spec.classes), encoding="utf-8")


def palette_image(values: UInt8Array) -> Image.Image:
    """uint8 (H, W) as a palette picture whose entries are the values."""
    image = Image.frombytes("P", (values.shape[1], values.shape[0]), values.tobytes())
    image.putpalette([level for number in range(IGNORED) for level in colour(number)] + [224, 224, 192])
    return image
