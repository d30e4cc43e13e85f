"""What a plugin is: a reader opens data, a generator makes data, a task trains and scores models on data.

Importing this module costs next to nothing, and so should importing a plugin's module: import torch
inside the methods that need it, so that ``cvbench list`` and ``cvbench plan`` answer at once.

A plugin's options are a frozen dataclass, its nested or assigned ``Options``. A suite sets them by name;
pydantic checks types and ``Annotated[..., Field(gt=0)]`` bounds before anything runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from cvbench.samples import AnnotationKind, Dataset, DatasetSpec, FloatArray, IntArray, UInt8Array

Expected = Literal["gain", "loss", "none"]  # a control's effect
T = TypeVar("T")
Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True)
class NoOptions:
    """The options of a plugin that has none."""


@dataclass(frozen=True)
class Budget:
    """What one training or fit may spend. Equal for all regimes of a comparison.

    ``precision``: ``auto`` is bf16 autocast where the device has it, else fp32.
    """

    steps: int
    batch_size: int = 128
    precision: Precision = "auto"

    def share(self, part: float) -> Budget:
        """The same budget with this part of the steps."""
        return Budget(round(self.steps * part), self.batch_size, self.precision)


class Progress(Protocol):
    """Called with steps done, steps in all and a few words; cheap to call at every step."""

    def __call__(self, done: int, total: int, note: str = "") -> None: ...


def silent(done: int, total: int, note: str = "") -> None:
    """A :class:`Progress` that shows nothing."""


def counting(items: Iterable[T], total: int, note: str, progress: Progress) -> Iterator[T]:
    """The items as they come, each told to ``progress``."""
    for number, item in enumerate(items, start=1):
        progress(number, total, note)
        yield item


@dataclass(frozen=True)
class Workplace:
    """Where a step works. ``folder`` outlives a kill, so a checkpoint written there can be continued.

    ``device`` is torch's name for it: ``cpu``, ``cuda``.
    """

    folder: Path
    device: str = "cpu"


# --------------------------------------------------------------------------------------- readers


@dataclass(frozen=True)
class Splits:
    """A data set's parts. ``val`` is real data for model selection, or None: then last weights count."""

    train: Dataset
    test: Dataset
    val: Dataset | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that ``cvbench check-data`` found: ``problem`` makes the exit code 2, ``note`` does not."""

    level: Literal["problem", "note"]
    where: str
    what: str
    hint: str = ""


class Reader(ABC):
    """Opens real data of one format. ``root`` is a folder, or None for the reader's own default place."""

    summary: ClassVar[str] = ""
    licence: ClassVar[str] = "unknown"
    Options: ClassVar[type] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = self.Options() if options is None else options

    @abstractmethod
    def open(self, root: Path | None) -> Splits:
        """The splits; raises :class:`~cvbench.errors.DataError` that says which file is wrong and how."""

    @classmethod
    def recognises(cls, root: Path) -> bool:
        """Whether this folder looks like the reader's format."""
        return False

    def check(self, root: Path) -> Iterator[Finding]:
        """Everything that is there and everything that is wrong with it, item by item; never raises."""
        from cvbench.errors import DataError

        try:
            self.open(root)
        except DataError as error:
            yield Finding("problem", error.where, error.what, error.hint)


# ------------------------------------------------------------------------------------ generators


class Sampler(ABC):
    """A fitted generator: labelled samples without end.

    ``notes``: what a reader of the report must know of the fit, one line each ("labels: a classifier's, …").
    """

    notes: tuple[str, ...] = ()

    @property
    def parameter_count(self) -> int:
        """How many learnt parameters the networks have that samples are drawn with: a part of the cost; 0 without."""
        return 0

    @abstractmethod
    def sample(self, count: int, *, seed: int, class_counts: IntArray | None = None) -> Iterator[Dataset]:
        """``count`` samples in chunks, in the train split's class proportions, in shuffled order.

        ``class_counts`` (K,) asks for exact numbers per class instead (they sum to ``count``).
        Chunks have the spec of the data that the generator was fitted on. Same seed, same samples.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write into an existing folder, without pickle: safetensors, npy and JSON."""

    def widened(self, spread: float) -> Sampler:
        """The same sampler with its latent's standard deviation times ``spread``: below 1 truncates, above 1 expands.

        Raises :class:`~cvbench.errors.NotApplicable` when it has no latent.
        """
        from cvbench.errors import NotApplicable

        raise NotApplicable("this generator has no latent to widen")

    def walk(self, count: int, *, seed: int) -> Dataset:
        """``count`` samples of each class on a path through the latent, class after class: for people to look at.

        Raises :class:`~cvbench.errors.NotApplicable` when it has no latent.
        """
        from cvbench.errors import NotApplicable

        raise NotApplicable("this generator has no latent to walk through")


