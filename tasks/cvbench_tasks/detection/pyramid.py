"""``fasterrcnn`` and ``maskrcnn``: a ResNet from scratch with a feature pyramid, and anchors for small pictures.

Faster R-CNN: Ren et al., arXiv 1506.01497; the feature pyramid: Lin et al., arXiv 1612.03144; Mask R-CNN: He et
al., arXiv 1703.06870. The heads are torchvision's, narrower; batch normalisation trains.
"""

from __future__ import annotations

from torch import nn
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet
from torchvision.ops import MultiScaleRoIAlign

from cvbench.samples import DatasetSpec
from cvbench_tasks.detection.models import PyramidOptions
from cvbench_tasks.detection.torchvision_models import TorchvisionNetwork

STAGES: dict[str, tuple[type[BasicBlock] | type[Bottleneck], list[int]]] = {
    "resnet10": (BasicBlock, [1, 1, 1, 1]),
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet101": (Bottleneck, [3, 4, 23, 3]),
}
LEVELS = 4
HIDDEN = 256  # units of the box head


def build(spec: DatasetSpec, options: PyramidOptions, *, masks: bool) -> TorchvisionNetwork:
    """Faster R-CNN, or with masks Mask R-CNN, for the pictures' own size."""
    levels = [str(level) for level in range(LEVELS)]
    classes, width = len(spec.classes) + 1, options.width
    sides = tuple((options.smallest * 2**level,) for level in range(LEVELS + 1))  # the pyramid pools one level more
    anchors = AnchorGenerator(sides, ((0.5, 1.0, 2.0),) * len(sides))
    settings = {
        "min_size": min(spec.height, spec.width),
        "max_size": max(spec.height, spec.width),
        "rpn_anchor_generator": anchors,
        "rpn_head": RPNHead(width, anchors.num_anchors_per_location()[0]),
        "rpn_pre_nms_top_n_train": 200,
        "rpn_pre_nms_top_n_test": 200,
        "rpn_post_nms_top_n_train": 100,
        "rpn_post_nms_top_n_test": 100,
        "rpn_batch_size_per_image": 64,
        "box_roi_pool": MultiScaleRoIAlign(levels, output_size=7, sampling_ratio=1),
        "box_head": TwoMLPHead(width * 7**2, HIDDEN),
        "box_batch_size_per_image": 32,
        "box_score_thresh": 0.01,
    }
    backbone = _backbone(options)
    if not masks:
        return TorchvisionNetwork(
            FasterRCNN(backbone, box_predictor=FastRCNNPredictor(HIDDEN, classes), **settings), masks=False
        )
    model = MaskRCNN(
        backbone,
        box_predictor=FastRCNNPredictor(HIDDEN, classes),
        mask_roi_pool=MultiScaleRoIAlign(levels, output_size=14, sampling_ratio=1),
        mask_head=MaskRCNNHeads(width, (width, width), 1),
        mask_predictor=MaskRCNNPredictor(width, width, classes),
        **settings,
    )
    return TorchvisionNetwork(model, masks=True)


def _backbone(options: PyramidOptions) -> BackboneWithFPN:
    block, counts = STAGES[options.backbone]
    stages = {f"layer{number + 1}": str(number) for number in range(LEVELS)}
    channels = [64 * 2**level * block.expansion for level in range(LEVELS)]
    return BackboneWithFPN(ResNet(block, counts), stages, channels, options.width, norm_layer=nn.BatchNorm2d)
