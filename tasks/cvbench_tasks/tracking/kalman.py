"""SORT's Kalman filter of a box (Bewley et al., arXiv 1602.00763, section 3.2), in OpenCV's implementation."""

from __future__ import annotations

import cv2
import numpy as np

from cvbench.samples import AnyArray, FloatArray
from cvbench_tasks.tracking.sort import BoxFilter

UNKNOWN = 1e4  # variance of a velocity that nothing is known of yet
LEAST_SIDE = 1.0  # pixels of a box that the filter tells of


class KalmanBox(BoxFilter):
    """State: centre u, v, area s, ratio r of width to height, and the velocities of u, v and s; r stays.

    The noise is that of the authors' code, in pixels.
    """

    def __init__(self, box: FloatArray) -> None:
        self.filter = cv2.KalmanFilter(7, 4, 0, cv2.CV_64F)
        self.filter.transitionMatrix = np.eye(7) + np.eye(7, k=4)
        self.filter.measurementMatrix = np.eye(4, 7)
        self.filter.processNoiseCov = np.diag([1, 1, 1, 1, 1e-2, 1e-2, 1e-4])
        self.filter.measurementNoiseCov = np.diag([1.0, 1, 10, 10])
        self.filter.errorCovPost = np.diag([10.0, 10, 10, 10, UNKNOWN, UNKNOWN, UNKNOWN])
        self.filter.statePost = np.concatenate([_measured(box), np.zeros(3)])[:, None]

    def predict(self) -> FloatArray:
        state = self.filter.statePost
        if state[2, 0] + state[6, 0] <= 0:  # it would shrink to nothing
            state[6, 0] = 0
            self.filter.statePost = state
        return _box(self.filter.predict())

    def correct(self, box: FloatArray) -> FloatArray:
        return _box(self.filter.correct(_measured(box)[:, None]))


def _measured(box: FloatArray) -> FloatArray:
    """u, v, s, r."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    return np.array([(x1 + x2) / 2, (y1 + y2) / 2, width * height, width / height])


def _box(state: AnyArray) -> FloatArray:
    u, v, area, ratio = state.ravel()[:4].tolist()
    width = max(area * ratio, LEAST_SIDE**2) ** 0.5
    height = max(area / width, LEAST_SIDE)
    return np.array([u - width / 2, v - height / 2, u + width / 2, v + height / 2])
