"""The one ruler of detection: COCO's average precision of boxes or masks, by faster-coco-eval.

What is COCO's, and not ours to change: 101 recall points, IoU 0.5 to 0.95 in steps of 0.05, at most 100 detections
of a class per picture, and objects below 32² or above 96² pixels as small or large (Lin et al., arXiv 1405.0312).
A box without a mask is as large as the box itself, where COCO's own files give its mask's area.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster, mask

from cvbench.contracts import Scores
from cvbench.errors import DataError, PluginError
from cvbench.samples import AnyArray
from cvbench.scenes import BoxedImages, InstanceImages
from cvbench_tasks.detection.detections import Detections

SIZES = ("small", "medium", "large")
IOU_50, IOU_75 = 0, 5  # places among the ten IoU thresholds


def score(found: Iterable[Any], truth: BoxedImages, *, masks: bool) -> Scores:
    """Scores of one :class:`Detections` per picture, in the truth's order; by its masks or by its boxes.

    Crowds are neither hits nor misses. A class or size without objects is NaN per class, and in no mean.
    Raises :class:`PluginError` for detections that do not fit, :class:`DataError` without any object to find.
    """
    listed = results(found, truth, masks=masks)
    if not (~truth.crowd).any():
        raise DataError("there is no object to be found in the test split", where=truth.spec.name)
    objects = COCO(ground_truth(truth, masks=masks))
    judge = COCOeval_faster(objects, objects.loadRes(listed), "segm" if masks else "bbox")
    judge.evaluate()
    judge.accumulate()
    # thresholds, recall points, classes, sizes (all first), most detections; thresholds, classes, sizes, most
    precision, recall = (_known(judge.eval[name])[..., -1] for name in ("precision", "recall"))
    classes = truth.spec.classes
    return Scores(
        values={
            "mAP50-95": _mean(precision[:, :, :, 0]),
            "mAP50": _mean(precision[IOU_50, :, :, 0]),
            "mAP75": _mean(precision[IOU_75, :, :, 0]),
            "AR100": _mean(recall[:, :, 0]),
        },
        per_class={
            "mAP50-95": {name: _mean(precision[:, :, k, 0]) for k, name in enumerate(classes)},
            "mAP50": {name: _mean(precision[IOU_50, :, k, 0]) for k, name in enumerate(classes)},
            "mAP50-95 by size": {name: _mean(precision[:, :, :, 1 + k]) for k, name in enumerate(SIZES)},
        },
    )


def ground_truth(truth: BoxedImages, *, masks: bool) -> dict[str, Any]:
    """The truth as a COCO annotation file's content; ids count from 1."""
    spec = truth.spec
    annotations: list[dict[str, Any]] = []
    for place in range(len(truth)):
        own = truth.objects(place)
        encoded = _encoded(truth.masks(place)) if masks and isinstance(truth, InstanceImages) else None
        for number in range(own.start, own.stop):
            x1, y1, x2, y2 = truth.boxes[number].tolist()
            one = {
                "id": number + 1,
                "image_id": place + 1,
                "category_id": int(truth.labels[number]) + 1,
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1),
                "iscrowd": int(truth.crowd[number]),
            }
            if encoded is not None:
                outline = encoded[number - own.start]
                one |= {"segmentation": outline, "area": float(mask.area(outline))}
            annotations.append(one)
    return {
        "images": [{"id": i + 1, "height": spec.height, "width": spec.width} for i in range(len(truth))],
        "categories": [{"id": k + 1, "name": name} for k, name in enumerate(spec.classes)],
        "annotations": annotations,
    }


def results(found: Iterable[Any], truth: BoxedImages, *, masks: bool) -> list[dict[str, Any]]:
    """The detections as a COCO result file's content: each picture's masks are coded as they come."""
    listed: list[dict[str, Any]] = []
    for place, one in enumerate(_checked(found, truth, masks=masks)):
        outlines = _encoded(one.masks) if masks and one.masks is not None else None
        for at in range(len(one.scores)):
            x1, y1, x2, y2 = one.boxes[at].tolist()
            entry: dict[str, Any] = {
                "image_id": place + 1,
                "category_id": int(one.labels[at]) + 1,
                "score": float(one.scores[at]),
            }
            entry |= {"segmentation": outlines[at]} if outlines else {"bbox": [x1, y1, x2 - x1, y2 - y1]}
            listed.append(entry)
    return listed


def _checked(found: Iterable[Any], truth: BoxedImages, *, masks: bool) -> Iterator[Detections]:
    count = 0
    for one in found:
        if not isinstance(one, Detections):
            raise PluginError(f"predictions must be Detections, one per picture, not {type(one).__name__}")
        yield one.checked(truth.spec, masks=masks)
        count += 1
    if count != len(truth):
        raise PluginError(f"{count} predictions for {len(truth)} test pictures")


def _encoded(masks: AnyArray) -> list[dict[str, Any]]:
    """Run-length codes of bool (k, H, W) masks."""
    codes: list[dict[str, Any]] = mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).astype(np.uint8)))
    return codes


def _known(values: Any) -> AnyArray:
    """NaN where COCO says -1: nothing to find."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(array < 0, np.nan, array)


def _mean(values: AnyArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
