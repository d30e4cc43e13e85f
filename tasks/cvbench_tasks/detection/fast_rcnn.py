"""``fast_rcnn``: one convolutional map per picture, a pooled square per proposal, two heads.

Girshick, arXiv 1504.08083. What differs from the paper: a small network from scratch in the place of VGG-16, and
proposals of stable regions where selective search is not at hand.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import RoIPool

from cvbench.samples import DatasetSpec
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.detection.models import FastRcnnOptions
from cvbench_tasks.detection.network import Network, Target
from cvbench_tasks.detection.proposals import proposals
from cvbench_tasks.detection.torchvision_form import from_torchvision, to_torchvision

STRIDE = 4  # pixels per place of the map
GRID = 7  # places per side of a pooled square
HIDDEN = 256


class FastRcnn(Network):
    """Proposals come from outside; their class and a better box from two heads on pooled features."""

    def __init__(self, spec: DatasetSpec, options: FastRcnnOptions) -> None:
        super().__init__()
        self.method, self.enlarge, width = options.proposals, options.enlarge, options.width
        self.size = (spec.height, spec.width)
        self.features = convolutions(spec.channels, width)
        self.heads = RoIHeads(
            box_roi_pool=Pooled(options.enlarge / STRIDE),
            box_head=TwoMLPHead(2 * width * GRID**2, HIDDEN),
            box_predictor=FastRCNNPredictor(HIDDEN, len(spec.classes) + 1),
            fg_iou_thresh=0.5,
            bg_iou_thresh=0.5,
            batch_size_per_image=32,
            positive_fraction=0.25,
            bbox_reg_weights=None,
            score_thresh=0.01,
            nms_thresh=0.5,
            detections_per_img=100,
        )

    def forward(self, pictures: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        looked_at = proposals(pictures, self.method)
        sizes = [self.size] * len(pictures)
        _, losses = self.heads(self.maps(pictures), looked_at, sizes, to_torchvision(targets))
        return dict(losses)

    def detect(self, pictures: Tensor) -> list[Detections]:
        looked_at = proposals(pictures, self.method)
        found, _ = self.heads(self.maps(pictures), looked_at, [self.size] * len(pictures))
        return from_torchvision(found)

    def maps(self, pictures: Tensor) -> dict[str, Tensor]:
        """float (n, 2 width, H', W'): a place for every ``STRIDE`` pixels of the enlarged pictures."""
        if self.enlarge > 1:
            pictures = interpolate(pictures, scale_factor=self.enlarge, mode="bilinear")
        return {"map": self.features(pictures)}


class Pooled(nn.Module):
    """RoI pooling: the largest value in each cell of a grid over each box; ``scale``: places of the map per pixel."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.pool = RoIPool(GRID, scale)

    def forward(self, features: dict[str, Tensor], boxes: list[Tensor], sizes: list[tuple[int, int]]) -> Tensor:
        pooled: Tensor = self.pool(features["map"].float(), boxes)
        return pooled


def convolutions(channels: int, width: int) -> nn.Sequential:
    """float (n, C, H, W) → (n, 2 width, H/4, W/4)."""

    def layer(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]

    return nn.Sequential(
        *layer(channels, width, 2),
        *layer(width, width, 1),
        *layer(width, 2 * width, 2),
        *layer(2 * width, 2 * width, 1),
        *layer(2 * width, 2 * width, 1),
    )
