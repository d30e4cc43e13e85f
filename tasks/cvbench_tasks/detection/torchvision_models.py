"""torchvision's detectors, by their own names, for pictures of any size and channel count."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from cvbench.samples import DatasetSpec
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.detection.models import TorchvisionOptions
from cvbench_tasks.detection.network import Network, Target
from cvbench_tasks.detection.torchvision_form import from_torchvision, to_torchvision
from cvbench_tasks.pretrained import check_weights, downloading

OWN_SIZE = ("ssd300", "ssdlite320")  # families that scale every picture to a side of their own


class TorchvisionNetwork(Network):
    """A torchvision detector: it wants a list of RGB pictures, and class 0 is the background."""

    def __init__(self, model: nn.Module, *, masks: bool) -> None:
        super().__init__()
        self.model, self.masks = model, masks

    def forward(self, pictures: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        theirs = to_torchvision(targets)
        if self.masks:
            theirs = [target | {"masks": target["masks"].byte()} for target in theirs]
        losses: dict[str, Tensor] = self.model(_colour(pictures), theirs)
        return losses

    def detect(self, pictures: Tensor) -> list[Detections]:
        found: list[dict[str, Tensor]] = self.model(_colour(pictures))
        return from_torchvision(found)


def build(name: str, spec: DatasetSpec, options: TorchvisionOptions, *, masks: bool = False) -> TorchvisionNetwork:
    """torchvision's detector of that name. Raises :class:`UserError` for weights that cannot be had."""
    size = {} if name.startswith(OWN_SIZE) else {"min_size": min(spec.height, spec.width)}
    size |= {"max_size": max(spec.height, spec.width)} if size else {}
    model = get_model(name, weights=None, weights_backbone=None, num_classes=len(spec.classes) + 1, **size)
    if options.weights != "none":
        _take(model, name, options.weights)
    return TorchvisionNetwork(model, masks=masks)


def _take(model: nn.Module, name: str, weights: str) -> None:
    """Take over what fits of trained weights: all but the layers that count the classes."""
    check_weights(name, weights)
    with downloading(name, weights):
        trained: dict[str, Any] = get_model_weights(name)[weights].get_state_dict(check_hash=True)
    own = model.state_dict()
    model.load_state_dict({key: value for key, value in trained.items() if value.shape == own[key].shape}, strict=False)


def _colour(pictures: Tensor) -> list[Tensor]:
    return list(pictures.expand(-1, 3, -1, -1))