class Translator(Sampler):
    """A sampler that makes its pictures out of others, and can be given any: a fitted pix2pix or CycleGAN."""

    @abstractmethod
    def translate(self, images: UInt8Array) -> UInt8Array:
        """uint8 (N, H, W, C) pictures of its source domain → the same shape in its target domain, one by one.

        Raises :class:`~cvbench.errors.DataError` for pictures of another shape than it was fitted on.
        """


class Generator(ABC):
    """Fits on a real train split and nothing else, and gives a :class:`Sampler`.

    ``version`` is part of every content key: raise it when the same options give other samples.
    ``control``: of a generator whose effect is known beforehand, regime → what it must show there; else empty.
    ``fits_on="held_back"`` is for the oracle control alone: it gets the real training pictures that the
    cell's real fraction leaves out. ``latent``: False when its samplers have none, for a suite's ``spread`` to widen.
    """

    summary: ClassVar[str] = ""
    licence: ClassVar[str] = "unknown"
    kinds: ClassVar[frozenset[AnnotationKind]]
    version: ClassVar[int] = 1
    control: ClassVar[Mapping[str, Expected]] = {}
    fits_on: ClassVar[Literal["train", "held_back"]] = "train"
    latent: ClassVar[bool] = True
    default_budget: ClassVar[Budget | None] = None
    Options: ClassVar[type] = NoOptions

    def __init__(self, options: Any = None) -> None:
        self.options = self.Options() if options is None else options

    def reads(self) -> tuple[Path, ...]:
        """What the options name and :meth:`fit` reads besides ``train``: its content enters the fit's key."""
        return ()

    def fits(self) -> tuple[str, ...]:
        """The names of the generators that :meth:`fit` fits as its parts: their versions enter the fit's key."""
        return ()

    @abstractmethod
    def fit(
        self, train: Dataset, *, budget: Budget | None, seed: int, progress: Progress, workplace: Workplace
    ) -> Sampler:
        """Learn from ``train``. ``budget`` is the suite's, else ``default_budget``.

        Raises :class:`~cvbench.errors.NotApplicable` with a reason when the data is not for this generator.
        """

    @abstractmethod
    def load(self, folder: Path, *, device: str = "cpu") -> Sampler:
        """The sampler that :meth:`Sampler.save` wrote there."""


# ----------------------------------------------------------------------------------------- tasks


@dataclass(frozen=True)
class Metric:
    """A named number between ``low`` and ``high`` (None: without bound); a task has exactly one ``primary`` metric."""

    name: str
    summary: str
    higher_is_better: bool = True
    low: float | None = 0.0
    high: float | None = 1.0
    primary: bool = False


@dataclass(frozen=True)
class Scores:
    """What a model scored on the test split.

    ``values``: metric name → number, within the metric's range. ``per_item``: metric name → (N,) scores
    whose mean over the N test items *is* the value, for the metrics that decompose. ``per_class``:
    metric name → class name → number (NaN for a class that the test split lacks).
    """

    values: Mapping[str, float]
    per_item: Mapping[str, FloatArray] = field(default_factory=dict)
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelInfo:
    """A model that a task knows by name: what ``cvbench list models`` shows.

    ``version`` is part of the trained model's content key: raise it when the same options train another model.
    """

    name: str
    summary: str
    licence: str
    version: int = 1


@dataclass(frozen=True)
class Learnt:
    """What a model's training depends on: the part that learns, by its name, and that part's options, a dataclass.

    ``version``: of a part that is no model of the task itself; else the model's own counts. ``reads``: files that the
    options name and the training reads, such as weights: their content counts too.
    """

    name: str
    options: Any
    version: int | None = None
    reads: tuple[Path, ...] = ()


class Augmentation(StrEnum):
    """What a model does to its training pictures: its own choice, or the regime ``augment``'s strong one."""

    ORDINARY = "ordinary"
    STRONG = "strong"


