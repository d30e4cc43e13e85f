"""Augmentation of pictures with objects through ``torchvision.transforms.v2``, one draw per picture.

There is no rotation: the box of a rotated box is too wide, and only masks could tell by how much.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.ops import masks_to_boxes
from torchvision.transforms import v2

from cvbench_tasks.detection.network import Target

LEAST_SIDE = 2.0  # pixels: what a shift leaves of an object below this is not asked for

Flips = Literal["none", "horizontal", "both"]


def flipping(flips: Flips) -> v2.Transform:
    """Left and right, and up and down, each for half of the pictures."""
    horizontal, vertical = v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()
    return {"none": v2.Identity(), "horizontal": horizontal, "both": v2.Compose([horizontal, vertical])}[flips]


def strong(flips: Flips) -> v2.Transform:
    """What a generator has to beat: scale, shift, brightness, contrast and colour, besides the flips."""
    return v2.Compose(
        [
            flipping(flips),
            v2.RandomAffine(
                degrees=0, translate=(0.2, 0.2), scale=(0.6, 1.5), interpolation=v2.InterpolationMode.BILINEAR
            ),
            v2.ColorJitter(0.4, 0.4, 0.4, 0.02),
        ]
    )


def augmented(transform: v2.Transform, pictures: Tensor, targets: list[Target]) -> tuple[Tensor, list[Target]]:
    """The batch, each picture with its objects transformed by a draw of its own; what leaves the picture is dropped."""
    pairs = [_one(transform, picture, target) for picture, target in zip(pictures, targets, strict=True)]
    return torch.stack([picture for picture, _ in pairs]), [target for _, target in pairs]


def _one(transform: v2.Transform, picture: Tensor, target: Target) -> tuple[Tensor, Target]:
    size = (picture.shape[-2], picture.shape[-1])
    marked: dict[str, Tensor] = dict(target)
    marked["boxes"] = tv_tensors.BoundingBoxes(target["boxes"], format="XYXY", canvas_size=size)
    if "masks" in target:
        marked["masks"] = tv_tensors.Mask(target["masks"])
    picture, moved = transform(tv_tensors.Image(picture), marked)
    boxes = torch.as_tensor(v2.functional.clamp_bounding_boxes(moved["boxes"]))
    plain = {"boxes": boxes.as_subclass(Tensor), "labels": target["labels"]}
    if "masks" in target:
        plain["masks"] = moved["masks"].as_subclass(Tensor)
        visible = plain["masks"].flatten(1).any(1)
        plain = {name: part[visible] for name, part in plain.items()}
        plain["boxes"] = _tight(plain["masks"])
    sides = plain["boxes"][:, 2:] - plain["boxes"][:, :2]
    kept = (sides >= LEAST_SIDE).all(1)
    return picture.as_subclass(Tensor), {name: part[kept] for name, part in plain.items()}


def _tight(masks: Tensor) -> Tensor:
    """float (k, 4) boxes around masks that each have a true pixel, right and lower edges outside."""
    inclusive: Tensor = masks_to_boxes(masks)
    return inclusive + inclusive.new_tensor([0, 0, 1, 1])
