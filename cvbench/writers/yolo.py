"""YOLO: ``images/000000.png``, ``labels/000000.txt`` with a line per object, ``data.yaml``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from cvbench.contracts import Progress
from cvbench.scenes import BoxedImages, InstanceImages
from cvbench.writers.outlines import outline
from cvbench.writers.pictures import numbered

VAL = "# ultralytics needs a val: it names the same pictures here, put real ones in its place"


def write_yolo(data: BoxedImages, folder: Path, progress: Progress) -> None:
    """Into an existing folder: instances as outlines, others as boxes. YOLO knows no crowds: they are left out."""
    (folder / "labels").mkdir()
    for place, name in numbered(data, folder / "images", progress):
        own = data.objects(place)
        lines = [_line(data, number) for number in range(own.start, own.stop) if not data.crowd[number]]
        (folder / "labels" / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines))
    content = {"train": "images", "val": "images", "nc": len(data.spec.classes), "names": list(data.spec.classes)}
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (folder / "data.yaml").write_text(f"{VAL}\n{text}", encoding="utf-8")


def _line(data: BoxedImages, number: int) -> str:
    width, height = data.spec.width, data.spec.height
    x1, y1, x2, y2 = map(float, data.boxes[number])
    if isinstance(data, InstanceImages):
        points = outline(data.cut_mask(number)) + np.array([x1, y1])
        shares = (points / (width, height)).ravel().tolist()
    else:
        shares = [(x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height]
    return " ".join([str(int(data.labels[number])), *(f"{share!r}" for share in shares)])
