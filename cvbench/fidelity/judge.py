"""All fidelity metrics of a synthetic set at once, each beside its floor: what real pictures get in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from cvbench.contracts import Metric
from cvbench.errors import DataError, NotApplicable
from cvbench.fidelity import fewest_compared
from cvbench.fidelity.classes import class_balance, diversity, mode_coverage, trts
from cvbench.fidelity.extractors import Extractor
from cvbench.fidelity.features import Estimate
from cvbench.fidelity.frechet import frechet_distance
from cvbench.fidelity.kernel import kernel_distance
from cvbench.fidelity.memorization import Memorization, memorization
from cvbench.fidelity.neighbourhoods import neighbourhoods
from cvbench.fidelity.probe import Probe
from cvbench.fidelity.two_sample import c2st
from cvbench.samples import FloatArray, IntArray, LabelledImages, UInt8Array, proportional_counts
from cvbench.seeds import derive_seed

MOST = 10_000  # pictures on each side
MOST_SEARCHED = 100_000  # training pictures among which the originals of copies are looked for
T = TypeVar("T")
PAIRS = 20  # synthetic pictures that are shown beside their nearest training picture

METRICS: tuple[Metric, ...] = (
    Metric("frechet_distance", "how far the two clouds of features lie apart", False, 0.0, None, primary=True),
    Metric("kernel_distance", "the same without assuming a Gaussian, and unbiased", False, None, None),
    Metric("precision", "synthetic pictures that could be real"),
    Metric("recall", "real pictures that the generator could make"),
    Metric("density", "how crowded with real pictures it is where synthetic ones lie", True, 0.0, None),
    Metric("coverage", "real pictures with a synthetic one near by"),
    Metric("c2st", "how often a classifier tells synthetic from real: 0.5 is guessing", False),
    Metric("memorization", "nearer to training than to unseen real pictures: 0.5 is none, 1 is all", False),
    Metric("exact_copies", "pictures that are training pictures, pixel by pixel", False),
    Metric("trts", "labels that a classifier trained on real pictures agrees with"),
    Metric("mode_coverage", "classes that this classifier finds among them"),
    Metric("class_balance", "how alike the proportions of classes that it finds are"),
    Metric("diversity", "variety within a class, relative to real pictures", True, 0.0, None),
)

IDEALS: Mapping[str, float] = {
    "frechet_distance": 0.0,
    "kernel_distance": 0.0,
    "density": 1.0,
    "c2st": 0.5,
    "memorization": 0.5,
    "exact_copies": 0.0,
    "diversity": 1.0,
}  # what as many unseen real pictures get if there are enough; of the other metrics more is better


@dataclass(frozen=True)
class Fidelity:
    """How a synthetic set compares with real pictures that neither its generator nor the extractor saw.

    ``values``, ``floors``: by the names in ``METRICS``; a floor is the value that as many other unseen real pictures
    get in the synthetic ones' place. ``errors``: one standard error, where there is one. ``per_class``: metric →
    class → number. NaN: cannot be said. ``compared``: pictures on each side; the Fréchet distance falls as they
    grow, so only numbers of equal ``compared`` and equal ``extractor_hash`` can be set against each other.
    ``pairs``: place of a synthetic picture, of its nearest training picture, their distance; the most suspicious first.
    """

    extractor: str
    extractor_hash: str
    compared: int
    searched: int
    seed: int
    values: Mapping[str, float]
    floors: Mapping[str, float]
    errors: Mapping[str, float]
    per_class: Mapping[str, Mapping[str, float]]
    pairs: tuple[tuple[int, int, float], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain data; NaN is None."""
        return {
            "extractor": {"name": self.extractor, "hash": self.extractor_hash},
            "compared": self.compared,
            "searched": self.searched,
            "seed": self.seed,
            "values": _plain(self.values),
            "floors": _plain(self.floors),
            "errors": _plain(self.errors),
            "per_class": {name: _plain(by_class) for name, by_class in self.per_class.items()},
            "pairs": [{"synthetic": made, "train": seen, "distance": apart} for made, seen, apart in self.pairs],
        }


def _plain(numbers: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if np.isfinite(value) else None for name, value in numbers.items()}


