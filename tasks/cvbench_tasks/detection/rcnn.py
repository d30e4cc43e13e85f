"""``rcnn``: cut out every proposal, warp it to a square, and ask a CNN, linear SVMs and a box regression about it.

Girshick et al., arXiv 1311.2524: (1) proposals; (2) a CNN trained to tell the warped regions apart; (3) on its
features one linear SVM per class; (4) a ridge regression per class from features to a better box. What differs from
the paper: a small CNN from scratch in the place of AlexNet, squares of 32 pixels, and no second round of hard
negatives.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.svm import LinearSVC
from torch import Tensor, nn
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import batched_nms, box_iou, roi_align

from cvbench.contracts import Augmentation, Budget, Progress, Workplace
from cvbench.samples import AnyArray, Dataset, DatasetSpec
from cvbench_tasks.detection.batches import Batches
from cvbench_tasks.detection.detections import Detections
from cvbench_tasks.detection.detector import PREDICT_BATCH, Detector
from cvbench_tasks.detection.fast_rcnn import convolutions
from cvbench_tasks.detection.models import ProposalOptions
from cvbench_tasks.detection.network import Network, Target
from cvbench_tasks.detection.proposals import proposals

SQUARE = 32  # pixels a side that every region is warped to
CONTEXT = 1.2  # the region is cut out so much larger than its box
PER_PICTURE, POSITIVE = 32, 0.25  # regions of a training batch, and the share of objects among them
OBJECT, NOTHING, CLOSE = 0.5, 0.3, 0.6  # overlap: the CNN's objects, the SVMs' negatives, the regression's regions
FEATURES = 128
MOST_PROPOSALS = 20_000  # that the SVMs are fitted on, besides all objects
SUPPRESSED = 0.3  # overlap of two boxes of one class


class Rcnn(Network):
    """The CNN, and the SVMs and regressions as arrays beside it: (K, D) weights and (K,) biases, (K, 4, D + 1)."""

    svm_weights: Tensor
    svm_biases: Tensor
    regressions: Tensor

    def __init__(self, spec: DatasetSpec, options: ProposalOptions) -> None:
        super().__init__()
        self.method, classes, width = options.proposals, len(spec.classes), options.width
        self.size = (spec.height, spec.width)
        self.cnn = nn.Sequential(
            convolutions(spec.channels, width),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * width * (SQUARE // 8) ** 2, FEATURES),
            nn.ReLU(inplace=True),
        )
        self.softmax = nn.Linear(FEATURES, classes + 1)  # only while the CNN learns; class 0 is the background
        self.register_buffer("svm_weights", torch.zeros(classes, FEATURES))
        self.register_buffer("svm_biases", torch.full((classes,), -10.0))
        self.register_buffer("regressions", torch.zeros(classes, 4, FEATURES + 1))

    def forward(self, pictures: Tensor, targets: list[Target]) -> dict[str, Tensor]:
        chosen, labels = [], []
        for boxes, target in zip(proposals(pictures, self.method), targets, strict=True):
            every = torch.cat([target["boxes"], boxes])
            overlap, nearest = _overlaps(every, target["boxes"])
            is_object = overlap >= OBJECT
            own = torch.cat(
                [
                    _some(is_object, round(PER_PICTURE * POSITIVE)),
                    _some(~is_object, round(PER_PICTURE * (1 - POSITIVE))),
                ]
            )
            chosen.append(every[own])
            labels.append(_labels(target, nearest[own], is_object[own]))
        logits = self.softmax(self.cnn(warped(pictures, chosen)))
        return {"cross-entropy": nn.functional.cross_entropy(logits.float(), torch.cat(labels))}

    def detect(self, pictures: Tensor) -> list[Detections]:
        looked_at = proposals(pictures, self.method)
        features = self.cnn(warped(pictures, looked_at)).split([len(boxes) for boxes in looked_at])
        return [self._detections(boxes, own) for boxes, own in zip(looked_at, features, strict=True)]

    def _detections(self, boxes: Tensor, features: Tensor) -> Detections:
        """Every proposal as every class, moved by that class's regression, the overlapping ones suppressed."""
        count, classes = len(boxes), len(self.svm_biases)
        scores = (features @ self.svm_weights.T + self.svm_biases).sigmoid().T.flatten()  # class after class
        extended = torch.cat([features, features.new_ones(count, 1)], 1)
        offsets = torch.einsum("kod,nd->kno", self.regressions, extended).reshape(-1, 4)
        moved = BoxCoder((1.0, 1.0, 1.0, 1.0)).decode_single(offsets, boxes.repeat(classes, 1))
        height, width = self.size
        moved = moved.clamp(min=0).minimum(moved.new_tensor([width, height, width, height]))
        labels = torch.arange(classes, device=boxes.device).repeat_interleave(count)
        kept = batched_nms(moved, scores, labels, SUPPRESSED)[:100]
        return Detections(moved[kept].cpu().numpy(), scores[kept].cpu().numpy(), labels[kept].cpu().numpy())


