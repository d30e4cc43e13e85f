"""What any plugin must satisfy, built-in or a stranger's: the checks behind ``cvbench check`` and a plugin's tests.

Each check is a generator of :class:`Check` results; ``assert_generator`` and ``assert_task`` are for a test file.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.clips import Clip, Clips, Tracks
from cvbench.contracts import Augmentation, Budget, Generator, ModelInfo, Sampler, Task, Workplace, silent
from cvbench.datasets import CLASSES, as_kind, blinded, gather
from cvbench.errors import NotApplicable
from cvbench.plugin_results import checked_chunk, checked_scores
from cvbench.samples import AnnotationKind, Dataset, DatasetSpec, LabelledImages
from cvbench.scenes import Instance, InstanceImages

SHAPES = ((8, 8, 1), (10, 12, 3))
SCENE_SHAPES = ((32, 32, 1), (40, 48, 3))
KINDS = tuple(CLASSES)
_NAMES = {kind: "labels" if kind is AnnotationKind.LABEL else kind.value for kind in KINDS}


@dataclass(frozen=True)
class Check:
    """One promise, and what is wrong with how it is kept (nothing, if it is).

    ``checked`` is False for what these checks cannot tell: neither kept nor broken.
    """

    promise: str
    problem: str = ""
    checked: bool = True


def tiny_pictures(height: int, width: int, channels: int, *, per_class: int = 12) -> LabelledImages:
    """Three classes of noisy pictures that differ in brightness."""
    rng = np.random.default_rng(0)
    spec = DatasetSpec("tiny", AnnotationKind.LABEL, ("dark", "grey", "light"), height, width, channels)
    labels = np.repeat(np.arange(3), per_class).astype(np.int64)
    noise = rng.integers(0, 60, (3 * per_class, height, width, channels))
    return LabelledImages(spec, (noise + 90 * labels[:, None, None, None]).astype(np.uint8), labels)


def tiny_scenes(height: int, width: int, channels: int, *, count: int = 12) -> InstanceImages:
    """Noisy dark pictures with up to three bright boxes of two classes in each; at least one somewhere."""
    rng = np.random.default_rng(0)
    spec = DatasetSpec("tiny", AnnotationKind.INSTANCES, ("grey", "light"), height, width, channels)
    images = rng.integers(0, 60, (count, height, width, channels)).astype(np.uint8)
    scenes: list[list[Instance]] = []
    for place in range(count):
        scenes.append([])
        for number in range(place % 4):
            high, wide = rng.integers(height // 4, height // 2), rng.integers(width // 4, width // 2)
            top, left = rng.integers(0, height - high), rng.integers(0, width - wide)
            mask = np.zeros((height, width), np.bool_)
            mask[top : top + high, left : left + wide] = True
            label = (place + number) % 2
            images[place][mask] += np.uint8(90 * (label + 1))
            scenes[-1].append(Instance(label, mask))
    return InstanceImages.of_instances(spec, np.minimum(images, 255), scenes)


def tiny_clips(height: int, width: int, channels: int, *, count: int = 4, length: int = 6) -> Clips:
    """Noisy dark clips in each of which one bright box moves to the right."""
    rng = np.random.default_rng(0)
    spec = DatasetSpec("tiny", AnnotationKind.TRACKS, ("box",), height, width, channels)
    clips = []
    for number in range(count):
        frames = rng.integers(0, 60, (length, height, width, channels)).astype(np.uint8)
        top, left = rng.integers(0, height // 2, length), np.arange(length) + int(rng.integers(0, width // 4))
        boxes = np.stack([left, top, left + width // 4, top + height // 4], axis=1)
        for frame, (x1, y1, x2, y2) in zip(frames, boxes, strict=True):
            frame[y1:y2, x1:x2] += 150
        clips.append(Clip(f"tiny-{number}", frames, Tracks.of(np.arange(length), np.ones(length), boxes)))
    return Clips(spec, tuple(clips))


def _tiny(kind: AnnotationKind, shape: tuple[int, int, int]) -> Dataset:
    if kind is AnnotationKind.LABEL:
        return tiny_pictures(*shape)
    return tiny_clips(*shape, count=6) if kind is AnnotationKind.TRACKS else as_kind(tiny_scenes(*shape), kind)


def _shapes(kind: AnnotationKind) -> tuple[tuple[int, int, int], ...]:
    return SHAPES if kind is AnnotationKind.LABEL else SCENE_SHAPES


def assert_generator(cls: type[Generator]) -> None:
    """Raise AssertionError naming every promise that the generator does not keep."""
    _assert(check_generator(cls), cls)


def assert_task(cls: type[Task]) -> None:
    """Raise AssertionError naming every promise that the task does not keep."""
    _assert(check_task(cls), cls)


def _assert(checks: Iterator[Check], cls: type) -> None:
    broken = [f"{check.promise}: {check.problem}" for check in checks if check.problem]
    assert not broken, f"{cls.__name__}: " + "; ".join(broken)


# ------------------------------------------------------------------------------------ generators


def check_generator(cls: type[Generator]) -> Iterator[Check]:
    """Every promise of :class:`~cvbench.contracts.Generator`, on tiny data of several shapes."""
    yield from _described(cls, ("summary", "licence"))
    yield Check("options are a frozen dataclass with defaults", _options_problem(cls.Options))
    wrong = _kinds_problem(getattr(cls, "kinds", None))
    yield Check("says what it annotates with", wrong)
    for kind in KINDS:
        if not wrong and kind in cls.kinds:
            yield from _checks_of_kind(cls, kind)


def _checks_of_kind(cls: type[Generator], kind: AnnotationKind) -> Iterator[Check]:
    fitted = False
    for shape in _shapes(kind):
        name = f"{'×'.join(map(str, shape))} with {_NAMES[kind]}"
        for check in _generator_checks(cls, _tiny(kind, shape)):
            fitted |= check.checked
            yield dataclasses.replace(check, promise=f"{name}: {check.promise}")
    shapes = " and ".join("×".join(map(str, shape)) for shape in _shapes(kind))
    yield Check(
        f"fits some data with {_NAMES[kind]}", "" if fitted else f"it says 'not for this' to pictures of {shapes}"
    )


def _generator_checks(cls: type[Generator], train: Dataset) -> Iterator[Check]:
    fitted: dict[str, Any] = {}
    refused: list[str] = []

    def fit() -> Any:
        budget = Budget(4, 8, "fp32") if cls.default_budget else None
        with tempfile.TemporaryDirectory() as scratch:
            return cls().fit(train, budget=budget, seed=1, progress=silent, workplace=Workplace(Path(scratch)))

    def fits() -> None:
        before = train.fingerprint
        try:
            fitted["sampler"] = fit()
        except NotApplicable as error:
            refused.append(str(error))
        train.__dict__.pop("fingerprint", None)
        assert train.fingerprint == before, "fit changed the training data"

    fitting = _tried("fits without changing the training data", fits)
    if refused and not fitting.problem:
        yield Check(f"not checked: the generator says that this is not for it: {refused[0]}", checked=False)
        return
    yield fitting
    if "sampler" not in fitted:
        return
    sampler = fitted["sampler"]

    def drawn(of: Any, count: int, seed: int, **asked: Any) -> Dataset:
        chunks = (checked_chunk(chunk, train.spec, cls.__name__) for chunk in of.sample(count, seed=seed, **asked))
        return gather(chunks, train.spec)

    def counts() -> None:
        for count in (0, 1, 7, 40):
            assert len(drawn(sampler, count, 0)) == count, f"asked for {count}, gave {len(drawn(sampler, count, 0))}"

    def proportions() -> None:
        found = np.bincount(drawn(sampler, 30, 0).strata(), minlength=3).tolist()
        assert found == [10, 10, 10], f"classes of 12, 12, 12 gave {found} of 30"

    def as_asked() -> None:
        asked = np.array([5, 0, 2], dtype=np.int64)
        found = np.bincount(drawn(sampler, 7, 0, class_counts=asked).strata(), minlength=3).tolist()
        assert found == [5, 0, 2], f"asked for 5, 0, 2, gave {found}"

    def repeats() -> None:
        assert drawn(sampler, 9, 3).fingerprint == drawn(sampler, 9, 3).fingerprint, "same seed, other samples"

    def differs() -> None:
        # What is shown, in whatever order: another order of the same pictures is no independent draw.
        shown = {tuple(sorted(drawn(sampler, 9, seed).item_hashes())) for seed in (3, 4, 5, 6)}
        assert len(shown) > 1, "four seeds gave the same pictures: cells of different seeds would not be independent"

    def widens() -> None:
        try:
            wider = sampler.widened(0.5)
        except NotApplicable:
            assert not cls.latent, "it has none: say latent = False, and a suite's spread is refused when it is read"
            return
        assert isinstance(wider, Sampler), f"widened gave {type(wider).__name__}, not a Sampler"
        assert len(drawn(wider, 7, 0)) == 7, "a widened sampler gave another count"

    def walks() -> None:
        try:
            path = sampler.walk(2, seed=0)
        except NotApplicable:
            return
        path = checked_chunk(path, train.spec, cls.__name__)
        if isinstance(path, LabelledImages):
            assert path.labels.tolist() == [0, 0, 1, 1, 2, 2], f"2 of each of 3 classes gave {path.labels.tolist()}"

    def tells() -> None:
        notes, parameters = sampler.notes, sampler.parameter_count
        said = isinstance(notes, tuple | list) and all(isinstance(note, str) for note in notes)
        assert said, f"notes must be a tuple of strings, not {notes!r}"
        counted = isinstance(parameters, int | np.integer) and parameters >= 0
        assert counted, f"parameter_count must be a whole number, 0 or more, not {parameters!r}"

    def saves() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sampler.save(Path(folder))
            _hold_to_formats(Path(folder))
            again = cls().load(Path(folder))
            assert drawn(again, 9, 3).fingerprint == drawn(sampler, 9, 3).fingerprint, "samples differ after loading"

    def refits() -> None:
        assert drawn(fit(), 9, 3).fingerprint == drawn(sampler, 9, 3).fingerprint, "same seed, other fit"

    yield _tried("gives as many samples as asked", counts)
    if train.spec.kind is AnnotationKind.LABEL:
        yield _tried("keeps the train split's class proportions", proportions)
        yield _tried("gives classes as asked", as_asked)
    yield _tried("same seed, same samples", repeats)
    yield _tried("other seed, other samples", differs)
    yield _tried("widens its latent, or says that it has none", widens)
    yield _tried("walks through its latent, or says that it has none", walks)
    yield _tried("notes and parameter_count are what they should be", tells)
    yield _tried("saves and loads without pickle", saves)
    yield _tried("same seed, same fit", refits)


# ----------------------------------------------------------------------------------------- tasks


def check_task(cls: type[Task]) -> Iterator[Check]:
    """Every promise of :class:`~cvbench.contracts.Task`, with its first model on tiny data."""
    yield from _described(cls, ("summary", "licence"))
    primaries = [metric.name for metric in cls.metrics if metric.primary]
    yield Check("has exactly one primary metric", "" if len(primaries) == 1 else f"it has {primaries}")
    models: list[ModelInfo] = []

    def named() -> None:
        models.extend(cls().models())
        assert models, "models() is empty"

    yield _tried("names its models", named)
    trained = False
    for shape in _shapes(cls.kind) if models else ():
        name = "×".join(map(str, shape))
        promise = f"{name}: {models[0].name} trains, predicts, saves and loads"
        refused: list[str] = []
        asking = _tried(promise, partial(_ask, cls, shape, refused))
        if asking.problem:
            yield asking
        elif refused:
            yield Check(f"{name}: not checked: the model says that this is not for it: {refused[0]}", checked=False)
        else:
            trained = True
            yield _tried(promise, partial(_model_round, cls, shape))
    shapes = " and ".join("×".join(map(str, shape)) for shape in _shapes(cls.kind))
    never = "" if trained or not models else f"it says 'not for this' to pictures of {shapes}"
    yield Check("its first model trains on some data", never)


def _ask(cls: type[Task], shape: tuple[int, int, int], refused: list[str]) -> None:
    """Whether the first model is for such data; its reason, if it is not, is put into ``refused``."""
    task = cls()
    name = task.models()[0].name
    try:
        task.check_model(name, task.model_options(name)(), _tiny(cls.kind, shape).spec)
    except NotApplicable as error:
        refused.append(str(error))


def _model_round(cls: type[Task], shape: tuple[int, int, int]) -> None:
    task, train = cls(), _tiny(cls.kind, shape)
    name = task.models()[0].name
    options = task.model_options(name)()
    with tempfile.TemporaryDirectory() as scratch:

        def scores(folder: str, load_from: Path | None = None) -> Any:
            place = Workplace(Path(scratch) / folder)
            model = task.model(name, train.spec, options=options, seed=3, workplace=place)
            if load_from is None:
                model.train(
                    train,
                    None,
                    budget=Budget(2, 8, "fp32"),
                    augmentation=Augmentation.ORDINARY,
                    seed=5,
                    progress=silent,
                    workplace=place,
                )
                saved = Path(scratch) / f"{folder}-saved"
                saved.mkdir()
                model.save(saved)
                _hold_to_formats(saved)
            else:
                model.load(load_from)
            predictions = model.predict(train if folder != "blind" else blinded(train))
            return checked_scores(task.score(predictions, train), task.metrics, len(train), cls.__name__)

        first, second = scores("a"), scores("b")
        assert first.values == second.values, "same seed, other scores"
        loaded = scores("c", Path(scratch) / "a-saved")
        assert loaded.values == first.values, "other scores after loading"
        blind = scores("blind", Path(scratch) / "a-saved")
        assert blind.values == first.values, "its predictions depend on the annotation, which a run takes away"


# ---------------------------------------------------------------------------------------- shared


def _described(cls: type, names: tuple[str, ...]) -> Iterator[Check]:
    for name in names:
        said = getattr(cls, name, "")
        yield Check(f"says its {name}", "" if said and said != "unknown" else "it does not")


def _options_problem(options: type) -> str:
    if not dataclasses.is_dataclass(options) or not options.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return f"{options.__name__} is not"
    try:
        options()
    except TypeError as error:
        return str(error)
    return ""


def _kinds_problem(kinds: Any) -> str:
    known = isinstance(kinds, set | frozenset) and bool(kinds) and all(kind in KINDS for kind in kinds)
    return "" if known else f"kinds must be a frozenset of AnnotationKind, such as {{LABEL}}, not {kinds!r}"


def _hold_to_formats(folder: Path) -> None:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            sound = _is_plain_data(file)
        except Exception as error:  # each format's reader has its own errors
            raise AssertionError(f"{file.name} cannot be read as {file.suffix}: {error}") from None
        assert sound, f"{file.name} is not safetensors, JSON, npy or npz"


def _is_plain_data(file: Path) -> bool:
    """Whether it is in a format that runs no code when it is read; raises what reading it raises."""
    if file.suffix == ".json":
        json.loads(file.read_text(encoding="utf-8"))
        return True
    if file.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(file, "np"):
            return True
    if file.suffix == ".npy":
        return isinstance(np.load(file, allow_pickle=False), np.ndarray)
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            return all(isinstance(array, np.ndarray) for array in arrays.values())
    return False


def _tried(promise: str, keep: Callable[[], None]) -> Check:
    try:
        keep()
    except Exception as error:  # whatever a stranger's plugin raises is what is wrong with it
        return Check(promise, " ".join(f"{type(error).__name__}: {error}".split())[:300])
    return Check(promise)
