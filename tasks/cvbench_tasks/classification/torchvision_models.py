"""torchvision's classifiers, fitted to the data's channels, classes and, for small pictures, resolution."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision import models

from cvbench.samples import DatasetSpec
from cvbench_tasks.pretrained import check_weights, downloading

SMALL_SIDE = 64  # pixels: up to here a network made for 224 px keeps its resolution for longer
FIXED_SIDE = ("vit_", "maxvit_")  # families that take squares of one size
LARGE_SIDE = (*FIXED_SIDE, "swin_")  # families whose first step cuts a picture into patches
LEAST_SIDE = {"inception_v3": 75, "alexnet": 64, "squeezenet": 32, "googlenet": 32, "densenet": 32, "vgg": 32}


def build(name: str, spec: DatasetSpec, weights: str) -> nn.Module:
    """float (n, C, H, W) → logits (n, classes). Raises :class:`UserError` for weights that cannot be had."""
    network = _with_head(name, weights, len(spec.classes))
    if spec.channels != 3:
        _take_channels(network, spec.channels, keep=weights != "none")
    side = max(spec.height, spec.width)
    if side <= SMALL_SIDE and name not in LEAST_SIDE and not name.startswith(LARGE_SIDE):
        _keep_resolution(network)
    size = _size(name, network, spec)
    if size != (spec.height, spec.width):
        return nn.Sequential(nn.Upsample(size, mode="bilinear"), MainOutput(network))
    return MainOutput(network)


class MainOutput(nn.Module):
    """The network's main logits; inception and googlenet also give auxiliary ones while training."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        output: Any = self.network(pictures)
        return cast(Tensor, getattr(output, "logits", output))


def _with_head(name: str, weights: str, classes: int) -> nn.Module:
    if weights == "none":
        auxiliary = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
        return cast(nn.Module, models.get_model(name, weights=None, num_classes=classes, **auxiliary))
    check_weights(name, weights)
    with downloading(name, weights):
        network: nn.Module = models.get_model(name, weights=weights)
    last_name, last = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    fresh: nn.Module
    if isinstance(last, nn.Linear):
        fresh = nn.Linear(last.in_features, classes)
    else:  # squeezenet's head is a convolution
        fresh = nn.Conv2d(last.in_channels, classes, 1)
    network.set_submodule(last_name, fresh)
    return network


def _take_channels(network: nn.Module, channels: int, *, keep: bool) -> None:
    """Let the first convolution take so many channels; trained weights are averaged over colours."""
    name, first = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    replacement = _convolution_like(first, channels, first.stride)
    if keep:
        with torch.no_grad():
            mean = first.weight.mean(1, keepdim=True) * (first.in_channels / channels)
            replacement.weight.copy_(mean.expand_as(replacement.weight))
    network.set_submodule(name, replacement)
    if hasattr(network, "transform_input"):  # inception's rescaling of three colours
        setattr(network, "transform_input", False)  # noqa: B010


def _keep_resolution(network: nn.Module) -> None:
    """A stem for small pictures: the first convolution steps by one, and a pool right behind it goes."""
    name, first = next((n, m) for n, m in network.named_modules() if isinstance(m, nn.Conv2d))
    if first.stride != (1, 1):
        replacement = _convolution_like(first, first.in_channels, (1, 1))
        replacement.weight = first.weight
        network.set_submodule(name, replacement)
    if isinstance(getattr(network, "maxpool", None), nn.MaxPool2d):
        network.maxpool = nn.Identity()


def _convolution_like(old: nn.Conv2d, channels: int, stride: Any) -> nn.Conv2d:
    """With fresh weights and the old one's bias, which belongs to what comes out."""
    new = nn.Conv2d(channels, old.out_channels, cast(Any, old.kernel_size), stride, cast(Any, old.padding))
    new.bias = old.bias
    return new


def _size(name: str, network: nn.Module, spec: DatasetSpec) -> tuple[int, int]:
    """(H, W) that the network is given: its own where that is fixed, else no side shorter than it needs."""
    if name.startswith(FIXED_SIDE):
        side = int(getattr(network, "image_size", 224))
        return side, side
    least = 224 if name.startswith(LARGE_SIDE) else next((s for f, s in LEAST_SIDE.items() if name.startswith(f)), 8)
    return max(spec.height, least), max(spec.width, least)
