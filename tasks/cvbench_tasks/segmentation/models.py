"""The segmenters' names, licences and options: all that can be said without importing torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from cvbench.contracts import ModelInfo
from cvbench.errors import UserError, near_names
from cvbench_tasks.pretrained import check_weights

LossName = Literal["cross_entropy", "dice", "focal"]


@dataclass(frozen=True)
class SegmenterOptions:
    """How every segmenter trains. ``loss``: one or several, summed.

    ``augmentation``: ``light`` shifts and turns a little, ``flip`` also mirrors left and right. ``crop``: the side in
    pixels of random square parts to train on; 0 for whole pictures.
    """

    optimizer: Literal["adamw", "sgd"] = "adamw"
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    weight_decay: Annotated[float, Ge(0)] = 1e-2
    warmup: Annotated[int, Ge(0)] = 20
    loss: Annotated[tuple[LossName, ...], MinLen(1)] = ("cross_entropy",)
    ema: Annotated[float, Ge(0), Lt(1)] = 0.0
    augmentation: Literal["none", "light", "flip"] = "none"
    crop: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True)
class FcnLightOptions(SegmenterOptions):
    """``width``: channels of the first stage; the deepest has eight times as many."""

    width: Annotated[int, Gt(0)] = 16


@dataclass(frozen=True)
class FcnOptions(SegmenterOptions):
    """``encoder_weights``: ``none``, or the name of torchvision's ResNet-50 weights, ``IMAGENET1K_V1`` (downloaded)."""

    encoder_weights: str = "none"

    def __post_init__(self) -> None:
        check_weights("resnet50", self.encoder_weights, option="encoder_weights")


@dataclass(frozen=True)
class SmpOptions(SegmenterOptions):
    """``encoder``: any encoder of segmentation-models-pytorch, or ``tu-`` and the name of a network of timm.

    ``encoder_depth``: how often it halves the sides; without it the network's own number, for most 5. Pictures of 64
    pixels have nothing left to halve: 4 trains twice as fast there.

    ``encoder_weights``: ``none``, or a name that the encoder has, such as ``imagenet`` (downloaded).
    """

    encoder: str = "resnet18"
    encoder_depth: Annotated[int, Ge(3), Le(5)] | None = None
    encoder_weights: str = "none"

    def __post_init__(self) -> None:
        if self.encoder not in ENCODERS and not self.encoder.startswith(("tu-", "timm-")):
            raise UserError(f"option 'encoder': unknown {self.encoder!r}", hint=near_names(self.encoder, ENCODERS))
        if self.encoder.startswith("tu-"):
            from cvbench_tasks.segmentation.smp_models import check_timm_encoder

            check_timm_encoder(self.encoder)
        if self.encoder_weights != "none":  # only then is the library worth importing
            from cvbench_tasks.segmentation.smp_models import check_encoder_weights

            check_encoder_weights(self.encoder, self.encoder_weights)


@dataclass(frozen=True)
class SegformerOptions(SmpOptions):
    """Its paper's encoder is a Mix Transformer, ``mit_b0`` to ``mit_b5``."""

    encoder: str = "mit_b0"


@dataclass(frozen=True)
class DptOptions(SmpOptions):
    """Only timm's vision transformers serve it as encoders."""

    encoder: str = "tu-vit_tiny_patch16_224"


# smp.MODEL_ARCHITECTURES_MAPPING and smp.encoders.get_encoder_names(), so that listing and checking names imports
# nothing; a test holds them equal.
SMP = (
    "unet",
    "unetplusplus",
    "manet",
    "linknet",
    "fpn",
    "pspnet",
    "deeplabv3",
    "deeplabv3plus",
    "pan",
    "upernet",
    "segformer",
    "dpt",
)
ENCODERS = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x4d",
    "resnext101_32x8d",
    "resnext101_32x16d",
    "resnext101_32x32d",
    "resnext101_32x48d",
    "dpn68",
    "dpn68b",
    "dpn92",
    "dpn98",
    "dpn107",
    "dpn131",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "senet154",
    "se_resnet50",
    "se_resnet101",
    "se_resnet152",
    "se_resnext50_32x4d",
    "se_resnext101_32x4d",
    "densenet121",
    "densenet169",
    "densenet201",
    "densenet161",
    "inceptionresnetv2",
    "inceptionv4",
    "efficientnet-b0",
    "efficientnet-b1",
    "efficientnet-b2",
    "efficientnet-b3",
    "efficientnet-b4",
    "efficientnet-b5",
    "efficientnet-b6",
    "efficientnet-b7",
    "mobilenet_v2",
    "xception",
    "timm-efficientnet-b0",
    "timm-efficientnet-b1",
    "timm-efficientnet-b2",
    "timm-efficientnet-b3",
    "timm-efficientnet-b4",
    "timm-efficientnet-b5",
    "timm-efficientnet-b6",
    "timm-efficientnet-b7",
    "timm-efficientnet-b8",
    "timm-efficientnet-l2",
    "timm-tf_efficientnet_lite0",
    "timm-tf_efficientnet_lite1",
    "timm-tf_efficientnet_lite2",
    "timm-tf_efficientnet_lite3",
    "timm-tf_efficientnet_lite4",
    "timm-skresnet18",
    "timm-skresnet34",
    "timm-skresnext50_32x4d",
    "mit_b0",
    "mit_b1",
    "mit_b2",
    "mit_b3",
    "mit_b4",
    "mit_b5",
    "mobileone_s0",
    "mobileone_s1",
    "mobileone_s2",
    "mobileone_s3",
    "mobileone_s4",
)

OPTIONS: Mapping[str, type[SegmenterOptions]] = {
    "fcn_light": FcnLightOptions,
    "fcn": FcnOptions,
    **dict.fromkeys(SMP, SmpOptions),
    "segformer": SegformerOptions,
    "dpt": DptOptions,
}


def known_models() -> Sequence[ModelInfo]:
    """``fcn_light``, torchvision's ``fcn``, then the architectures of segmentation-models-pytorch."""
    light = ModelInfo("fcn_light", "fully convolutional network with skips, on a small backbone", "Apache-2.0")
    fcn = ModelInfo("fcn", "torchvision's fcn_resnet50", "BSD-3-Clause")
    theirs = (ModelInfo(name, "segmentation-models-pytorch's network of that name", "MIT") for name in SMP)
    return (light, fcn, *theirs)