class RcnnDetector(Detector):
    """The CNN by the shared loop, then SVMs and regressions on its features of the training pictures."""

    net: Rcnn

    def train(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        budget: Budget,
        augmentation: Augmentation,
        seed: int,
        progress: Progress,
        workplace: Workplace,
    ) -> None:
        # before there are SVMs nothing can be scored on val: the last weights count
        super().train(
            train, None, budget=budget, augmentation=augmentation, seed=seed, progress=progress, workplace=workplace
        )
        features, offsets, overlap = self._regions(train, seed)
        nearest = overlap.argmax(axis=1)
        for label in range(len(self.net.svm_biases)):
            own = overlap[:, label]
            self._fit_svm(label, features, own == 1, own < NOTHING, seed)
            close = (nearest == label) & (own > CLOSE)
            self._fit_regression(label, features[close], offsets[close])

    def _fit_svm(self, label: int, features: AnyArray, objects: AnyArray, others: AnyArray, seed: int) -> None:
        """The objects of a class against regions without one of it: what overlaps one a little is neither."""
        if not (objects.any() and others.any()):
            return
        used = objects | others
        svm = LinearSVC(C=1e-2, class_weight="balanced", random_state=seed % 2**32, max_iter=2000)
        svm.fit(features[used], objects[used])
        self.net.svm_weights[label] = torch.from_numpy(svm.coef_[0]).float()
        self.net.svm_biases[label] = float(svm.intercept_[0])

    def _fit_regression(self, label: int, features: AnyArray, offsets: AnyArray) -> None:
        if len(features) < 2:
            return
        ridge = Ridge(alpha=10.0).fit(features, offsets)
        self.net.regressions[label] = torch.from_numpy(np.column_stack([ridge.coef_, ridge.intercept_])).float()

    def _regions(self, data: Dataset, seed: int) -> tuple[AnyArray, AnyArray, AnyArray]:
        """Of all objects and some proposals: features (m, D), offsets to the nearest object (m, 4), and overlaps
        (m, K), the greatest with an object of each class.
        """
        net, batches, parts = self.net, Batches(data, self.device), []
        net.eval()
        for places in torch.split(torch.arange(len(data)), PREDICT_BATCH):
            pictures, targets = batches(places)
            for picture, target, boxes in zip(pictures, targets, proposals(pictures, net.method), strict=True):
                every = torch.cat([target["boxes"], boxes])
                if len(every):
                    with torch.no_grad():
                        features = net.cnn(warped(picture[None], [every]))
                    parts.append((features, _offsets(every, target), _by_class(every, target, len(net.svm_biases))))
        features, offsets, overlap = (torch.cat(column).cpu().numpy() for column in zip(*parts, strict=True))
        is_object = (overlap == 1).any(axis=1)
        others = np.random.default_rng(seed).permutation(np.flatnonzero(~is_object))[:MOST_PROPOSALS]
        chosen = np.concatenate([np.flatnonzero(is_object), others])
        return features[chosen], offsets[chosen], overlap[chosen]


def warped(pictures: Tensor, boxes: list[Tensor]) -> Tensor:
    """float (m, C, SQUARE, SQUARE): what is in each box and a little around it, whatever its shape."""
    around = []
    for own in boxes:
        centres, sides = (own[:, :2] + own[:, 2:]) / 2, (own[:, 2:] - own[:, :2]) * CONTEXT
        around.append(torch.cat([centres - sides / 2, centres + sides / 2], 1))
    cut: Tensor = roi_align(pictures.float(), around, SQUARE, sampling_ratio=1, aligned=True)
    return cut


def _offsets(boxes: Tensor, target: Target) -> Tensor:
    """(m, 4) from each box to the nearest object; 0 without any."""
    if not len(target["boxes"]):
        return torch.zeros_like(boxes)
    _, nearest = _overlaps(boxes, target["boxes"])
    offsets: Tensor = BoxCoder((1.0, 1.0, 1.0, 1.0)).encode_single(target["boxes"][nearest], boxes)
    return offsets


def _by_class(boxes: Tensor, target: Target, classes: int) -> Tensor:
    """(m, K) the greatest intersection over union with an object of each class."""
    found = boxes.new_zeros(len(boxes), classes)
    for label in set(target["labels"].tolist()):
        found[:, label], _ = _overlaps(boxes, target["boxes"][target["labels"] == label])
    return found


def _overlaps(boxes: Tensor, objects: Tensor) -> tuple[Tensor, Tensor]:
    """(m,) the greatest intersection over union with an object, and that object's number; 0 and 0 without any."""
    if not len(objects):
        return boxes.new_zeros(len(boxes)), torch.zeros(len(boxes), dtype=torch.long, device=boxes.device)
    overlap, nearest = box_iou(boxes, objects).max(1)
    return overlap, nearest


def _labels(target: Target, nearest: Tensor, is_object: Tensor) -> Tensor:
    if not len(target["labels"]):
        return torch.zeros_like(nearest)
    return torch.where(is_object, target["labels"][nearest] + 1, 0)


def _some(wanted: Tensor, count: int) -> Tensor:
    """At most so many places where this is true, drawn at random."""
    places = wanted.nonzero()[:, 0]
    return places[torch.randperm(len(places), device=places.device)[:count]]
