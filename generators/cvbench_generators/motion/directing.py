"""One clip thought out: which objects, from where to where, before which background and camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cvbench.clips import Tracks
from cvbench.samples import FloatArray, UInt8Array
from cvbench_generators.motion import MotionOptions
from cvbench_generators.motion.courses import Camera, camera_of, displacements, folded
from cvbench_generators.motion.drawing import Mover, Shot, tracks_of
from cvbench_generators.motion.learnt import Habits
from cvbench_generators.motion.stock import Stock

RESIZED = (0.8, 1.25)  # an object's size on top of its own
TURNED = 0.15  # radians: how far an object sways at most
STARTS_SEEN = 0.6  # visibility that a single object has in the first frame
TRIES = 20
LARGEST = 0.6  # of the picture's smaller side
OCCLUDER = (0.08, 0.3)  # sides, in shares of the picture's
MOST_IN_TURN = 8  # movers for each that is asked for at a time
PASSING = 1.5  # picture sides that what passes comes in a clip, at least
SLOW = (24.0, 80.0)  # frames in which size, brightness and posture change once to and fro


@dataclass(frozen=True)
class Director:
    """Makes shots without end from a stock, as real objects are used to move."""

    stock: Stock
    habits: Habits
    options: MotionOptions

    def take(self, seed: int) -> tuple[Shot, Tracks]:
        """A shot and its tracks. A single object is seen in the first frame."""
        asked = self.options.objects_per_clip
        numbers = range(asked[0], asked[1] + 1) if asked else self.habits.at_once
        single = max(numbers) == 1
        rng = np.random.default_rng(seed)
        for _ in range(TRIES):
            shot = self._shot(int(rng.choice(numbers)), single, seed, rng)
            tracks = tracks_of(shot)
            own = tracks.rows(0)
            if len(tracks) and (not single or tracks.visibility[own].sum() >= STARTS_SEEN):
                break
        return shot, tracks

    def _shot(self, count: int, single: bool, seed: int, rng: np.random.Generator) -> Shot:
        background = self.stock.backgrounds[rng.integers(len(self.stock.backgrounds))]
        height, width = background.shape[:2]
        length = self.options.length or self.habits.length
        camera = camera_of(width, height, length, self.options.camera, rng)
        movers = [self._mover(camera, True, True, rng)] if single else self._cast(count, True, camera, rng)
        distractors = int(rng.integers(self.options.distractors + 1)) if single else 0
        extras = self._cast(distractors, False, camera, rng)
        extras += [self._occluder(camera, rng) for _ in range(rng.integers(self.options.occluders + 1))]
        for extra in extras:
            movers.insert(int(rng.integers(len(movers) + 1)), extra)
        noise = self.options.noise * rng.uniform(0.5, 1.5)
        return Shot(background, camera, tuple(movers), self.options.blur * rng.uniform(0, 1), noise, seed)

    def _cast(self, count: int, annotated: bool, camera: Camera, rng: np.random.Generator) -> list[Mover]:
        """Movers, until so many are in the picture at a time, in the mean over the clip: who leaves is made up for."""
        movers: list[Mover] = []
        seen = 0.0
        for _ in range(MOST_IN_TURN * count):
            passes = bool(rng.random() < self.options.crossing)
            mover = self._mover(camera, False, annotated, rng, passes=passes)
            there = _share_in_picture(mover, camera)
            if seen and seen + there / 2 > count:
                break
            if there:
                movers.append(mover)
                seen += there
        return movers

    def _mover(
        self, camera: Camera, single: bool, annotated: bool, rng: np.random.Generator, *, passes: bool = False
    ) -> Mover:
        number = int(rng.integers(len(self.stock.labels)))
        side = 2 * camera.middle
        own_length = min(self.stock.lengths[number] * rng.uniform(*RESIZED), LARGEST * side.min())
        path = self._path(own_length, side, len(camera.zooms), single, passes, rng)
        label = int(self.stock.labels[number]) if annotated else None
        return self._moving(self.stock.pixels[number], self.stock.masks[number], label, path, own_length, camera, rng)

    def _path(
        self, own_length: float, side: FloatArray, length: int, single: bool, passes: bool, rng: np.random.Generator
    ) -> FloatArray:
        """(L, 2): where it is in the first frame's pixels. What ``passes`` is fast enough to come and go.

        A ``single`` one is in the picture from the first frame; others at some moment of the clip, or of half its
        length before or after it: at the ends as many are to be seen as in the middle.
        """
        course = self.options.courses[rng.integers(len(self.options.courses))]
        speed = float(rng.choice(self.habits.speeds)) * own_length * rng.uniform(*self.options.speed)
        if passes:
            speed = max(speed, PASSING * float(side.max() + own_length) / length)
        before = 0 if single else length // 2
        way = displacements(course, speed, own_length, length + 2 * before, rng)
        margin = np.minimum(own_length / 2, 0.3 * side)
        seen_at = 0 if single else int(rng.integers(len(way)))
        path: FloatArray = (rng.uniform(margin, side - margin) + way - way[seen_at])[before : before + length]
        return folded(path, margin, side - margin) if single or (course == "bounce" and not passes) else path

    def _occluder(self, camera: Camera, rng: np.random.Generator) -> Mover:
        """A rectangle of another background, fixed to the scene."""
        source = self.stock.backgrounds[rng.integers(len(self.stock.backgrounds))]
        shares = rng.uniform(*OCCLUDER, 2)
        high, wide = (max(2, int(share * part)) for share, part in zip(shares, source.shape[:2], strict=True))
        top, left = rng.integers(source.shape[0] - high + 1), rng.integers(source.shape[1] - wide + 1)
        pixels = np.ascontiguousarray(source[top : top + high, left : left + wide])
        mask = np.full((high, wide), 255, np.uint8)
        path = np.tile(rng.uniform(0, 2 * camera.middle), (len(camera.zooms), 1))
        lengths, still = max(high, wide) * camera.zooms, np.zeros(len(path))
        gain = np.full(len(path), rng.uniform(0.6, 1.4))
        return Mover(pixels, mask, None, camera.seen(path), lengths, still, gain)

    def _moving(
        self,
        pixels: UInt8Array,
        mask: UInt8Array,
        label: int | None,
        path: FloatArray,
        own_length: float,
        camera: Camera,
        rng: np.random.Generator,
    ) -> Mover:
        change = self.options.change
        lengths = own_length * np.exp(_wave(len(path), change, rng)) * camera.zooms
        gains = np.exp(_wave(len(path), change, rng)) * rng.uniform(1 - change / 2, 1 + change / 2)
        flipped = slice(None, None, -1 if rng.random() < 0.5 else 1)
        return Mover(
            np.ascontiguousarray(pixels[:, flipped]),
            np.ascontiguousarray(mask[:, flipped]),
            label,
            camera.seen(path),
            lengths,
            _wave(len(path), TURNED, rng),
            gains,
        )


def _share_in_picture(mover: Mover, camera: Camera) -> float:
    """Of the clip's frames; at the edge a quarter of it is enough."""
    within = camera.middle + mover.lengths[:, None] / 4
    return float((np.abs(mover.centres - camera.middle) < within).all(axis=1).mean())


def _wave(length: int, most: float, rng: np.random.Generator) -> FloatArray:
    """(L,): slowly to and fro, at most so far from 0."""
    phase, period = rng.uniform(0, 2 * np.pi), rng.uniform(*SLOW)
    return np.asarray(rng.uniform(0, most) * np.sin(phase + 2 * np.pi * np.arange(length) / period))
