"""COCO: ``images/000000.png`` and one ``annotations.json``; masks as compressed run lengths, which lose nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.contracts import Progress
from cvbench.samples import BoolArray
from cvbench.scenes import BoxedImages, InstanceImages
from cvbench.writers.pictures import numbered


def write_coco(data: BoxedImages, folder: Path, progress: Progress) -> None:
    """Into an existing folder; ids count from 1. The JSON is written once, when all pictures are there."""
    spec, images, annotations = data.spec, list[dict[str, Any]](), list[dict[str, Any]]()
    for place, name in numbered(data, folder / "images", progress):
        images.append({"id": place + 1, "file_name": f"{name}.png", "height": spec.height, "width": spec.width})
        own = data.objects(place)
        for number in range(own.start, own.stop):
            x1, y1, x2, y2 = map(float, data.boxes[number])
            mask = data.cut_mask(number) if isinstance(data, InstanceImages) else None
            annotations.append(
                {
                    "id": number + 1,
                    "image_id": place + 1,
                    "category_id": int(data.labels[number]) + 1,
                    "bbox": [x1, y1, x2 - x1, y2 - y1],
                    "area": (x2 - x1) * (y2 - y1) if mask is None else int(np.count_nonzero(mask)),
                    "iscrowd": int(data.crowd[number]),
                }
                | (
                    {}
                    if mask is None
                    else {"segmentation": _run_lengths(mask, (int(x1), int(y1)), (spec.height, spec.width))}
                )
            )
    categories = [{"id": label + 1, "name": name} for label, name in enumerate(spec.classes)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")


def _run_lengths(mask: BoolArray, corner: tuple[int, int], size: tuple[int, int]) -> dict[str, Any]:
    """A mask (h, w), its upper left pixel at ``corner`` (x, y) of a picture of this size (H, W).

    Counted from the part alone: most of a picture's pixels belong to no one object.
    """
    from faster_coco_eval.core import mask as coco_mask

    columns, rows = np.nonzero(mask.T)
    pixels = (columns + corner[0]) * size[0] + rows + corner[1]  # run lengths go down the columns
    begins = np.flatnonzero(np.diff(pixels, prepend=-2) != 1)
    ends = np.flatnonzero(np.diff(pixels, append=-2) != 1)
    edges = np.stack([pixels[begins], pixels[ends] + 1], axis=1).ravel()
    runs = np.diff(np.concatenate([[0], edges, [size[0] * size[1]]])).tolist()
    counts = coco_mask.frPyObjects({"size": list(size), "counts": runs}, *size)["counts"]
    return {"size": list(size), "counts": counts.decode() if isinstance(counts, bytes) else counts}
