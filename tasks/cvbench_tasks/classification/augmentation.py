"""Augmentation of whole batches through ``torchvision.transforms.v2``.

A v2 transform draws one set of random numbers per call, so a batch is augmented in groups: as many draws as
groups, at a fraction of the cost of one call per picture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms import v2

GROUP = 8  # pictures that share one draw

Augment = Callable[[Tensor], Tensor]


def light() -> Augment:
    """Shifts by up to a sixteenth of the side and turns by up to 5°: never a flip, digits have a hand."""
    augment: Augment = v2.RandomAffine(
        degrees=5, translate=(1 / 16, 1 / 16), interpolation=v2.InterpolationMode.BILINEAR
    )

    return augment


def strong(channels: int) -> Augment:
    """What a generator has to beat: affine, for RGB colour jitter, and random erasing."""
    colour = [v2.ColorJitter(0.3, 0.3, 0.3)] if channels == 3 else []
    augment: Augment = v2.Compose([strong_affine(), *colour, v2.RandomErasing(p=0.25, scale=(0.02, 0.15))])
    return augment


def strong_affine() -> Augment:
    """Turns by up to 15°, shifts by a tenth of the side, scales and shears."""
    augment: Augment = v2.RandomAffine(
        degrees=15,
        translate=(0.1, 0.1),
        scale=(0.85, 1.15),
        shear=(-8, 8),
        interpolation=v2.InterpolationMode.BILINEAR,
    )
    return augment


def in_groups(augment: Augment, pictures: Tensor) -> Tensor:
    """float (n, C, H, W) in [0, 1] → the same, each group of ``GROUP`` pictures with its own draw."""
    return torch.cat([augment(group) for group in torch.split(pictures, GROUP)])