def judge_samples(
    real_train: LabelledImages,
    real_test: LabelledImages,
    synthetic: LabelledImages,
    extractor: Extractor,
    probe: Probe,
    *,
    most: int = MOST,
    seed: int,
) -> Fidelity:
    """Set ``synthetic`` against one half of the real test split; the other half, in its place, gives the floors.

    All three are cut to one count (at most ``most``; stratified, drawn from ``seed``), because the Fréchet distance
    is biased in it. Copies are looked for in all of ``real_train`` (up to ``MOST_SEARCHED``).
    Raises :class:`DataError` for sets of other shapes or classes or features that are not finite,
    :class:`NotApplicable` for too few pictures.
    """
    _check_alike(real_train, real_test, synthetic, probe)
    count = comparable_count(real_test, synthetic, most)
    chosen = _parts(synthetic.labels, count, 1, derive_seed(seed, "synthetic"))[0]
    ruler = _ruler(real_train, real_test, extractor, probe, count, seed)
    made = _Seen.of(synthetic.select(chosen), extractor, probe)
    found, searched = _compare(ruler.train, ruler.reference, made, seed), ruler.train.places
    worst = found.memorization.most_suspicious(PAIRS)
    pairs = zip(
        chosen[worst], searched[found.memorization.nearest[worst]], found.memorization.to_train[worst], strict=True
    )
    return Fidelity(
        extractor=extractor.name,
        extractor_hash=extractor.hash,
        compared=count,
        searched=len(searched),
        seed=seed,
        values=found.values,
        floors=ruler.floor.values,
        errors=found.errors,
        per_class={
            "diversity": dict(zip(real_test.spec.classes, found.diversity.tolist(), strict=True)),
            "trts": _accuracy_per_class(made, real_test.spec.classes),
        },
        pairs=tuple((int(made), int(seen), float(apart)) for made, seen, apart in pairs),
    )


