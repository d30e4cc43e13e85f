"""How objects and the camera move: positions in pixels, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvbench.samples import FloatArray
from cvbench_generators.motion import Course

WAVER = 0.15  # standard deviation of the acceleration, in shares of the speed per frame
TURNS = 2  # the most sharp turns in a clip
SHARPEST = 2.0  # radians
WAVE = (0.5, 2.0)  # the amplitude of a sine course, in the object's own lengths
PERIOD = (12.0, 40.0)  # frames
PAN, SHAKE = 0.12, 0.004  # of the picture's side: how far it pans, the standard deviation of its shake
ZOOM = 0.15  # the camera's zoom changes by at most this share
ROOM = (1.05, 1.25)  # of a background that is enlarged, so that the camera has room to pan


def displacements(course: Course, speed: float, own_length: float, length: int, rng: np.random.Generator) -> FloatArray:
    """(L, 2): how far an object is from where it began, unhindered by the picture's edges."""
    heading = rng.uniform(0, 2 * np.pi)
    velocity = np.full((length, 2), speed * np.array([np.cos(heading), np.sin(heading)]))
    if course == "acceleration":
        velocity += rng.normal(0, WAVER * speed, (length, 2)).cumsum(axis=0)
    if course == "turn":
        middle = length // 4 + 1, max(length // 4 + 2, 3 * length // 4)
        for moment in rng.integers(*middle, rng.integers(1, TURNS + 1)):
            velocity[moment:] = velocity[moment:] @ _turned(rng.uniform(-SHARPEST, SHARPEST))
    way: FloatArray = velocity.cumsum(axis=0) - velocity[0]
    if course == "sine":
        sideways = np.array([-np.sin(heading), np.cos(heading)]) * rng.uniform(*WAVE) * own_length
        way += np.sin(2 * np.pi * np.arange(length) / rng.uniform(*PERIOD))[:, None] * sideways
    return way


def folded(path: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """The same path (L, 2), reflected wherever it would leave the box from ``low`` to ``high``, each (2,)."""
    room = np.maximum(high - low, 1e-6)
    along = np.mod(path - low, 2 * room)
    return np.asarray(low + np.minimum(along, 2 * room - along))


@dataclass(frozen=True)
class Camera:
    """``room``: by how much the background is enlarged. In frame k, what was at p in the first frame is at
    ``middle + zooms[k] * (p - middle) + shifts[k]``."""

    middle: FloatArray  # (2,)
    room: float
    zooms: FloatArray  # (L,), 1 in the first frame
    shifts: FloatArray  # (L, 2), 0 in the first frame

    def seen(self, path: FloatArray) -> FloatArray:
        """(L, 2) where the path lies in each frame's own pixels."""
        return np.asarray(self.middle + self.zooms[:, None] * (path - self.middle) + self.shifts)

    def matrix(self, frame: int) -> FloatArray:
        """(2, 3): from the background's pixels to the frame's."""
        scale = self.room * self.zooms[frame]
        offset = self.middle * (1 - scale) + self.shifts[frame]
        return np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])


def camera_of(width: int, height: int, length: int, amount: float, rng: np.random.Generator) -> Camera:
    """A camera that drifts, sways, zooms and shakes; ``amount`` 0 stands still."""
    side, time = np.array([width, height], np.float64), np.arange(length)
    drift = rng.uniform(-PAN, PAN, 2) * time[:, None] / length
    sway = rng.uniform(-PAN, PAN, 2) / 2 * np.sin(2 * np.pi * time / rng.uniform(*PERIOD))[:, None]
    shake = rng.normal(0, SHAKE, (length, 2)) * rng.uniform(0, 1)
    shifts = amount * side * (drift + sway + shake - shake[0])
    zooms = np.exp(amount * rng.uniform(-ZOOM, ZOOM) * np.sin(2 * np.pi * time / (2 * rng.uniform(*PERIOD))))
    return Camera(side / 2, rng.uniform(*ROOM) if amount else 1.0, zooms, shifts)


def _turned(angle: float) -> FloatArray:
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
