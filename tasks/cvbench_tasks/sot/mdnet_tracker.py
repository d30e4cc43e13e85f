"""How ``mdnet`` tracks: candidates are scored by layers that are trained on the first frame and updated on the way.

Nam & Han, arXiv 1510.07945, section 3.3 and 4: hard negatives, updates from a long and a short memory, and a
regression of the box learnt on the first frame; all with fewer samples.
"""

from __future__ import annotations

import copy
from collections import deque

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.samples import FloatArray, UInt8Array
from cvbench_tasks.sot.box_draws import jittered, overlapping
from cvbench_tasks.sot.boxes import around, centres_and_sizes, kept_inside, overlaps
from cvbench_tasks.sot.mdnet import HIDDEN, POSITIVE, MdNet, patches_of
from cvbench_tasks.sot.one_pass import Tracker

FIRST, LATER = (100, 400), (20, 60)  # positive and negative examples of the first frame, and of each later one
BESIDE = (0.0, 0.3)  # overlap of online negatives
BATCH = (32, 96)  # positives and hard negatives of an update
SEARCHED = 4  # times as many negatives that the hard ones are chosen from
LONG, SHORT = 100, 20  # frames whose positives and negatives are kept
RATE, MOMENTUM = 3e-3, 0.9
PLACE, SCALE = 0.3, 0.05  # deviations of the candidates
BEST = 5  # candidates that the answer is the mean of
REGRESSED, RIDGE = (0.6, 1.0), 1000.0  # overlaps that the box regression learns from, and its penalty


class MdNetTracker(Tracker):
    """The weights of ``net`` are never changed: the online layers are a copy."""

    def __init__(self, net: MdNet, seed: int) -> None:
        self.net, self.options, self.rng = net, net.options, np.random.default_rng(seed)
        self.device = next(net.parameters()).device.type
        top = nn.Linear(HIDDEN, 1, device=self.device)
        with torch.no_grad():
            top.weight.copy_(torch.from_numpy(self.rng.normal(0, 0.01, (1, HIDDEN))))
            top.bias.zero_()
        self.online = nn.Sequential(copy.deepcopy(net.shared), top).requires_grad_(True)
        self.optimizer = torch.optim.SGD(self.online.parameters(), RATE, MOMENTUM, weight_decay=5e-4)

    def start(self, frame: UInt8Array, box: FloatArray) -> None:
        self.box, self.number = kept_inside(box, frame.shape), 0
        self.positives: deque[Tensor] = deque(maxlen=LONG)
        self.negatives: deque[Tensor] = deque(maxlen=SHORT)
        self._remember(frame, *FIRST)
        self._update(self.options.first_steps, LONG)
        self._learn_the_box(frame)

    def follow(self, frame: UInt8Array) -> FloatArray:
        self.number += 1
        candidates = jittered(self.box, self.options.candidates, PLACE, SCALE, self.rng)
        features = self._features(frame, candidates)
        with torch.no_grad():
            logits = self.online(features)[:, 0]
        surest = logits.topk(min(BEST, len(candidates)))
        found = float(surest.values.mean()) > 0
        if found:
            self.box = kept_inside(candidates[surest.indices.cpu().numpy()].mean(axis=0), frame.shape)
            self._remember(frame, *LATER)
        if not found:
            self._update(self.options.later_steps, SHORT)
        elif self.number % self.options.update_every == 0:
            self._update(self.options.later_steps, LONG)
        return self._refined(frame) if found else self.box

    def _remember(self, frame: UInt8Array, on: int, beside: int) -> None:
        for memory, count, bounds in ((self.positives, on, POSITIVE), (self.negatives, beside, BESIDE)):
            boxes = overlapping(self.box, count, *bounds, frame.shape, self.rng)
            if len(boxes):
                memory.append(self._features(frame, boxes))

    def _update(self, steps: int, frames: int) -> None:
        """Steps of gradient descent on positives of the last so many frames and on the hardest of the negatives."""
        if not self.positives or not self.negatives:
            return
        positives, negatives = torch.cat(list(self.positives)[-frames:]), torch.cat(list(self.negatives))
        for _ in range(steps):
            on = positives[self.rng.integers(len(positives), size=BATCH[0])]
            drawn = negatives[self.rng.integers(len(negatives), size=SEARCHED * BATCH[1])]
            with torch.no_grad():
                hard = drawn[self.online(drawn)[:, 0].topk(BATCH[1]).indices]
            logits = self.online(torch.cat([on, hard]))[:, 0]
            labels = torch.cat([logits.new_ones(len(on)), logits.new_zeros(len(hard))])
            loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()

    def _learn_the_box(self, frame: UInt8Array) -> None:
        """Ridge regression from a patch's features to where the object's box is (Girshick et al., arXiv 1311.2524)."""
        boxes = overlapping(self.box, FIRST[0], *REGRESSED, frame.shape, self.rng)
        (centres, sizes), (goal, size) = centres_and_sizes(boxes), centres_and_sizes(self.box)
        targets = np.hstack([(goal - centres) / sizes, np.log(size / sizes)])
        features = self._features(frame, boxes).double()
        kernel = features @ features.T + RIDGE * torch.eye(len(boxes), device=self.device)
        self.regression = features.T @ torch.linalg.solve(kernel, torch.from_numpy(targets).to(self.device))

    def _refined(self, frame: UInt8Array) -> FloatArray:
        """The box as the regression corrects it; the search goes on from the uncorrected one."""
        dx, dy, dw, dh = (self._features(frame, self.box[None]).double() @ self.regression)[0].tolist()
        centre, size = centres_and_sizes(self.box)
        moved = around(centre + size * [dx, dy], size * np.exp(np.clip([dw, dh], -0.5, 0.5)))
        believable = overlaps(moved, self.box) >= REGRESSED[0]
        return kept_inside(moved if believable else self.box, frame.shape)

    @torch.no_grad()
    def _features(self, frame: UInt8Array, boxes: FloatArray) -> Tensor:
        features: Tensor = self.net.features(patches_of(frame, boxes, self.device))
        return features
