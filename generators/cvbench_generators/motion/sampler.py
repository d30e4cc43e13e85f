"""Fitting, sampling, saving and loading of ``motion``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cvbench.clips import Clip, Clips
from cvbench.contracts import Progress, Sampler, Workplace
from cvbench.errors import NotApplicable
from cvbench.plugins import make_options, options_json
from cvbench.samples import Dataset, DatasetSpec, IntArray
from cvbench.seeds import derive_seed
from cvbench_generators.motion import MotionOptions
from cvbench_generators.motion.directing import Director
from cvbench_generators.motion.learnt import Habits, habits_of
from cvbench_generators.motion.stock import Stock, stock_of
from cvbench_generators.saved_sampler import read_back

FORMAT = 2


def fit(train: Dataset, options: MotionOptions, seed: int, progress: Progress, workplace: Workplace) -> Sampler:
    """Learn how the clips' objects move, cut them out and paint them over.

    Raises :class:`NotApplicable` for anything but clips, and for clips in which nothing moves or can be cut.
    """
    if not isinstance(train, Clips):
        raise NotApplicable("motion needs clips with tracks")
    if not any((~clip.tracks.ignored).any() for clip in train.clips):
        raise NotApplicable(f"there is no object in the {len(train)} training clips")
    stock, notes, parameters = stock_of(train, options, seed, progress, workplace)
    return MotionSampler(train.spec, Director(stock, habits_of(train), options), notes, parameters)


@dataclass(frozen=True)
class MotionSampler(Sampler):
    """Clips without end, one in a chunk. Their frames are drawn when they are asked for, never all at once."""

    spec: DatasetSpec
    director: Director
    notes: tuple[str, ...] = ()
    parameter_count: int = 0

    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[Clips]:
        """As :meth:`Sampler.sample`. Raises :class:`NotApplicable` for ``class_counts``: a clip has no class."""
        if class_counts is not None:
            raise NotApplicable("a clip has objects of several classes: it cannot be asked for by class")
        for number in range(count):
            shot, tracks = self.director.take(derive_seed(seed, "clip", number))
            yield Clips(self.spec, (Clip(f"motion-{number:05d}", shot, tracks),))

    def save(self, folder: Path) -> None:
        stock = self.director.stock
        arrays = {name: getattr(stock, name) for name in ("pixels", "masks", "labels", "lengths")}
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        np.savez(folder / "backgrounds.npz", *stock.backgrounds)
        description = {
            "format": FORMAT,
            "spec": self.spec.to_json(),
            "options": options_json(self.director.options),
            "habits": asdict(self.director.habits),
            "notes": list(self.notes),
            "parameter_count": self.parameter_count,
        }
        (folder / "motion.json").write_text(json.dumps(description, indent=1))


def load(folder: Path) -> MotionSampler:
    """The sampler that was saved there.

    Raises :class:`DataError` for a file that is missing, cut short or of another version.
    """
    with read_back(folder / "motion.json", FORMAT) as description:
        with np.load(folder / "backgrounds.npz", allow_pickle=False) as arrays:
            backgrounds = tuple(arrays[f"arr_{number}"] for number in range(len(arrays)))
        pixels, masks, labels, lengths = (
            np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("pixels", "masks", "labels", "lengths")
        )
        habits = description["habits"]
        director = Director(
            Stock(pixels, masks, labels, lengths, backgrounds),
            Habits(tuple(habits["at_once"]), tuple(habits["speeds"]), habits["length"]),
            make_options(MotionOptions, description["options"]),
        )
        return MotionSampler(
            DatasetSpec.from_json(description["spec"]),
            director,
            tuple(description["notes"]),
            int(description["parameter_count"]),
        )
