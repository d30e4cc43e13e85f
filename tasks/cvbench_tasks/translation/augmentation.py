"""The regime ``augment`` for restoration: the pictures that are corrupted and restored are themselves varied."""

from __future__ import annotations

import numpy as np
import torch
from torchvision.transforms import v2

from cvbench.contracts import Budget
from cvbench.samples import LabelledImages
from cvbench.seeds import derive_seed
from cvbench.training import to_tensor
from cvbench_tasks.classification.augmentation import Augment, in_groups, strong_affine

ROUNDS = 4  # at most so many times the training pictures: they are made before the fit and held in memory


def strongly_augmented(train: LabelledImages, budget: Budget, seed: int) -> LabelledImages:
    """As many augmented pictures as the budget sees, no fewer than ``train`` has and at most ``ROUNDS`` times that."""
    count = max(len(train), min(ROUNDS * len(train), budget.steps * budget.batch_size))
    order = np.random.default_rng(derive_seed(seed, "augmented places"))
    places = np.concatenate([order.permutation(len(train)) for _ in range(ROUNDS)])[:count]
    chosen = train.select(places)
    torch.manual_seed(derive_seed(seed, "augmentation"))
    varied = in_groups(_strong(train.spec.channels), to_tensor(chosen.images, "cpu"))
    return LabelledImages(train.spec, varied.permute(0, 2, 3, 1).contiguous().numpy(), chosen.labels)


def _strong(channels: int) -> Augment:
    """Affine as in classification, and for RGB colour jitter; no erasing, a hole is not to be learnt as a picture."""
    affine = strong_affine()
    return v2.Compose([affine, v2.ColorJitter(0.3, 0.3, 0.3)]) if channels == 3 else affine
