"""``mdnet``: multi-domain networks for visual tracking (Nam & Han, arXiv 1510.07945), in small.

Layers shared by all training videos, and a branch per video that tells its object from its background; training takes
the videos in turn. To track, the branches go, a fresh one is trained on the first frame and updated on the way.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.samples import FloatArray, UInt8Array
from cvbench_tasks.sot.backbone import backbone
from cvbench_tasks.sot.box_draws import overlapping
from cvbench_tasks.sot.boxes import around, centres_and_sizes
from cvbench_tasks.sot.crops import crops
from cvbench_tasks.sot.draws import Draws
from cvbench_tasks.sot.learnt import Batch, Network
from cvbench_tasks.sot.models import MdNetOptions
from cvbench_tasks.sot.one_pass import Tracker

PATCH = 40  # pixels per side that a box is brought to
CONTEXT = 1.3  # times the box's sides that a patch shows
HIDDEN = 128
FRAMES = 4  # of a video, in a training batch
NEGATIVES = 3  # per positive
POSITIVE, NEGATIVE = (0.7, 1.0), (0.0, 0.5)  # overlaps of the examples


class MdNet(Network):
    """``features`` (conv1 to conv3), ``shared`` (fc4, fc5), and while training ``branches`` (fc6), one per track."""

    def __init__(self, channels: int, options: MdNetOptions) -> None:
        super().__init__()
        self.options = options
        cells = (PATCH - 24) // 4
        self.features = nn.Sequential(backbone(channels, options.width), nn.ReLU(), nn.Flatten())
        self.shared = nn.Sequential(
            nn.Linear(4 * options.width * cells**2, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU()
        )
        self.branches: nn.Module = nn.Identity()

    def begin(self, tracks: int) -> None:
        self.branches = nn.Linear(HIDDEN, tracks)

    def end(self) -> None:
        self.branches = nn.Identity()

    def batch(self, draws: Draws, rng: np.random.Generator, count: int) -> Batch:
        """``count`` boxes on the object of one video and three times as many beside it; a video a step.

        It is drawn, not taken in turn: the real videos come first, and a short training would see no other.
        """
        track, patches, labels = int(rng.integers(len(draws.tracks))), [], []
        share = -(-count // FRAMES)
        for _ in range(FRAMES):
            seen = draws.frame_of(track, rng)
            shape = seen.frame.shape
            on = overlapping(seen.box, share, *POSITIVE, shape, rng)
            beside = overlapping(seen.box, NEGATIVES * share, *NEGATIVE, shape, rng)
            patches.append(patches_of(seen.frame, np.concatenate([on, beside]), "cpu"))
            labels.append(torch.cat([torch.ones(len(on)), torch.zeros(len(beside))]))
        return {"patches": torch.cat(patches), "labels": torch.cat(labels), "track": torch.tensor(track)}

    def forward(self, batch: Batch) -> Tensor:
        """Cross-entropy of the video's own branch."""
        every = self.branches(self.shared(self.features(batch["patches"])))
        own = every.index_select(1, batch["track"][None])[:, 0]
        return nn.functional.binary_cross_entropy_with_logits(own.float(), batch["labels"])

    def tracker(self, seed: int) -> Tracker:
        from cvbench_tasks.sot.mdnet_tracker import MdNetTracker

        return MdNetTracker(self, seed)


def patches_of(frame: UInt8Array, boxes: FloatArray, device: str) -> Tensor:
    """float32 (n, C, PATCH, PATCH): the boxes (n, 4) with a little of what is around them."""
    centres, sizes = centres_and_sizes(boxes)
    return crops(frame, around(centres, CONTEXT * sizes), PATCH, device)
