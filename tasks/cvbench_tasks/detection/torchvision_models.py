"""torchvision's detectors, by their own names, for pictures of any size and channel count."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor, nn
from torchvision.models import detection, get_model, get_model_weights

from cvbench.errors import UserError, near_names
from cvbench.samples import DatasetSpec
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.detection.models import TorchvisionOptions
from cvbench_tasks.detection.network import Network, Target

OWN_SIZE = ("ssd300", "ssdlite320")  # families that scale every picture to a side of their own


class TorchvisionNetwork(Network):
    """A torchvision detector: it wants a list of RGB pictures, and class 0 is the background."""

    def __init__(self, model: nn.Module, *, masks: bool) -> None:
        super().__init__()
        self.model, self.masks = model, masks

    def forward(self, pictures: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        theirs = [target | {"labels": target["labels"] + 1} for target in targets]
        if self.masks:
            theirs = [target | {"masks": target["masks"].byte()} for target in theirs]
        losses: dict[str, Tensor] = self.model(_colour(pictures), theirs)
        return losses

    def detect(self, pictures: Tensor) -> list[Detections]:
        found: list[dict[str, Tensor]] = self.model(_colour(pictures))
        return [
            Detections(
                one["boxes"].float().cpu().numpy(),
                one["scores"].float().cpu().numpy(),
                one["labels"].cpu().numpy() - np.int64(1),
                (one["masks"][:, 0] > 0.5).cpu().numpy() if self.masks else None,
            )
            for one in found
        ]


def build(name: str, spec: DatasetSpec, options: TorchvisionOptions, *, masks: bool = False) -> TorchvisionNetwork:
    """torchvision's detector of that name. Raises :class:`UserError` for weights that cannot be had."""
    size = {} if name.startswith(OWN_SIZE) else {"min_size": min(spec.height, spec.width)}
    size |= {"max_size": max(spec.height, spec.width)} if size else {}
    model = get_model(name, weights=None, weights_backbone=None, num_classes=len(spec.classes) + 1, **size)
    if options.weights != "none":
        _take(model, name, options.weights)
    return TorchvisionNetwork(model, masks=masks)


def check_weights(name: str, weights: str) -> None:
    """Raise :class:`UserError` with near names when torchvision has no such weights for the model."""
    known = [w.name for w in get_model_weights(name)]
    if weights not in known:
        raise UserError(f"option 'weights': {name} has no {weights!r}", hint=near_names(weights, [*known, "none"]))


def detectors() -> list[str]:
    """The names of all detectors of the installed torchvision."""
    from torchvision.models import list_models

    return [name for name in list_models(module=detection) if not name.startswith(("maskrcnn", "keypointrcnn"))]


def _take(model: nn.Module, name: str, weights: str) -> None:
    """Take over what fits of trained weights: all but the layers that count the classes."""
    check_weights(name, weights)
    try:
        trained: dict[str, Any] = get_model_weights(name)[weights].get_state_dict(check_hash=True)
    except OSError as error:
        raise UserError(
            f"the weights {weights} of {name} cannot be had: {' '.join(str(error).split())[:150]}",
            hint="they are downloaded once: this needs a network; or use weights: none",
        ) from None
    own = model.state_dict()
    model.load_state_dict({key: value for key, value in trained.items() if value.shape == own[key].shape}, strict=False)


def _colour(pictures: Tensor) -> list[Tensor]:
    return list(pictures.expand(-1, 3, -1, -1))
