"""``fcn``: torchvision's ``fcn_resnet50``, a dilated ResNet-50 with one convolutional head."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torchvision.models import ResNet50_Weights
from torchvision.models.segmentation import fcn_resnet50

from cvbench_tasks.pretrained import downloading


class Fcn(nn.Module):
    """float (n, 1 or 3, H, W) → logits (n, classes, H, W). Grey pictures stand in all three channels.

    Raises :class:`UserError` for weights that cannot be had.
    """

    def __init__(self, classes: int, encoder_weights: str) -> None:
        super().__init__()
        weights = None if encoder_weights == "none" else ResNet50_Weights[encoder_weights]
        with downloading("resnet50", encoder_weights, option="encoder_weights"):
            self.network = fcn_resnet50(weights=None, weights_backbone=weights, num_classes=classes, aux_loss=False)

    def forward(self, pictures: Tensor) -> Tensor:
        return cast(Tensor, self.network(pictures.expand(-1, 3, -1, -1))["out"])
