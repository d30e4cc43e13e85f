"""The restorers' names, licences and options: all that can be said without importing torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge

from cvbench.contracts import ModelInfo
from cvbench.corruptions import Corruption, CorruptionName


@dataclass(frozen=True)
class RestorerOptions:
    """``corruption`` is what is put on the test pictures; ``strength`` as in :mod:`cvbench.corruptions`."""

    corruption: CorruptionName = "hole"
    strength: float | None = None

    def __post_init__(self) -> None:
        self.as_corruption()

    def as_corruption(self) -> Corruption:
        """The corruption; raises :class:`~cvbench.errors.UserError` for a strength that it cannot have."""
        return Corruption(self.corruption, self.strength)


@dataclass(frozen=True)
class PairedOptions(RestorerOptions):
    """pix2pix's: any corruption but ``inverted``.

    ``l1_weight``: of the distance to the clean picture beside the game; the more, the higher the PSNR and the blurrier.
    """

    corruption: Literal["hole", "noise", "grey", "low_resolution", "edges"] = "hole"
    l1_weight: Annotated[float, Ge(0)] = 100.0


@dataclass(frozen=True)
class BicubicOptions(RestorerOptions):
    """Bicubic interpolation undoes ``low_resolution`` alone."""

    corruption: Literal["low_resolution"] = "low_resolution"


@dataclass(frozen=True)
class InpaintOptions(RestorerOptions):
    """Inpainting undoes a ``hole`` alone; it is told where the hole is."""

    corruption: Literal["hole"] = "hole"


@dataclass(frozen=True)
class DenoiseOptions(RestorerOptions):
    """Denoising undoes ``noise`` alone; it is told its strength."""

    corruption: Literal["noise"] = "noise"


NETWORKS = ("pix2pix", "cyclegan")
OPTIONS: dict[str, type[RestorerOptions]] = {
    "identity": RestorerOptions,
    "bicubic": BicubicOptions,
    "inpaint_telea": InpaintOptions,
    "inpaint_ns": InpaintOptions,
    "nl_means": DenoiseOptions,
    "pix2pix": PairedOptions,
    "cyclegan": RestorerOptions,
}


def known_models() -> Sequence[ModelInfo]:
    """The baselines, which train nothing, then the networks."""
    opencv = "Apache-2.0"
    return (
        ModelInfo("identity", "trains nothing: the corrupted picture as it is, the floor", "Apache-2.0"),
        ModelInfo("bicubic", "trains nothing: OpenCV's bicubic interpolation, for low_resolution", opencv),
        ModelInfo("inpaint_telea", "trains nothing: OpenCV's fast marching inpainting, for a hole", opencv),
        ModelInfo("inpaint_ns", "trains nothing: OpenCV's Navier-Stokes inpainting, for a hole", opencv),
        ModelInfo("nl_means", "trains nothing: OpenCV's non-local means, for noise", opencv),
        ModelInfo("pix2pix", "the generator pix2pix, fitted on the cell's training pictures", "Apache-2.0"),
        ModelInfo(
            "cyclegan", "the generator cyclegan, fitted on the cell's training pictures, unpaired", "Apache-2.0", 2
        ),
    )
