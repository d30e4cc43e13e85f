"""Batches of pictures with their objects, on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from cvbench.samples import Dataset
from cvbench.scenes import InstanceImages, boxed
from cvbench.training import to_tensor
from cvbench_tasks.detection.network import Target


class Batches:
    """The pictures and targets of any places. Crowds are left out: they are no object to learn from."""

    def __init__(self, data: Dataset, device: str) -> None:
        self.data, self.device = boxed(data), device
        self.images = to_tensor(self.data.images, device)

    def __call__(self, places: Tensor) -> tuple[Tensor, list[Target]]:
        """Float (n, C, H, W) in [0, 1] and n targets, with masks if the data has them."""
        return self.pictures(places), [self._target(int(place)) for place in places]

    def pictures(self, places: Tensor) -> Tensor:
        """Float (n, C, H, W) in [0, 1]."""
        return self.images[places.to(self.device)].float().div_(255)

    def _target(self, place: int) -> Target:
        data, own = self.data, self.data.objects(place)
        single = ~torch.from_numpy(data.crowd[own])
        target = {
            "boxes": torch.from_numpy(data.boxes[own])[single],
            "labels": torch.from_numpy(data.labels[own])[single],
        }
        if isinstance(data, InstanceImages):
            target["masks"] = torch.from_numpy(data.masks(place))[single]
        return {name: part.to(self.device) for name, part in target.items()}
