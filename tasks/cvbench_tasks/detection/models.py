"""The detectors' names, licences and options: all that can be said without importing torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from cvbench.contracts import ModelInfo
from cvbench.errors import UserError


@dataclass(frozen=True)
class DetectorOptions:
    """How every detector trains. ``flips``: pictures are mirrored sideways, or sideways and upside down."""

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    weight_decay: Annotated[float, Ge(0)] = 5e-4
    warmup: Annotated[int, Ge(0)] = 50
    clip_norm: Annotated[float, Gt(0)] = 10.0
    ema: Annotated[float, Ge(0), Lt(1)] = 0.98
    flips: Literal["none", "horizontal", "both"] = "none"

    @property
    def files(self) -> tuple[Path, ...]:
        """What the options name and a training reads."""
        return ()


ResNet = Literal["resnet10", "resnet18", "resnet34", "resnet50", "resnet101"]


@dataclass(frozen=True)
class PyramidOptions(DetectorOptions):
    """``backbone``: a ResNet with a feature pyramid of ``width`` channels; ``smallest``: the smallest anchor's side."""

    backbone: ResNet = "resnet10"
    width: Annotated[int, Gt(0)] = 64
    smallest: Annotated[int, Gt(0)] = 12


@dataclass(frozen=True)
class ProposalOptions(DetectorOptions):
    """``proposals``: ``selective_search`` needs OpenCV's contrib build. ``width``: channels of the first layer."""

    proposals: Literal["regions", "selective_search"] = "regions"
    width: Annotated[int, Gt(0)] = 32


@dataclass(frozen=True)
class FastRcnnOptions(ProposalOptions):
    """``enlarge``: the network sees the pictures so many times as large, as the paper does (section 2.4's ``s``)."""

    enlarge: Annotated[int, Gt(0)] = 1


@dataclass(frozen=True)
class TorchvisionOptions(DetectorOptions):
    """``weights``: ``none``, or the name of torchvision's weights such as ``COCO_V1`` (downloaded)."""

    weights: str = "none"
    learning_rate: Annotated[float, Gt(0)] = 2e-4


@dataclass(frozen=True)
class YoloOptions(DetectorOptions):
    """``weights``: ``none``, or an ultralytics ``.pt`` file that is there; nothing is ever downloaded.

    ``enlarge``: the network sees the pictures so many times as large; its finest cell is 8 pixels wide.
    """

    weights: str = "none"
    enlarge: Annotated[int, Gt(0)] = 1
    learning_rate: Annotated[float, Gt(0)] = 2e-3

    def __post_init__(self) -> None:
        if self.weights != "none" and not Path(self.weights).is_file():
            raise UserError(f"option 'weights': there is no file {self.weights!r}", hint="give a .pt file, or none")

    @property
    def files(self) -> tuple[Path, ...]:
        return () if self.weights == "none" else (Path(self.weights),)


# Of torchvision.models.detection, so that listing them imports nothing; a test holds the two equal.
TORCHVISION = (
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fcos_resnet50_fpn",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "ssd300_vgg16",
    "ssdlite320_mobilenet_v3_large",
)

# ultralytics' configurations: family → sizes. Others (yolov8n-p2, …) are found by name where it is installed.
YOLO = {
    "yolov3": ("", "-tiny", "-spp"),
    "yolov5": tuple("nsmlx"),
    "yolov6": tuple("nsmlx"),
    "yolov8": tuple("nsmlx"),
    "yolov9": tuple("tsmce"),
    "yolov10": tuple("nsmblx"),
    "yolo11": tuple("nsmlx"),
    "yolo12": tuple("nsmlx"),
    "yolo26": tuple("nsmlx"),
}
YOLO_SEG = {"yolov8": "nsmlx", "yolov9": "ce", "yolo11": "nsmlx", "yolo12": "nsmlx", "yolo26": "nsmlx"}
OTHER_TASKS = ("-cls", "-pose", "-obb", "-sem", "-depth", "-world", "-worldv2", "-rtdetr")


def known_models() -> Sequence[ModelInfo]:
    """``fasterrcnn`` and its ancestors, then torchvision's detectors and ultralytics' YOLOs by their own names."""
    ours = (
        ModelInfo("fasterrcnn", "Faster R-CNN on a small ResNet with a feature pyramid", "Apache-2.0"),
        ModelInfo("fast_rcnn", "Fast R-CNN: outside proposals, pooled features, two heads", "Apache-2.0"),
        ModelInfo("rcnn", "R-CNN: outside proposals, a CNN's features, linear SVMs, box regression", "Apache-2.0", 3),
    )
    theirs = (ModelInfo(name, "torchvision's detector of that name", "BSD-3-Clause") for name in TORCHVISION)
    return (*ours, *theirs, *yolo_models(masks=False))


def yolo_models(*, masks: bool) -> Sequence[ModelInfo]:
    """ultralytics' detectors, or those of them that find masks."""
    if masks:
        names = [f"{family}{size}-seg" for family, sizes in YOLO_SEG.items() for size in sizes]
    else:
        names = [f"{family}{size}" for family, sizes in YOLO.items() for size in sizes]
    version = 2 if masks else 1
    return [ModelInfo(name, "ultralytics' network of that name", "AGPL-3.0", version) for name in names]


def in_ultralytics(name: str, *, masks: bool) -> bool:
    """Whether the name is a YOLO that we list, or that the installed ultralytics has a configuration file for."""
    if name in {info.name for info in yolo_models(masks=masks)}:
        return True
    parts = re.fullmatch(r"(yolo(?:v\d+|\d\d))(\w?)(-.+)", name)  # yolov8n-p2 is yolov8-p2.yaml at size n
    if not parts or parts[2] not in YOLO.get(parts[1], ()):
        return False
    if ("-seg" in name) != masks or any(other in name for other in OTHER_TASKS):
        return False
    found = find_spec("ultralytics")
    folders = (found.submodule_search_locations or []) if found else []
    file = f"{parts[1]}{parts[3]}.yaml"
    return any(path.name == file for folder in folders for path in Path(folder).glob("cfg/models/*/*.yaml"))