def comparable_count(real_test: LabelledImages, synthetic: LabelledImages, most: int = MOST) -> int:
    """How many pictures stand on each side. Raises :class:`NotApplicable` when they are too few to say anything."""
    classes = len(real_test.spec.classes)
    least = fewest_compared(classes)
    half = int((real_test.class_counts() // 2).sum())
    of = f" of {classes} classes" if classes > 1 else ""  # scenes are compared as pictures of one
    for there, what in ((len(synthetic), "synthetic {}"), (half, "{} in half of the real test split")):
        if there < least:
            told = what.format("picture" if there == 1 else "pictures")
            are = "is" if there == 1 else "are"
            raise NotApplicable(f"{there} {told}{of} {are} too few to compare: at least {least} are needed")
    return min(half, len(synthetic), most)


# ------------------------------------------------------------------------- one set against another


@dataclass(frozen=True)
class _Seen:
    """Pictures as the extractor and the probe see them."""

    features: FloatArray
    probabilities: FloatArray
    labels: IntArray
    hashes: list[str]

    @classmethod
    def of(cls, data: LabelledImages, extractor: Extractor, probe: Probe) -> _Seen:
        probabilities = probe.probabilities(data.images).astype(np.float64)
        return cls(_features(extractor, data.images), probabilities, data.labels, data.item_hashes())


@dataclass(frozen=True)
class _Train:
    """What a generator saw: features of the pictures at ``places``, and the hashes of all."""

    places: IntArray
    features: FloatArray
    hashes: frozenset[str]


@dataclass(frozen=True)
class _Ruler:
    """The real side of a comparison: training pictures, one half of the test split, and the other half's values."""

    train: _Train
    reference: _Seen
    floor: _Compared


def _ruler(
    train: LabelledImages, test: LabelledImages, extractor: Extractor, probe: Probe, count: int, seed: int
) -> _Ruler:
    """The ruler of this seed and count, for one generator after another: most of a judgement's time goes into it."""
    seen = _seen_train(train, extractor, seed)
    key = (extractor.hash, probe.hash, train.fingerprint, len(seen.places), test.fingerprint, count, seed)
    if key not in _RULERS:
        halves = _parts(test.labels, count, 2, derive_seed(seed, "halves"))
        reference, unseen = (_Seen.of(test.select(half), extractor, probe) for half in halves)
        _keep(_RULERS, key, (reference, _compare(seen, reference, unseen, seed)), RULERS_KEPT)
    return _Ruler(seen, *_RULERS[key])


def _seen_train(train: LabelledImages, extractor: Extractor, seed: int) -> _Train:
    few = len(train) <= MOST_SEARCHED
    places = np.arange(len(train)) if few else _parts(train.labels, MOST_SEARCHED, 1, derive_seed(seed, "train"))[0]
    key = (extractor.hash, train.fingerprint, len(places), None if few else seed)
    if key not in _TRAINS:
        features = _features(extractor, np.asarray(train.images)[places])
        _keep(_TRAINS, key, _Train(places, features, frozenset(train.item_hashes())), 1)
    return _TRAINS[key]


RULERS_KEPT = 4  # by a process: as many seeds are judged in turn
_RULERS: dict[tuple[object, ...], tuple[_Seen, _Compared]] = {}
_TRAINS: dict[tuple[object, ...], _Train] = {}


def _keep(kept: dict[tuple[object, ...], T], key: tuple[object, ...], value: T, most: int) -> None:
    """Put it there, and the oldest away: features of many pictures take room."""
    while len(kept) >= most:
        kept.pop(next(iter(kept)))
    kept[key] = value


@dataclass(frozen=True)
class _Compared:
    values: Mapping[str, float]
    errors: Mapping[str, float]
    memorization: Memorization
    diversity: FloatArray


def _compare(train: _Train, reference: _Seen, other: _Seen, seed: int) -> _Compared:
    """Every metric of ``other`` against ``reference``."""
    near = neighbourhoods(reference.features, other.features)
    memorized = memorization(train.features, reference.features, other.features)
    estimates: dict[str, Estimate] = {
        "kernel_distance": kernel_distance(reference.features, other.features),
        "c2st": c2st(reference.features, other.features, seed=derive_seed(seed, "c2st")),
        "memorization": memorized.share,
    }
    classes = reference.probabilities.shape[1]
    varied = diversity(reference.features, reference.labels, other.features, other.labels, classes)
    numbers = {
        "frechet_distance": frechet_distance(reference.features, other.features),
        **{name: estimate.value for name, estimate in estimates.items()},
        **vars(near),
        "exact_copies": float(np.mean([digest in train.hashes for digest in other.hashes])),
        **_of_classes(reference, other, classes),
        "diversity": float(np.nanmean(varied)) if np.isfinite(varied).any() else float("nan"),
    }
    return _Compared(
        {metric.name: numbers[metric.name] for metric in METRICS},
        {name: estimate.error for name, estimate in estimates.items()},
        memorized,
        varied,
    )


def _of_classes(reference: _Seen, other: _Seen, classes: int) -> dict[str, float]:
    """What the probe sees; of a single class there is nothing to see."""
    if classes == 1:
        return dict.fromkeys(("trts", "mode_coverage", "class_balance"), float("nan"))
    return {
        "trts": trts(other.probabilities, other.labels),
        "mode_coverage": mode_coverage(reference.probabilities, other.probabilities),
        "class_balance": class_balance(reference.probabilities, other.probabilities),
    }


def _features(extractor: Extractor, images: UInt8Array) -> FloatArray:
    found = extractor.features(images).astype(np.float64)
    if not np.isfinite(found).all():
        raise DataError("gave features that are NaN or infinite", where=f"extractor {extractor.name!r}")
    return found


def _accuracy_per_class(seen: _Seen, classes: tuple[str, ...]) -> dict[str, float]:
    right = seen.probabilities.argmax(axis=1) == seen.labels
    members = (seen.labels == label for label in range(len(classes)))
    return {
        name: float(right[of].mean()) if of.any() else float("nan") for name, of in zip(classes, members, strict=True)
    }


# ------------------------------------------------------------------------------ which pictures count


def _check_alike(
    real_train: LabelledImages, real_test: LabelledImages, synthetic: LabelledImages, probe: Probe
) -> None:
    for what, spec in (("real test", real_test.spec), ("synthetic", synthetic.spec), ("the probe's", probe.spec)):
        ours = real_train.spec
        for name in ("height", "width", "channels", "classes"):
            if getattr(spec, name) != getattr(ours, name):
                raise DataError(
                    f"{what} pictures have {_said(getattr(spec, name))} {name}, "
                    f"real training ones {_said(getattr(ours, name))}",
                    where=synthetic.spec.name,
                )


def _said(value: int | tuple[str, ...]) -> str:
    return f"other ({', '.join(value[:5])}, …)" if isinstance(value, tuple) else str(value)


def _parts(labels: IntArray, count: int, parts: int, seed: int) -> IntArray:
    """(parts, count) places, none twice; every part has the same number of each class, in the labels' proportions."""
    rng = np.random.default_rng(seed)
    per_class = proportional_counts(np.bincount(labels) // parts, count)
    columns = [
        rng.permutation(np.flatnonzero(labels == label))[: parts * number].reshape(parts, number)
        for label, number in enumerate(per_class)
    ]
    return np.sort(np.concatenate(columns, axis=1), axis=1).astype(np.int64)
