"""``particle``: a particle filter over a likelihood (Isard & Blake, IJCV 29(1), 1998; Pérez et al., ECCV 2002)."""

from __future__ import annotations

import numpy as np

from cvbench.samples import FloatArray, UInt8Array
from cvbench_tasks.resampling import survivors
from cvbench_tasks.sot.boxes import around, centres_and_sizes, kept_inside
from cvbench_tasks.sot.likelihoods import LIKELIHOODS
from cvbench_tasks.sot.models import ParticleOptions
from cvbench_tasks.sot.one_pass import Tracker

SCALE_CHANGE = 0.02  # standard deviation of a frame's change of the logarithm of the scale
SCALES = (0.2, 5.0)  # of the first frame's size: what a particle's may be


class ParticleTracker(Tracker):
    """Particles x, y, their velocities, and the scale's logarithm; lengths in units of the object's first size.

    Each frame: resample by weight, move by chance, weigh by likelihood; the answer is the weighted mean.
    """

    def __init__(self, options: ParticleOptions, seed: int) -> None:
        self.options, self.rng = options, np.random.default_rng(seed)
        self.likelihood = LIKELIHOODS[options.likelihood]()

    def start(self, frame: UInt8Array, box: FloatArray) -> None:
        box = kept_inside(box, frame.shape)
        centre, self.size = centres_and_sizes(box)
        self.unit = float(np.sqrt(self.size.prod()))
        self.likelihood.learn(frame, box)
        count = self.options.particles
        self.particles = np.tile([*(centre / self.unit), 0, 0, 0], (count, 1))
        self.weights = np.full(count, 1 / count)

    def follow(self, frame: UInt8Array) -> FloatArray:
        self.particles = self._moved(self.particles[survivors(self.weights, self.rng)])
        likeness = self.likelihood(frame, self._boxes(self.particles))
        self.weights = np.exp(self.options.sharpness * (likeness - likeness.max()))
        self.weights /= self.weights.sum()
        return kept_inside(self._boxes(self.weights @ self.particles), frame.shape)

    def _moved(self, particles: FloatArray) -> FloatArray:
        """A velocity that fades and is pushed by chance, and a scale that wanders."""
        pushed = self.rng.normal(0, self.options.motion, (len(particles), 2))
        velocity = self.options.memory * particles[:, 2:4] + pushed
        scale = particles[:, 4:] + self.rng.normal(0, SCALE_CHANGE, (len(particles), 1))
        return np.hstack([particles[:, :2] + velocity, velocity, scale.clip(*np.log(SCALES))])

    def _boxes(self, particles: FloatArray) -> FloatArray:
        """(…, 4) in pixels."""
        return around(particles[..., :2] * self.unit, self.size * np.exp(particles[..., 4:]))
