"""OpenCV's own trackers: CSRT (arXiv 1611.08461), KCF (arXiv 1404.7584) and MIL (Babenko et al., CVPR 2009)."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import cv2
import numpy as np

from cvbench.errors import NotApplicable, NotInstalled
from cvbench.samples import FloatArray, UInt8Array
from cvbench_tasks.opencv_contrib import repair
from cvbench_tasks.sot.boxes import kept_inside
from cvbench_tasks.sot.one_pass import Tracker

MAKERS = {"csrt": "TrackerCSRT_create", "kcf": "TrackerKCF_create", "mil": "TrackerMIL_create"}


def check_there(name: str) -> None:
    """Raise :class:`NotInstalled` with the exact repair when the installed OpenCV lacks this tracker."""
    if not hasattr(cv2, MAKERS[name]):
        raise NotInstalled(f"the installed OpenCV has no {name.upper()} tracker: {repair()}")


class OpenCvTracker(Tracker):
    """Any of ``MAKERS``, at OpenCV's own settings. Where it reports a loss, the box stays where it was.

    ``lost`` bool: whether it reported one in the last frame. Raises :class:`NotInstalled` as :func:`check_there`, and
    :class:`NotApplicable` for an object that fills the first frame.
    """

    lost = False

    def __init__(self, name: str, seed: int) -> None:
        check_there(name)
        _seed_chance(seed)
        self.tracker: Any = getattr(cv2, MAKERS[name])()

    def start(self, frame: UInt8Array, box: FloatArray) -> None:
        self.box = kept_inside(box, frame.shape)
        height, width = frame.shape[:2]  # OpenCV's trackers begin on what is in the picture: MIL fails on more
        x1, y1, x2, y2 = np.rint(self.box).astype(int).clip(0, [width, height, width, height]).tolist()
        try:
            self.tracker.init(_bgr(frame), (x1, y1, x2 - x1, y2 - y1))
        except cv2.error:  # MIL, without a place beside the object to learn from
            where = f"{x2 - x1} by {y2 - y1} pixels of {width} by {height}"
            raise NotApplicable(f"OpenCV's tracker cannot begin on this object: {where}") from None

    def follow(self, frame: UInt8Array) -> FloatArray:
        found, (x, y, width, height) = self.tracker.update(_bgr(frame))
        self.lost = not found
        if found:
            self.box = kept_inside(np.array([x, y, x + width, y + height]), frame.shape)
        return self.box


def _seed_chance(seed: int) -> None:
    """MIL draws its patches from OpenCV's global generator and its features from C's; no other way in is offered."""
    cv2.setRNGSeed(seed % 2**31)
    if os.name == "posix":  # elsewhere the wheel has a C library of its own, and MIL does not repeat
        ctypes.CDLL(None).srand(seed % 2**31)


def _bgr(frame: UInt8Array) -> UInt8Array:
    """OpenCV's order; grey becomes three equal channels, which these trackers ask for."""
    to = cv2.COLOR_GRAY2BGR if frame.shape[2] == 1 else cv2.COLOR_RGB2BGR
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), to), np.uint8)
