"""What a detector's network must be able to do, whoever wrote it: losses out of targets, detections out of pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from cvbench_tasks.detection.detections import Detections

Target = dict[str, Tensor]  # boxes float (k, 4) in pixels, labels int64 (k,) from 0, perhaps masks bool (k, H, W)


class Network(nn.Module, ABC):
    """Pictures are float (n, C, H, W) in [0, 1], all of the size that the network was built for."""

    @abstractmethod
    def forward(self, pictures: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        """The losses by name; a training step descends on their sum."""

    @abstractmethod
    def detect(self, pictures: Tensor) -> list[Detections]:
        """What is found in each picture; called in evaluation mode and without gradients."""

    def at(self, done: float) -> None:
        """Told before every step which part of the training is done, for losses that change on the way."""
