"""``atom``: accurate tracking by overlap maximization (Danelljan et al., arXiv 1811.07628), in small: the network.

Trained offline: how much any box of a test frame overlaps an object that one reference frame shows (IoU-Net's idea,
arXiv 1807.11590, modulated by the reference). Points of a box are sampled bilinearly in the place of precise RoI
pooling: gradients reach the box's corners either way. There is no pretrained backbone; it learns from the overlap too.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.samples import FloatArray, UInt8Array
from cvbench_tasks.sot.backbone import STRIDE, backbone
from cvbench_tasks.sot.box_draws import jittered
from cvbench_tasks.sot.boxes import around, centres_and_sizes, overlaps, squares
from cvbench_tasks.sot.crops import crops, in_crop
from cvbench_tasks.sot.draws import Draws
from cvbench_tasks.sot.learnt import Batch, Network
from cvbench_tasks.sot.models import AtomOptions
from cvbench_tasks.sot.one_pass import Tracker

CROP = 96  # pixels per side
TIMES = 4.0  # the object's size that a crop shows
CELLS = (CROP - 24) // STRIDE  # of the features, per side
CANDIDATES = 12  # boxes per frame whose overlap is learnt
HIDDEN = 64
REFERENCE_POINTS, TEST_POINTS = 3, 5  # cells per side that a box is pooled to


class Atom(Network):
    """``features``, and the predictor: ``modulation`` of the reference, ``prepare`` and ``judge`` of a test frame."""

    def __init__(self, channels: int, options: AtomOptions) -> None:
        super().__init__()
        self.options = options
        deep = 4 * options.width
        self.features = backbone(channels, options.width)
        self.modulation = nn.Sequential(nn.Flatten(), nn.Linear(deep * REFERENCE_POINTS**2, HIDDEN))
        self.prepare = nn.Sequential(nn.ReLU(), nn.Conv2d(deep, HIDDEN, 3, padding=1), nn.ReLU())
        self.judge = nn.Sequential(nn.Flatten(), nn.Linear(HIDDEN * TEST_POINTS**2, 128), nn.ReLU(), nn.Linear(128, 1))

    def batch(self, draws: Draws, rng: np.random.Generator, count: int) -> Batch:
        """Reference and test crops of pairs of frames, their boxes, and candidates with their true overlaps."""
        parts: dict[str, list[Tensor]] = {
            name: [] for name in ("references", "boxes", "tests", "candidates", "overlaps")
        }
        for _ in range(count):
            reference, test = draws.pair(rng, self.options.gap)
            for seen, pictures, boxes in ((reference, "references", "boxes"), (test, "tests", "candidates")):
                crop = off_centre(seen.box, rng)
                box = in_crop(seen.box, crop, CROP)
                if seen is test:
                    place, scale = rng.choice([0.05, 0.15, 0.4]), rng.choice([0.05, 0.15, 0.4])
                    candidates = jittered(box, CANDIDATES, place, scale, rng)
                    parts["overlaps"].append(torch.from_numpy(overlaps(candidates, box)).float())
                    box = candidates
                parts[pictures].append(crops(seen.frame, crop[None], CROP, "cpu")[0])
                parts[boxes].append(torch.from_numpy(box).float())
        return {name: torch.stack(part) for name, part in parts.items()}

    def forward(self, batch: Batch) -> Tensor:
        """The mean squared error of predicted overlaps."""
        reference = self.reference(self.features(batch["references"]), batch["boxes"])
        predicted = self.overlap(reference, self.prepare(self.features(batch["tests"])), batch["candidates"])
        return nn.functional.mse_loss(predicted.float(), batch["overlaps"])

    def reference(self, features: Tensor, boxes: Tensor) -> Tensor:
        """(n, HIDDEN) what the objects in boxes (n, 4), in crop pixels, are known by."""
        pooled = pool(features.relu(), boxes[:, None], REFERENCE_POINTS)[:, 0]
        known: Tensor = self.modulation(pooled)
        return known

    def overlap(self, reference: Tensor, prepared: Tensor, boxes: Tensor) -> Tensor:
        """(n, k) predicted overlaps of boxes (n, k, 4), in crop pixels, with the object in each of n crops."""
        pooled = pool(prepared, boxes, TEST_POINTS) * reference[:, None, :, None, None]
        judged: Tensor = self.judge(pooled.flatten(0, 1))
        return judged.reshape(boxes.shape[:2])

    def tracker(self, seed: int) -> Tracker:
        from cvbench_tasks.sot.atom_tracker import AtomTracker

        return AtomTracker(self, seed)


def pool(features: Tensor, boxes: Tensor, points: int) -> Tensor:
    """(n, k, channels, points, points): boxes (n, k, 4) in crop pixels, each cell the mean of four points in it."""
    count, many = boxes.shape[:2]
    shares = (torch.arange(2 * points, device=boxes.device) + 0.5) / (2 * points)
    across = boxes[..., 0:1] + shares * (boxes[..., 2:3] - boxes[..., 0:1])
    down = boxes[..., 1:2] + shares * (boxes[..., 3:4] - boxes[..., 1:2])
    shape = (count, many, 2 * points, 2 * points)
    grid = torch.stack([across[:, :, None, :].expand(shape), down[..., None].expand(shape)], -1)
    grid = (grid - CROP / 2) / (CELLS * STRIDE / 2)  # cells are centred in the crop; -1 and 1 are their outer edges
    sampled = nn.functional.grid_sample(
        features.float(), grid.reshape(count, many * 2 * points, 2 * points, 2), align_corners=False
    )
    cells = nn.functional.avg_pool2d(sampled, 2)
    return cells.reshape(count, -1, many, points, points).transpose(1, 2)


def centred(box: FloatArray) -> FloatArray:
    """(4,) the square part of a frame that a crop around this box shows."""
    centre, size = centres_and_sizes(squares(box, 0.0))
    return around(centre, TIMES * size)


def off_centre(box: FloatArray, rng: np.random.Generator) -> FloatArray:
    """As :func:`centred`, but the object is anywhere near the middle and a little larger or smaller."""
    centre, size = centres_and_sizes(centred(box))
    return around(centre + rng.uniform(-0.2, 0.2, 2) * size, size * np.exp(rng.uniform(-0.2, 0.2)))


def features_of(net: Atom, frame: UInt8Array, regions: FloatArray, device: str) -> Tensor:
    """float32 (n, channels, CELLS, CELLS) of the crops at regions (n, 4) of a frame."""
    found: Tensor = net.features(crops(frame, regions, CROP, device))
    return found
