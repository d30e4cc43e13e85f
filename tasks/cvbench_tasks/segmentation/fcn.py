"""``fcn``: torchvision's ``fcn_resnet50``, a dilated ResNet-50 with one convolutional head."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torchvision.models import ResNet50_Weights
from torchvision.models.segmentation import fcn_resnet50

from cvbench.errors import UserError, near_names


class Fcn(nn.Module):
    """float (n, 1 or 3, H, W) → logits (n, classes, H, W). Grey pictures stand in all three channels.

    Raises :class:`UserError` for weights that cannot be had.
    """

    def __init__(self, classes: int, encoder_weights: str) -> None:
        super().__init__()
        weights = None if encoder_weights == "none" else ResNet50_Weights[encoder_weights]
        try:
            self.network = fcn_resnet50(weights=None, weights_backbone=weights, num_classes=classes, aux_loss=False)
        except OSError as error:
            raise UserError(
                f"the weights {encoder_weights} of resnet50 cannot be had: {' '.join(str(error).split())[:150]}",
                hint="they are downloaded once: this needs a network; or use encoder_weights: none",
            ) from None

    def forward(self, pictures: Tensor) -> Tensor:
        return cast(Tensor, self.network(pictures.expand(-1, 3, -1, -1))["out"])


def check_weights(weights: str) -> None:
    """Raise :class:`UserError` with near names when torchvision's ResNet-50 has no such weights."""
    known = [one.name for one in ResNet50_Weights]
    if weights not in known:
        hint = near_names(weights, [*known, "none"])
        raise UserError(f"option 'encoder_weights': resnet50 has no {weights!r}", hint=hint)
