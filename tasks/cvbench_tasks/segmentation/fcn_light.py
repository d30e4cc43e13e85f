"""``fcn_light``: the fully convolutional network of Long, Shelhamer and Darrell (arXiv 1411.4038) for small pictures.

As in the paper's figure 3, the scores of coarse layers are enlarged and added to those of finer ones. Here the
finest has a quarter of the picture's sides (the paper's FCN-8s: an eighth), the backbone is narrow and batch-
normalised to train from scratch, and enlarging is bilinear, which is where the paper's learnt one starts.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate


class FcnLight(nn.Module):
    """float (n, C, H, W), sides multiples of 16 → logits (n, classes, H, W)."""

    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.stage_1 = stage(channels, width)
        self.stage_2 = nn.Sequential(nn.MaxPool2d(2), stage(width, 2 * width))
        self.stage_4 = nn.Sequential(nn.MaxPool2d(2), stage(2 * width, 4 * width))
        self.stage_8 = nn.Sequential(nn.MaxPool2d(2), stage(4 * width, 8 * width))
        self.stage_16 = nn.Sequential(nn.MaxPool2d(2), stage(8 * width, 8 * width))
        self.score_4 = nn.Conv2d(4 * width, classes, 1)
        self.score_8 = nn.Conv2d(8 * width, classes, 1)
        self.score_16 = nn.Conv2d(8 * width, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        quarter = self.stage_4(self.stage_2(self.stage_1(pictures)))
        eighth = self.stage_8(quarter)
        sixteenth = self.stage_16(eighth)
        scores = self.score_16(sixteenth)
        scores = enlarged(scores, 2) + self.score_8(eighth)
        scores = enlarged(scores, 2) + self.score_4(quarter)
        return enlarged(scores, 4)


def stage(channels: int, width: int) -> nn.Sequential:
    """Two 3×3 convolutions, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def enlarged(scores: Tensor, times: int) -> Tensor:
    """Both sides so many times as long, bilinear."""
    return interpolate(scores, scale_factor=times, mode="bilinear", align_corners=False)
