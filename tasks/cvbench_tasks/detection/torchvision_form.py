"""Targets and detections as torchvision's heads take and give them: classes count from 1, 0 is the background."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.detection.network import Target


def to_torchvision(targets: list[Target]) -> list[Target]:
    """The same targets, their labels int64 (k,) from 1."""
    return [target | {"labels": target["labels"] + 1} for target in targets]


def from_torchvision(found: list[dict[str, Tensor]]) -> list[Detections]:
    """What was found in each picture; with masks where float ``masks`` (k, 1, H, W) in [0, 1] are there.

    RetinaNet and FCOS have an output for the background too and may find it: that is nothing.
    """
    things = [{name: part[one["labels"] > 0] for name, part in one.items()} for one in found]
    return [
        Detections(
            one["boxes"].float().cpu().numpy(),
            one["scores"].float().cpu().numpy(),
            one["labels"].cpu().numpy() - np.int64(1),
            (one["masks"][:, 0] > 0.5).cpu().numpy() if "masks" in one else None,
        )
        for one in things
    ]
