"""ultralytics' YOLOs, driven as a library: their network, loss and suppression; the training loop is ours.

So steps, seeds, checkpoints and the judge are those of every other model, and ultralytics' trainer with its own
ideas of all of these is never started. This file alone imports ultralytics, which is AGPL-3.0 and an extra.
"""

from __future__ import annotations

import math
import os
import tempfile
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.errors import NotInstalled, UserError
from cvbench.plugins import install_line
from cvbench.samples import DatasetSpec
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.detection.models import YoloOptions
from cvbench_tasks.detection.network import Network, Target

GREY = 114 / 255  # what ultralytics pads pictures with
LEAST_SCORE, MOST_OVERLAP = 0.001, 0.7  # as in ultralytics' own validation
MOST_CANDIDATES = 1000  # the surest: an untrained network has thousands, and suppression takes their square
EPOCHS = 100  # into which a training is divided where a loss changes by epoch
MOST = 100  # detections per picture
LEAST_FIT = 0.5  # of a network's tensors must be in a file of its weights
MASK_STRIDE = 4  # pixels per side of a mask's cell


class Yolo(Network):
    """Any of ultralytics' detection or segmentation networks."""

    net: Any  # torch says that any attribute may be a tensor

    def __init__(self, net: nn.Module, spec: DatasetSpec, *, enlarge: int, masks: bool) -> None:
        super().__init__()
        self.net, self.masks, self.classes, self.enlarge = net, masks, len(spec.classes), enlarge
        self.size = (spec.height, spec.width)
        self.stride = max(32, int(torch.as_tensor(net.stride).max()))

    def forward(self, pictures: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        padded = self._padded(pictures)
        found = self.net(padded)
        with torch.autocast(pictures.device.type, enabled=False):
            losses, _ = self.net.loss(self._batch(padded, targets), _as_float(found))
        return {"loss": losses.sum()}

    def at(self, done: float) -> None:
        """Two-headed networks go from many candidates per object to one."""
        criterion = self._criterion()
        if hasattr(criterion, "decay"):
            criterion.o2m = criterion.decay(int(done * EPOCHS))
            criterion.o2o = max(criterion.total - criterion.o2m, 0)

    def detect(self, pictures: Tensor) -> list[Detections]:
        from ultralytics.utils.nms import non_max_suppression

        output = self.net(self._padded(pictures))[0]
        candidates, prototypes = output if self.masks else (output, [None] * len(pictures))
        # without a limit on its time: on a busy machine it would give up, and other boxes would be left
        found = non_max_suppression(
            candidates,
            LEAST_SCORE,
            MOST_OVERLAP,
            multi_label=True,
            max_det=MOST,
            nc=self.classes,
            max_nms=MOST_CANDIDATES,
            max_time_img=math.inf,
        )
        return [self._detections(one, own) for one, own in zip(found, prototypes, strict=True)]

    def _detections(self, found: Tensor, prototypes: Tensor | None) -> Detections:
        """From rows x1, y1, x2, y2, score, class, mask coefficients."""
        from ultralytics.utils.ops import process_mask

        height, width = (side * self.enlarge for side in self.size)
        boxes = found[:, :4].clamp(min=0).minimum(found.new_tensor([width, height, width, height]))
        masks = None
        if prototypes is not None:
            whole = (prototypes.shape[1] * MASK_STRIDE, prototypes.shape[2] * MASK_STRIDE)
            masks = process_mask(prototypes, found[:, 6:], boxes, whole, upsample=True)[:, :height, :width]
            middle = slice(self.enlarge // 2, None, self.enlarge)
            masks = masks[:, middle, middle]
        boxes = boxes / self.enlarge
        return Detections(
            boxes.float().cpu().numpy(),
            found[:, 4].float().cpu().numpy(),
            found[:, 5].cpu().numpy().astype(np.int64),
            masks.bool().cpu().numpy() if masks is not None else None,
        )

    def _padded(self, pictures: Tensor) -> Tensor:
        """Enlarged, and padded down and to the right, where no coordinate changes, to whole cells of the coarsest."""
        if self.enlarge > 1:
            pictures = nn.functional.interpolate(pictures, scale_factor=self.enlarge, mode="bilinear")
        height, width = pictures.shape[-2:]
        return nn.functional.pad(pictures, (0, -width % self.stride, 0, -height % self.stride), value=GREY)

    def _batch(self, padded: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """The targets as ultralytics' loss reads them: boxes as shares of the padded side."""
        height, width = padded.shape[-2:]
        corners = torch.cat([target["boxes"] for target in targets])
        centres, sides = (corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]
        whole = corners.new_tensor([width, height, width, height]) / self.enlarge
        batch = {
            "img": padded,
            "batch_idx": torch.cat([torch.full_like(t["labels"], i) for i, t in enumerate(targets)]).float(),
            "cls": torch.cat([target["labels"] for target in targets]).float()[:, None],
            "bboxes": torch.cat([centres, sides], 1) / whole,
        }
        if self.masks:
            cells = [self._cells(target["masks"], height, width) for target in targets]
            batch["masks"] = torch.cat(cells)
            pairs = zip(cells, targets, strict=True)
            batch["sem_masks"] = torch.stack([_classes(own, target["labels"]) for own, target in pairs])
        return batch

    def _cells(self, masks: Tensor, height: int, width: int) -> Tensor:
        """float (k, H/4, W/4) in [0, 1]: how much of a cell the object covers.

        Half or nothing would make a mask as coarse as the cells, where a network's own, upsampled, is finer.
        """
        large = nn.functional.interpolate(masks[:, None].float(), scale_factor=self.enlarge)[:, 0]
        padded = nn.functional.pad(large, (0, width - large.shape[-1], 0, height - large.shape[-2]))
        return nn.functional.avg_pool2d(padded[:, None], MASK_STRIDE)[:, 0]

    def _criterion(self) -> Any:
        if getattr(self.net, "criterion", None) is None:
            self.net.criterion = self.net.init_criterion()
        return self.net.criterion


def build(name: str, spec: DatasetSpec, options: YoloOptions, *, masks: bool) -> Yolo:
    """The network of ultralytics' configuration ``name``.yaml.

    Raises :class:`NotInstalled` without ultralytics, :class:`UserError` for weights that cannot be read.
    """
    tasks = _imported()
    family = tasks.SegmentationModel if masks else tasks.DetectionModel
    net = family(f"{name}.yaml", ch=spec.channels, nc=len(spec.classes), verbose=False)
    gains = tasks.DEFAULT_CFG_DICT | {"overlap_mask": False, "epochs": EPOCHS}
    net.args = tasks.IterableSimpleNamespace(**gains)
    net.end2end = False  # of two heads, what the one with many candidates per object finds, suppressed
    if options.weights != "none":
        _take(net, name, options.weights)
    return Yolo(net, spec, enlarge=options.enlarge, masks=masks)


@cache
def _imported() -> Any:
    """ultralytics' module of networks, kept from the net, the user's settings, and torch's own functions."""
    scratch = tempfile.TemporaryDirectory(prefix="cvbench-yolo-")
    _SCRATCH.append(scratch)
    os.environ |= {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_VERBOSE": "false",
        "YOLO_CONFIG_DIR": scratch.name,
    }
    threads, save = os.environ.get("OMP_NUM_THREADS"), torch.save
    try:
        from ultralytics.nn import tasks
    except ImportError as error:
        reason = "is not installed" if error.name == "ultralytics" else f"cannot be imported ({error})"
        raise NotInstalled(f"ultralytics {reason}: {install_line('yolo')} (AGPL-3.0, see the README)") from None
    finally:
        torch.save = save  # ultralytics puts a wrapper of its own in its place
        if threads is None:
            os.environ.pop("OMP_NUM_THREADS", None)
    return tasks


_SCRATCH: list[tempfile.TemporaryDirectory[str]] = []  # kept until the process ends


def _take(net: Any, name: str, file: str) -> None:
    """Take over what fits; the classes' own layers need not. Raises :class:`UserError` for another network's."""
    trained = _weights(file)
    net.load(trained, verbose=False)
    own, theirs = net.state_dict(), trained.state_dict()
    fits = sum(key in theirs and theirs[key].shape == tensor.shape for key, tensor in own.items())
    if fits < LEAST_FIT * len(own):
        what = f"option 'weights': {fits} of {name}'s {len(own)} tensors are in {file}"
        raise UserError(what, hint="these are another network's; name that one as the model")


def _weights(file: str) -> Any:
    """The trained network in a ``.pt`` file, of known classes only: nothing else in it is unpickled."""
    try:
        checkpoint, _ = _imported().torch_safe_load(file, safe_only=True)
        return (checkpoint.get("ema") or checkpoint["model"]).float()
    except Exception as error:  # a broken file raises whatever its bytes provoke
        reason = " ".join(str(error).split())[:150]
        raise UserError(f"option 'weights': {file} cannot be read: {reason}", hint="give an ultralytics .pt") from None


def _as_float(found: Any) -> Any:
    """The same nest of tensors in fp32: losses are computed in it whatever the network ran in."""
    if isinstance(found, Tensor):
        return found.float()
    if isinstance(found, dict):
        return {name: _as_float(part) for name, part in found.items()}
    return type(found)(_as_float(part) for part in found)


def _classes(cells: Tensor, labels: Tensor) -> Tensor:
    """int64 (H/4, W/4): in every cell the class that covers most of it, 0 where there is none too."""
    return (
        labels[cells.argmax(0)] if len(cells) else torch.zeros(cells.shape[1:], dtype=torch.long, device=cells.device)
    )
