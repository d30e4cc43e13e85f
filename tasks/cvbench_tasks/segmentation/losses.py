"""What a segmenter's masks cost: cross-entropy, Dice and focal loss, alone or summed. Ignored pixels cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from segmentation_models_pytorch.losses import MULTICLASS_MODE, DiceLoss, FocalLoss
from torch import Tensor, nn

from cvbench.scenes import IGNORED
from cvbench_tasks.segmentation.models import LossName

Loss = Callable[[Tensor, Tensor], Tensor]

# Dice: V-Net (arXiv 1606.04797); focal: Lin et al. (arXiv 1708.02002), gamma 2, a sigmoid per class
LOSSES: dict[LossName, Callable[[], nn.Module]] = {
    "cross_entropy": lambda: nn.CrossEntropyLoss(ignore_index=IGNORED),
    "dice": lambda: DiceLoss(MULTICLASS_MODE, ignore_index=IGNORED),
    "focal": lambda: FocalLoss(MULTICLASS_MODE, ignore_index=IGNORED),
}


def summed(names: Sequence[LossName]) -> Loss:
    """The sum of these losses: float (n, K, H, W) logits and int64 (n, H, W) classes → a scalar.

    A batch without an annotated pixel costs 0: the mean over none would be NaN.
    """
    terms = [LOSSES[name]() for name in names]

    def loss(logits: Tensor, classes: Tensor) -> Tensor:
        if not bool((classes != IGNORED).any()):
            return logits.sum() * 0
        return cast(Tensor, sum(term(logits, classes) for term in terms))

    return loss
