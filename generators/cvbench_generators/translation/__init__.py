"""Image-to-image translation: the generators ``pix2pix`` (paired) and ``cyclegan`` (unpaired)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, MultipleOf

from cvbench.contracts import Budget, Generator, Progress, Translator, Workplace
from cvbench.corruptions import Corruption, CorruptionName
from cvbench.errors import UserError
from cvbench.samples import AnnotationKind, Dataset


@dataclass(frozen=True)
class Pix2PixOptions:
    """``source``: the corruption that is undone. ``strength``: how strong it is. ``hole``: the rectangle's longest
    sides as a share of the picture's, 0.05 to 0.95, usually 0.5; ``noise``: the standard deviation as a share of 255,
    0.005 to 1, usually 0.15; ``low_resolution``: how many times fewer pixels per side, 2 to 4, usually 2; ``edges``:
    Canny's upper threshold, 10 to 2000, usually 200; ``grey`` has none.

    ``l1_weight``: of the distance to the clean picture beside the game. ``source_folder``: for ``cyclegan`` alone,
    because pix2pix learns from pairs.

    Not the paper's: ``learning_rate`` (there 2e-4) with a cosine to 0, and the budget's batch (there 1 to 10).
    """

    source: Literal["hole", "noise", "grey", "low_resolution", "edges"] = "hole"
    strength: float | None = None
    width: Annotated[int, Gt(0)] = 32
    l1_weight: Annotated[float, Ge(0)] = 100.0
    learning_rate: Annotated[float, Gt(0)] = 1e-3
    source_folder: str | None = None

    def __post_init__(self) -> None:
        Corruption(self.source, self.strength)
        if self.source_folder is not None:
            raise UserError(
                "pix2pix learns from pairs, and the pictures of a source_folder have no partners in the training data",
                hint="use cyclegan",
            )


class Pix2Pix(Generator):
    """Learns to undo a corruption; its samples are training pictures, varied, corrupted anew and restored."""

    summary = "pix2pix: undoes a corruption of the training pictures (U-Net, PatchGAN, L1), labels kept"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    latent = False
    default_budget = Budget(steps=1500, batch_size=32)
    Options = Pix2PixOptions

    def fit(
        self,
        train: Dataset,
        *,
        budget: Budget | None,
        seed: int,
        progress: Progress,
        workplace: Workplace,
        start: Translator | None = None,
    ) -> Translator:
        """``start``: a sampler of the same options whose networks the fit goes on from."""
        from cvbench_generators.translation.pix2pix import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace, start)

    def load(self, folder: Path, *, device: str = "cpu") -> Translator:
        from cvbench_generators.translation.pix2pix import load

        return load(folder, device)


@dataclass(frozen=True)
class CycleGANOptions:
    """``source``: the corruption of one half of the training pictures that makes the source domain
    (``inverted`` unless said otherwise); the other half is the target domain. ``strength``: how strong it is, as for
    the generator ``pix2pix``; ``grey`` and ``inverted`` have none.

    ``source_folder``: instead, a folder of pictures, one sub-folder per class, with the training data's class names;
    pictures of another size or colour are brought to the training data's, and a note says how many.
    ``identity_weight`` is a share of ``cycle_weight``; without one it is the paper's 0.5, and 0 for ``inverted``:
    there the identity loss asks the opposite of what the game asks (MNIST, 400 steps: 8.5 dB with it, 20.1 without).

    Not the paper's: ``learning_rate`` with a cosine to 0 (there 2e-4, constant and then falling linearly), and the
    budget's batch (there 1).
    """

    source: CorruptionName | None = None
    strength: float | None = None
    source_folder: str | None = None
    width: Annotated[int, Gt(0), MultipleOf(4)] = 16
    blocks: Annotated[int, Gt(0)] = 3
    cycle_weight: Annotated[float, Ge(0)] = 10.0
    identity_weight: Annotated[float, Ge(0)] | None = None
    learning_rate: Annotated[float, Gt(0)] = 5e-4

    def __post_init__(self) -> None:
        if self.corruption is None and (self.source is not None or self.strength is not None):
            raise UserError("cyclegan takes its source domain from a corruption or from a source_folder, not from both")

    @property
    def corruption(self) -> Corruption | None:
        """What makes the source domain; None where a folder is it."""
        return None if self.source_folder is not None else Corruption(self.source or "inverted", self.strength)

    @property
    def set_identity_weight(self) -> float:
        """The weight asked for, else the source domain's own."""
        inverts = self.corruption is not None and self.corruption.name == "inverted"
        return self.identity_weight if self.identity_weight is not None else 0.0 if inverts else 0.5


class CycleGAN(Generator):
    """Learns to turn one domain into another from unpaired pictures; its samples are varied source pictures, turned."""

    summary = "CycleGAN: turns a source domain into the training pictures' own, unpaired, labels kept"
    licence = "Apache-2.0"
    kinds = frozenset({AnnotationKind.LABEL})
    latent = False
    version = 3
    default_budget = Budget(steps=1500, batch_size=16)
    Options = CycleGANOptions

    def reads(self) -> tuple[Path, ...]:
        folder = self.options.source_folder
        return (Path(folder),) if folder is not None else ()

    def fit(
        self,
        train: Dataset,
        *,
        budget: Budget | None,
        seed: int,
        progress: Progress,
        workplace: Workplace,
        start: Translator | None = None,
    ) -> Translator:
        """``start``: a sampler of the same options whose networks the fit goes on from."""
        from cvbench_generators.translation.cyclegan import fit

        return fit(train, self.options, budget or self.default_budget, seed, progress, workplace, start)

    def load(self, folder: Path, *, device: str = "cpu") -> Translator:
        from cvbench_generators.translation.cyclegan import load

        return load(folder, device)
