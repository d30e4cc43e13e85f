"""``particle``: a particle filter of a box (Gordon et al., IEE Proc. F 140(2), 1993), weighed by detections.

As in tracking by detection with particle filters (Breitenstein et al., ICCV 2009): where an object is not detected,
its particles spread, and the next detection chooses among them.
"""

from __future__ import annotations

import numpy as np

from cvbench.samples import FloatArray
from cvbench_tasks.resampling import survivors
from cvbench_tasks.tracking.models import ParticleOptions
from cvbench_tasks.tracking.sort import BoxFilter

FIRST_SPEED = 0.1  # standard deviation of a new object's velocity, in units of its size
SIZE_CHANGE = 0.02  # standard deviation of a frame's change of the sides' logarithms


class ParticleBox(BoxFilter):
    """Particles (n, 6): the centre, its velocity, and the logarithms of width and height; lengths in first sizes."""

    def __init__(self, options: ParticleOptions, rng: np.random.Generator, box: FloatArray) -> None:
        self.options, self.rng = options, rng
        self.unit = float(np.sqrt((box[2:] - box[:2]).prod()))
        count, off = options.particles, options.precision
        spread = np.array([off, off, FIRST_SPEED, FIRST_SPEED, off, off])
        first = np.concatenate([self._measured(box)[:2], np.zeros(2), self._measured(box)[2:]])
        self.particles = first + rng.normal(size=(count, 6)) * spread
        self.weights = np.full(count, 1 / count)

    def predict(self) -> FloatArray:
        """A velocity that is pushed by chance, and sides that wander."""
        chance = self.rng.normal(size=(len(self.particles), 4))
        self.particles[:, 2:4] += self.options.acceleration * chance[:, :2]
        self.particles[:, :2] += self.particles[:, 2:4]
        self.particles[:, 4:] += SIZE_CHANGE * chance[:, 2:]
        return self._mean()

    def correct(self, box: FloatArray) -> FloatArray:
        """Weighs each particle by how likely it made the detection; the answer is the weighted mean."""
        off = (self.particles[:, [0, 1, 4, 5]] - self._measured(box)) / self.options.precision
        likelihood = -0.5 * (off**2).sum(axis=1) + np.log(self.weights)
        self.weights = np.exp(likelihood - likelihood.max())
        self.weights /= self.weights.sum()
        mean = self._mean()
        self.particles = self.particles[survivors(self.weights, self.rng)]
        self.weights = np.full(len(self.particles), 1 / len(self.particles))
        return mean

    def _measured(self, box: FloatArray) -> FloatArray:
        """Centre x, y and the logarithms of the sides."""
        return np.concatenate([(box[:2] + box[2:]) / 2 / self.unit, np.log((box[2:] - box[:2]) / self.unit)])

    def _mean(self) -> FloatArray:
        mean = self.weights @ self.particles
        centre, half = mean[:2] * self.unit, np.exp(mean[4:]) * self.unit / 2
        return np.concatenate([centre - half, centre + half])
