"""How ``atom`` tracks: an online classifier finds the object, ascent on the predicted overlap fits the box.

Danelljan et al., arXiv 1811.07628, section 3.2 and 3.3. The classifier is one convolution: its least-squares problem
is then quadratic, and Gauss-Newton is plain conjugate gradients.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight

from cvbench.samples import FloatArray, UInt8Array
from cvbench_tasks.sot.atom import CELLS, CROP, TIMES, Atom, centred, features_of
from cvbench_tasks.sot.backbone import STRIDE
from cvbench_tasks.sot.boxes import around, centres_and_sizes, kept_inside
from cvbench_tasks.sot.crops import in_crop, in_frame
from cvbench_tasks.sot.one_pass import Tracker

FILTER = 5  # cells per side
PENALTY = 0.01
WIDE = 0.25  # standard deviation of the target, as a share of the object's side
SHIFTS = 0.6  # of the object's side: how far the first frame's further samples are off
FIRST_SAMPLES = 9
FIRST_WEIGHT = 3.0  # of a first frame's sample against one taken on the way
LOST = 0.2  # peak of the classifier (1 on the object) below which it does not count as found
STARTS, MEAN_OF = 10, 3  # boxes to climb from, and how many of the best are averaged
SPREAD = 0.08  # of these boxes: standard deviation of place, in sides, and of log size
RATE, LONGEST = 1.0, 0.1  # of a climb's steps, in the same units
FINER = 4  # times that the classifier's map is interpolated


class AtomTracker(Tracker):
    """The weights of ``net`` are never changed; the filter is the tracker's own."""

    def __init__(self, net: Atom, seed: int) -> None:
        self.net, self.options, self.rng = net, net.options, np.random.default_rng(seed)
        self.device = next(net.parameters()).device.type
        hanning = np.hanning(CELLS * FINER + 2)[1:-1]
        self.window = np.outer(hanning, hanning)

    @torch.no_grad()
    def start(self, frame: UInt8Array, box: FloatArray) -> None:
        self.box, self.number = kept_inside(box, frame.shape), 0
        self.first_size = centres_and_sizes(self.box)[1]
        region = centred(self.box)
        features = features_of(self.net, frame, region[None], self.device)
        self.reference = self.net.reference(features, self._tensor(in_crop(self.box, region, CROP))[None])
        self.norm = features.square().mean().sqrt().clamp_min(1e-6)
        self.first: list[tuple[Tensor, Tensor]] = []
        self.later: deque[tuple[Tensor, Tensor]] = deque(maxlen=self.options.memory)
        centre, size = centres_and_sizes(region)
        for number in range(FIRST_SAMPLES):
            shift = self.rng.uniform(-SHIFTS, SHIFTS, 2) / TIMES * size if number else np.zeros(2)
            self.first.append(self._sample(frame, around(centre + shift, size)))
        self.filter = torch.zeros(1, features.shape[1], FILTER, FILTER, device=self.device)
        self._improve(self.options.first_steps)

    @torch.no_grad()
    def follow(self, frame: UInt8Array) -> FloatArray:
        self.number += 1
        region = centred(self.box)
        features = features_of(self.net, frame, region[None], self.device)
        likely = nn.functional.interpolate(self._classified(features / self.norm), scale_factor=FINER, mode="bicubic")
        scores = likely[0, 0].double().cpu().numpy()
        row, column = np.unravel_index(int((scores * self.window).argmax()), scores.shape)
        if scores[row, column] > LOST:
            place = CROP / 2 + ((np.array([column, row]) + 0.5) / FINER - CELLS / 2) * STRIDE
            start = around(place, centres_and_sizes(in_crop(self.box, region, CROP))[1])
            moved, size = centres_and_sizes(in_frame(self._climbed(features, start), region, CROP))
            scale = np.sqrt((size / self.first_size).prod())  # the last box may be cut to the picture, this one is not
            self.box = kept_inside(around(moved, scale * self.first_size), frame.shape)
            self.later.append(self._sample(frame, region))
        if self.number % self.options.update_every == 0:
            self._improve(self.options.later_steps)
        return self.box

    def _climbed(self, features: Tensor, start: FloatArray) -> FloatArray:
        """(4,) in crop pixels: places and sizes around ``start`` after steps up the overlap, the best ones' mean.

        The aspect stays the first frame's: a predictor as small as this one leans towards squarer boxes, and a little
        in each frame is soon much.
        """
        centre, size = (self._tensor(part) for part in centres_and_sizes(start))
        prepared = self.net.prepare(features)

        def boxes(offsets: Tensor) -> Tensor:
            """(1, k, 4) of offsets (k, 3): the centre's in sides of the box, the logarithm of the size."""
            middle, sides = centre + offsets[:, :2] * size, size * offsets[:, 2:].exp()
            return torch.cat([middle - sides / 2, middle + sides / 2], dim=1)[None]

        offsets = self._tensor(self.rng.normal(0, SPREAD, (STARTS, 3)))
        offsets[0] = 0
        for _ in range(self.options.climb_steps):
            with torch.enable_grad():
                offsets = offsets.detach().requires_grad_(True)
                predicted = self.net.overlap(self.reference, prepared, boxes(offsets))
                (slope,) = torch.autograd.grad(predicted.sum(), offsets)
            offsets = offsets.detach() + (RATE * slope).clamp(-LONGEST, LONGEST)
        climbed = boxes(offsets)
        best = self.net.overlap(self.reference, prepared, climbed)[0].topk(MEAN_OF).indices
        return np.asarray(climbed[0, best].mean(0).double().cpu().numpy())

    def _sample(self, frame: UInt8Array, region: FloatArray) -> tuple[Tensor, Tensor]:
        """Features (1, channels, CELLS, CELLS) of a crop, and a Gaussian on the object's place in it."""
        centre, size = centres_and_sizes(in_crop(self.box, region, CROP))
        places = CROP / 2 + (np.arange(CELLS) - (CELLS - 1) / 2) * STRIDE
        wide = 2 * (WIDE * np.sqrt(size.prod())) ** 2
        bell = np.exp(-((places[None, :] - centre[0]) ** 2 + (places[:, None] - centre[1]) ** 2) / wide)
        return features_of(self.net, frame, region[None], self.device) / self.norm, self._tensor(bell)[None, None]

    def _classified(self, features: Tensor) -> Tensor:
        return nn.functional.conv2d(features, self.filter, padding=FILTER // 2)

    def _improve(self, steps: int) -> None:
        """Conjugate gradients on the samples' weighted squared errors and the filter's penalty (the paper's eq. 4)."""
        samples = [*self.first, *self.later]
        pictures, goals = (torch.cat([sample[part] for sample in samples]) for part in (0, 1))
        weights = torch.ones(len(samples), 1, 1, 1, device=self.device)
        weights[: len(self.first)] = FIRST_WEIGHT
        weights /= weights.sum()

        def slope(errors: Tensor) -> Tensor:
            found: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
                pictures, self.filter.shape, weights * errors, padding=FILTER // 2
            )
            return found

        def applied(direction: Tensor) -> Tensor:
            return slope(nn.functional.conv2d(pictures, direction, padding=FILTER // 2)) + PENALTY * direction

        residual = slope(goals) - applied(self.filter)
        direction, before = residual, residual.square().sum()
        for _ in range(steps):
            if before < 1e-12:
                break
            turned = applied(direction)
            length = before / (direction * turned).sum()
            self.filter = self.filter + length * direction
            residual = residual - length * turned
            after = residual.square().sum()
            direction, before = residual + after / before * direction, after

    def _tensor(self, values: FloatArray) -> Tensor:
        return torch.from_numpy(np.asarray(values)).float().to(self.device)
