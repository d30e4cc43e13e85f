"""The convolutions that the learnt trackers share in kind: small, without padding, a cell every four pixels."""

from __future__ import annotations

from torch import nn

STRIDE = 4  # pixels of a crop per cell


def backbone(channels: int, width: int) -> nn.Sequential:
    """float (n, C, s, s) → (n, 4 × width, (s − 24) / 4, the same), AlexNet in small; s a multiple of 4.

    Without padding a cell's value does not depend on where in the crop it lies, which is what SiamFC rests on.
    """
    return nn.Sequential(
        *_layer(channels, width, 5, stride=2),
        *_layer(width, 2 * width, 3),
        nn.MaxPool2d(2),
        *_layer(2 * width, 2 * width, 3),
        nn.Conv2d(2 * width, 4 * width, 3),
    )


def _layer(channels: int, width: int, side: int, stride: int = 1) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, width, side, stride, bias=False), nn.BatchNorm2d(width), nn.ReLU()
