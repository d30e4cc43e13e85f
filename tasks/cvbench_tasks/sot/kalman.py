"""``kalman``: a Kalman filter (Kalman 1960; OpenCV's) of constant velocity, measured at the likeliest place nearby."""

from __future__ import annotations

import cv2
import numpy as np

from cvbench.samples import FloatArray, UInt8Array
from cvbench_tasks.sot.boxes import around, centres_and_sizes, kept_inside
from cvbench_tasks.sot.likelihoods import LIKELIHOODS
from cvbench_tasks.sot.models import KalmanOptions
from cvbench_tasks.sot.one_pass import Tracker

PLACES = 21  # per side of the grid that is looked at around the predicted place
SCALES = (0.95, 1.0, 1.05)
NOT_LIKE_IT = 0.05  # a worst likelihood that is still divided by


class KalmanTracker(Tracker):
    """State x, y, their velocities, and the size's scale; lengths in units of the object's first size.

    The less a place looks like the object, the less its measurement counts; below ``least`` it does not count at all
    and the filter coasts.
    """

    def __init__(self, options: KalmanOptions) -> None:
        self.options = options
        self.likelihood = LIKELIHOODS[options.likelihood]()

    def start(self, frame: UInt8Array, box: FloatArray) -> None:
        box = kept_inside(box, frame.shape)
        centre, self.size = centres_and_sizes(box)
        self.unit = float(np.sqrt(self.size.prod()))
        self.likelihood.learn(frame, box)
        motion, place, scale = self.options.motion**2, 0.1**2, 0.05**2
        self.filter = cv2.KalmanFilter(5, 3, 0, cv2.CV_64F)
        self.filter.transitionMatrix = np.eye(5) + np.eye(5, k=2) * [[1], [1], [0], [0], [0]]
        self.filter.measurementMatrix = np.eye(5)[[0, 1, 4]]
        self.filter.processNoiseCov = np.diag([motion / 4, motion / 4, motion, motion, scale / 4])
        self.noise = np.diag([place, place, scale])
        self.filter.statePost = np.array([*(centre / self.unit), 0, 0, 1])[:, None]
        self.filter.errorCovPost = np.diag([place, place, 1, 1, scale])

    def follow(self, frame: UInt8Array) -> FloatArray:
        x, y, _, _, scale = self.filter.predict().ravel()
        boxes, states = self._candidates(np.array([x, y]), float(scale))
        likeness = self.likelihood(frame, boxes)
        best = int(likeness.argmax())
        if likeness[best] > self.options.least:
            self.filter.measurementNoiseCov = self.noise / max(likeness[best], NOT_LIKE_IT) ** 2
            self.filter.correct(states[best][:, None])
        x, y, _, _, scale = self.filter.statePost.ravel()  # the prediction, if nothing corrected it
        return kept_inside(around(np.array([x, y]) * self.unit, self.size * scale), frame.shape)

    def _candidates(self, place: FloatArray, scale: float) -> tuple[FloatArray, FloatArray]:
        """Boxes float64 (n, 4) in pixels of a grid over places and scales, and what each would measure, (n, 3)."""
        steps = np.linspace(-self.options.reach, self.options.reach, PLACES)
        grid = np.stack(np.meshgrid(place[0] + steps, place[1] + steps, np.array(SCALES) * scale), axis=-1)
        states = grid.reshape(-1, 3)
        return around(states[:, :2] * self.unit, self.size * states[:, 2:]), states
