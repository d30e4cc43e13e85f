"""The networks of segmentation-models-pytorch, from a name, an encoder and its weights."""

from __future__ import annotations

import warnings
from typing import Any, cast

import segmentation_models_pytorch as smp
import torch
from torch import nn

from cvbench.errors import UserError, near_names
from cvbench_tasks.pretrained import check_among, downloading
from cvbench_tasks.segmentation.models import SmpOptions

DECODER_CHANNELS = (256, 128, 64, 32, 16)  # smp's own, of the decoders that have a stage for each of the encoder's
STAGED = ("unet", "unetplusplus", "manet")


def build(name: str, channels: int, classes: int, options: SmpOptions) -> nn.Module:
    """float (n, C, H, W), sides multiples of 32 → logits (n, classes, H, W).

    Raises :class:`UserError` for an encoder that this network cannot be built on, and for weights that cannot be had.
    """
    encoder, weights = options.encoder, None if options.encoder_weights == "none" else options.encoder_weights
    try:
        with warnings.catch_warnings(), downloading(encoder, options.encoder_weights, option="encoder_weights"):
            warnings.simplefilter("ignore")  # on older spellings of encoders, which work
            network = smp.create_model(name, encoder, weights, channels, classes, **_shape(name, options))
    except (KeyError, NotImplementedError, RuntimeError, ValueError) as error:
        raise UserError(f"{name} cannot be built on the encoder {encoder!r}: {error}") from None
    _freeze_unused(network, channels)
    return cast(nn.Module, network)


def _shape(name: str, options: SmpOptions) -> dict[str, Any]:
    depth = options.encoder_depth
    asked: dict[str, Any] = {"encoder_depth": depth} if depth else {}
    if depth and name in STAGED:
        asked["decoder_channels"] = DECODER_CHANNELS[-depth:]
    if name == "dpt":
        asked["dynamic_img_size"] = True  # a vision transformer is made for one size, unless it is told
    return asked


def _freeze_unused(network: nn.Module, channels: int) -> None:
    """Stages beyond the encoder's depth get no gradient, which processes that share a training would wait for."""
    network.eval()(torch.zeros(1, channels, 128, 128)).sum().backward()
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.grad is not None)
        parameter.grad = None


def check_timm_encoder(encoder: str) -> None:
    """Raise :class:`UserError` with near names for a ``tu-NAME`` that timm has not."""
    import timm

    if not timm.is_model(encoder.removeprefix("tu-")):
        known = [f"tu-{name}" for name in timm.list_models()]
        raise UserError(f"option 'encoder': unknown {encoder!r}", hint=near_names(encoder, known))


def check_encoder_weights(encoder: str, weights: str) -> None:
    """Raise :class:`UserError` with near names when the encoder has no such weights; timm's own are not looked up."""
    if encoder.startswith(("tu-", "timm-")) and encoder not in smp.encoders.encoders:
        return
    known = list(smp.encoders.encoders[encoder]["pretrained_settings"])
    check_among(known, encoder, weights, option="encoder_weights")