class Model(ABC):
    """One model in one cell. ``train`` goes on from the weights it has, so stages can follow each other."""

    @abstractmethod
    def train(
        self,
        train: Dataset,
        val: Dataset | None,
        *,
        budget: Budget,
        augmentation: Augmentation,
        seed: int,
        progress: Progress,
        workplace: Workplace,
    ) -> None:
        """Spend exactly ``budget.steps`` optimizer steps on ``train``; choose weights on ``val`` if given."""

    @abstractmethod
    def predict(self, data: Dataset) -> Iterator[Any]:
        """Predictions in the data's order, in the form that the task's ``score`` reads.

        What is to be found is taken out of the data first; of clips the first frame's boxes are left.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the trained weights into an existing folder, without pickle."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Take the weights that :meth:`save` wrote there."""


NO_PICTURES = "this task's models give no pictures; `show samples` and `show predictions` are for it"


class Task(ABC):
    """What is trained and how it is scored: one ruler for every model, a stranger's too.

    ``version`` is part of every score's content key: raise it when the same predictions get other scores.
    """

    summary: ClassVar[str] = ""
    licence: ClassVar[str] = "unknown"
    kind: ClassVar[AnnotationKind]
    metrics: ClassVar[tuple[Metric, ...]]
    version: ClassVar[int] = 1
    default_budget: ClassVar[Budget]

    @abstractmethod
    def models(self) -> Sequence[ModelInfo]:
        """The models it knows, by name; imports nothing heavy."""

    @abstractmethod
    def model_options(self, name: str) -> type:
        """The options dataclass of a model."""

    @abstractmethod
    def model(self, name: str, spec: DatasetSpec, *, options: Any, seed: int, workplace: Workplace) -> Model:
        """A fresh model whose initial weights are drawn from ``seed``."""

    @abstractmethod
    def score(self, predictions: Iterable[Any], truth: Dataset) -> Scores:
        """All of ``metrics`` from predictions and annotations."""

    def learnt(self, name: str, options: Any) -> Learnt | None:
        """What a model with these options learns, or None when it learns nothing: then ``real`` is its only regime.

        Models with the same answer (trackers around one detector) share their trained weights: each must be able to
        load what another saved. By default all of a model learns.
        """
        return Learnt(name, options)

    def check_splits(self, splits: Splits) -> None:  # noqa: B027
        """Raise :class:`~cvbench.errors.DataError` when this data cannot be trained or scored on."""

    def check_model(self, name: str, options: Any, spec: DatasetSpec) -> None:  # noqa: B027
        """Raise :class:`~cvbench.errors.NotApplicable` when a model with these options is not for data of this spec.

        Its cells are then skipped before a generator is fitted for them. ``cvbench plan`` asks: import nothing heavy.
        """

    def contest(self, name: str, options: Any) -> str:
        """What a model with these options competes in: in a suite of real data alone, a contest's models share a table.

        In a few words for the table's title; empty when all models of the task compete.
        """
        return ""

    def answers(self, predictions: Iterable[Any], data: Dataset) -> Dataset:
        """``data`` with a model's predictions of it in its annotation's place, to look at; without the unsure ones.

        Raises :class:`~cvbench.errors.NotApplicable` when predictions cannot be drawn.
        """
        from cvbench.errors import NotApplicable

        raise NotApplicable("this task's predictions cannot be drawn")

    def trajectories(self, predictions: Iterable[Any], data: Dataset) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Of each clip the one object's box in every frame, float64 (n, 4) x1, y1, x2, y2, and seconds per frame (n,).

        Raises :class:`~cvbench.errors.NotApplicable` when models do not follow one object from the first frame on.
        """
        from cvbench.errors import NotApplicable

        raise NotApplicable("this task's models do not follow one object")

    def before_and_after(self, model: Model, data: Dataset, places: IntArray) -> tuple[UInt8Array, UInt8Array]:
        """What the model is given at ``places`` of the test split ``data``, and what it makes of it, to look at.

        Pictures uint8 (n, H, W, C), n = len(places): the same as those that are scored.

        Raises :class:`~cvbench.errors.NotApplicable` when its models do not give pictures.
        """
        from cvbench.errors import NotApplicable

        raise NotApplicable(NO_PICTURES)
