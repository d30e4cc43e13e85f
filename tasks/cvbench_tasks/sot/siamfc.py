"""``siamfc``: fully-convolutional Siamese tracking (Bertinetto et al., arXiv 1606.09549), in small.

One network embeds the first frame's crop (the exemplar) and a larger crop of the present frame (the search picture);
their cross-correlation is high where the object is. The exemplar is never updated.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cvbench.samples import FloatArray, UInt8Array
from cvbench_tasks.sot.backbone import STRIDE, backbone
from cvbench_tasks.sot.boxes import around, centres_and_sizes, kept_inside, squares
from cvbench_tasks.sot.crops import crops
from cvbench_tasks.sot.draws import Draws
from cvbench_tasks.sot.learnt import Batch, Network
from cvbench_tasks.sot.models import SiamFcOptions
from cvbench_tasks.sot.one_pass import Tracker

EXEMPLAR, SEARCH = 48, 96  # pixels per side of the crops, at one scale: both show as many pixels per object
CELLS = (SEARCH - EXEMPLAR) // STRIDE + 1  # of the response, per side
CONTEXT = 1.0
NEAR = 3.0  # pixels of the search crop: cells this near to the object's centre are positive
SCALES = 1.0375 ** np.array([-1, 0, 1])
FINER = 8  # times that the response is interpolated
LARGEST = (0.2, 5.0)  # of the first frame's size: what the object's may become


class SiamFc(Network):
    """The embedding, and what turns a correlation into a logit."""

    def __init__(self, channels: int, options: SiamFcOptions) -> None:
        super().__init__()
        self.options = options
        self.embed = backbone(channels, options.width)
        self.gain, self.bias = nn.Parameter(torch.tensor(0.01)), nn.Parameter(torch.zeros(()))

    def batch(self, draws: Draws, rng: np.random.Generator, count: int) -> Batch:
        """Crops around the object in two frames of a video, in the search picture anywhere near the middle."""
        pairs = [draws.pair(rng, self.options.gap) for _ in range(count)]
        exemplars = [crops(z.frame, squares(z.box, CONTEXT)[None], EXEMPLAR, "cpu") for z, _ in pairs]
        searched, off = [], []
        for _, x in pairs:
            centre, size = centres_and_sizes(squares(x.box, CONTEXT))
            side = size * SEARCH / EXEMPLAR
            shift = rng.uniform(-1, 1, 2) * (CELLS // 4) * STRIDE / SEARCH * side
            searched.append(crops(x.frame, around(centre + shift, side)[None], SEARCH, "cpu"))
            off.append(-shift / side * SEARCH)
        return {
            "exemplars": torch.cat(exemplars),
            "searched": torch.cat(searched),
            "labels": torch.stack([_near(one) for one in off]),
        }

    def forward(self, batch: Batch) -> Tensor:
        """The logistic loss; the few positive cells weigh as much as the many negative ones."""
        logits = self.respond(self.embed(batch["exemplars"]), self.embed(batch["searched"]))
        labels = batch["labels"]
        share = labels.mean((1, 2), keepdim=True).clamp(1e-3, 1 - 1e-3)
        weights = torch.where(labels > 0, 0.5 / share, 0.5 / (1 - share))
        return nn.functional.binary_cross_entropy_with_logits(logits.float(), labels, weights)

    def respond(self, exemplars: Tensor, searched: Tensor) -> Tensor:
        """Logits (n, CELLS, CELLS): each exemplar's embedding slid over its search picture's."""
        count, channels = searched.shape[:2]
        grouped = searched.reshape(1, count * channels, *searched.shape[2:])
        filters = exemplars.expand(count, -1, -1, -1)
        response = nn.functional.conv2d(grouped, filters.reshape(count, *exemplars.shape[1:]), groups=count)[0]
        return self.gain * response / exemplars.shape[-1] + self.bias

    def tracker(self, seed: int) -> Tracker:
        return SiamFcTracker(self)


class SiamFcTracker(Tracker):
    """SiamFC-3s: the search picture at three scales, a cosine window against leaps."""

    def __init__(self, net: SiamFc) -> None:
        self.net, self.options = net, net.options
        self.device = net.bias.device.type
        one = np.hanning(CELLS * FINER + 2)[1:-1]
        self.window = np.outer(one, one)

    @torch.no_grad()
    def start(self, frame: UInt8Array, box: FloatArray) -> None:
        self.box = kept_inside(box, frame.shape)
        self.first_size = centres_and_sizes(self.box)[1]
        self.exemplar = self.net.embed(crops(frame, squares(self.box, CONTEXT)[None], EXEMPLAR, self.device))

    @torch.no_grad()
    def follow(self, frame: UInt8Array) -> FloatArray:
        centre, size = centres_and_sizes(self.box)
        side = centres_and_sizes(squares(self.box, CONTEXT))[1] * SEARCH / EXEMPLAR
        searched = crops(frame, around(np.tile(centre, (3, 1)), np.outer(SCALES, side)), SEARCH, self.device)
        response = self.net.respond(self.exemplar, self.net.embed(searched))
        fine = nn.functional.interpolate(response[:, None], scale_factor=FINER, mode="bicubic")[:, 0]
        logits = fine.double().cpu().numpy()
        penalty = np.log(np.where(SCALES == 1, 1, self.options.scale_penalty))
        best = int((logits.max(axis=(1, 2)) + penalty).argmax())
        chances = (logits[best] - logits[best].min()) / max(float(np.ptp(logits[best])), 1e-12)
        steady = (1 - self.options.window) * chances + self.options.window * self.window
        row, column = np.unravel_index(int(steady.argmax()), steady.shape)
        cells = (np.array([column, row]) + 0.5) / FINER - CELLS / 2
        moved = centre + cells * STRIDE / SEARCH * side * SCALES[best]
        rate = self.options.scale_rate
        size = np.clip(size * (1 - rate + rate * SCALES[best]), *np.outer(LARGEST, self.first_size))
        self.box = kept_inside(around(moved, size), frame.shape)
        return self.box


def _near(off: FloatArray) -> Tensor:
    """float (CELLS, CELLS): 1 for the cells near an object that is ``off`` pixels of the crop from its centre."""
    places = (np.arange(CELLS) - (CELLS - 1) / 2) * STRIDE
    distance = np.hypot(places[None, :] - off[0], places[:, None] - off[1])
    return torch.from_numpy((distance <= NEAR).astype(np.float32))
