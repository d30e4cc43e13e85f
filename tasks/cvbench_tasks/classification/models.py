"""The classifiers' names, licences and options: all that can be said without importing torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Lt

from cvbench.contracts import ModelInfo


@dataclass(frozen=True)
class ClassifierOptions:
    """How every classifier trains. ``augmentation: light`` shifts and turns pictures a little, never flips."""

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Annotated[float, Gt(0)] = 2e-3
    weight_decay: Annotated[float, Ge(0)] = 1e-2
    warmup: Annotated[int, Ge(0)] = 50
    label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0
    ema: Annotated[float, Ge(0), Lt(1)] = 0.0
    augmentation: Literal["none", "light"] = "none"


@dataclass(frozen=True)
class SimpleCnnOptions(ClassifierOptions):
    """``width``: channels of the first convolution; the second has twice as many."""

    width: Annotated[int, Gt(0)] = 32


@dataclass(frozen=True)
class TorchvisionOptions(ClassifierOptions):
    """``weights``: ``none``, or the name of torchvision's weights such as ``IMAGENET1K_V1`` (downloaded)."""

    weights: str = "none"
    learning_rate: Annotated[float, Gt(0)] = 1e-3


# torchvision.models.list_models(module=torchvision.models), so that listing them imports nothing; a test
# holds the two equal.
TORCHVISION = (
    "alexnet",
    "convnext_base",
    "convnext_large",
    "convnext_small",
    "convnext_tiny",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mnasnet0_75",
    "mnasnet1_0",
    "mnasnet1_3",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "regnet_x_16gf",
    "regnet_x_1_6gf",
    "regnet_x_32gf",
    "regnet_x_3_2gf",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_x_8gf",
    "regnet_y_128gf",
    "regnet_y_16gf",
    "regnet_y_1_6gf",
    "regnet_y_32gf",
    "regnet_y_3_2gf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "regnet_y_8gf",
    "resnet101",
    "resnet152",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "swin_b",
    "swin_s",
    "swin_t",
    "swin_v2_b",
    "swin_v2_s",
    "swin_v2_t",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "vit_b_16",
    "vit_b_32",
    "vit_h_14",
    "vit_l_16",
    "vit_l_32",
    "wide_resnet101_2",
    "wide_resnet50_2",
)


def known_models() -> Sequence[ModelInfo]:
    """``simple_cnn``, then torchvision's classifiers by their own names."""
    ours = ModelInfo("simple_cnn", "two convolutions and a linear layer, any picture size", "Apache-2.0")
    theirs = (ModelInfo(name, "torchvision's classifier of that name", "BSD-3-Clause", 2) for name in TORCHVISION)
    return (ours, *theirs)
