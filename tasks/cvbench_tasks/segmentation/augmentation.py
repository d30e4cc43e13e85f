"""Augmentation of pictures and their masks together through ``torchvision.transforms.v2``.

A v2 transform draws one set of random numbers per call, so a batch is augmented in groups: as many draws as groups.
What comes into a picture from beyond its edge has no class.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.tv_tensors import Image, Mask

from cvbench.scenes import IGNORED

GROUP = 2  # pictures that share one draw

Augment = Callable[[Image, Mask], tuple[Tensor, Tensor]]
BEYOND: dict[type, int] = {Image: 0, Mask: IGNORED}


def ordinary(kind: Literal["none", "light", "flip"], crop: int) -> Augment | None:
    """``light``: shifts by up to a sixteenth of the side, turns by up to 5°; ``flip``: also mirrors left and right."""
    steps = [_affine(5, 1 / 16, (1, 1), None)] if kind != "none" else []
    return _composed([*steps, *_mirrored(kind == "flip"), *_cropped(crop)])


def strong(kind: Literal["none", "light", "flip"], crop: int) -> Augment:
    """What a generator has to beat: affine, jitter of brightness and colour, blur; mirrored where ``flip`` allows."""
    steps = [
        _affine(15, 0.1, (0.75, 1.33), 8),
        v2.ColorJitter(0.3, 0.3, 0.3),
        v2.RandomApply([v2.GaussianBlur(3)], p=0.25),
    ]
    augment = _composed([*steps, *_mirrored(kind == "flip"), *_cropped(crop)])
    assert augment is not None
    return augment


def in_groups(augment: Augment, pictures: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """float (n, C, H, W) in [0, 1] and uint8 (n, H, W) → the same, each ``GROUP`` with its own draw."""
    pairs = zip(torch.split(pictures, GROUP), torch.split(masks, GROUP), strict=True)
    varied = [augment(Image(group), Mask(own)) for group, own in pairs]
    return torch.cat([picture.as_subclass(Tensor) for picture, _ in varied]), torch.cat(
        [mask.as_subclass(Tensor) for _, mask in varied]
    )


def _affine(degrees: float, shift: float, scale: tuple[float, float], shear: float | None) -> Any:
    return v2.RandomAffine(
        degrees, (shift, shift), scale, shear, interpolation=v2.InterpolationMode.BILINEAR, fill=BEYOND
    )


def _mirrored(allowed: bool) -> list[Any]:
    return [v2.RandomHorizontalFlip()] if allowed else []


def _cropped(side: int) -> list[Any]:
    return [v2.RandomCrop(side)] if side else []


def _composed(steps: list[Any]) -> Augment | None:
    return v2.Compose(steps) if steps else None
