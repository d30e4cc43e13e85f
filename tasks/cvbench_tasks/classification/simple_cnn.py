"""``simple_cnn``: two convolutions and a linear layer, for pictures of any size and channel count."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

GRID = 7  # places per side that the head looks at, whatever the picture's size


class SimpleCnn(nn.Module):
    """float (n, C, H, W) → logits (n, classes). Pictures from 4×4 pixels up."""

    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 5, padding=2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        self.head = nn.Sequential(
            nn.AdaptiveMaxPool2d(GRID), nn.Flatten(), nn.Dropout(0.25), nn.Linear(2 * width * GRID**2, classes)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        return cast(Tensor, self.head(self.features(pictures)))
