"""Classification data sets of torchvision, by their own names: ``torchvision:CIFAR10``."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from cvbench.contracts import Reader, Splits
from cvbench.errors import DataError, near_names
from cvbench.readers.places import cached_place, usual_places
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, DatasetSpec, IntArray, LabelledImages, UInt8Array
from cvbench.seeds import derive_seed

TEST_FRACTION = 0.2  # of a set that comes in one part
_WITHOUT_DOWNLOAD = "set root: to where it lies, or the option download: true where there is a network"


@dataclass(frozen=True)
class TorchvisionOptions:
    """``dataset``: the class's name. ``size``: pixels per side, for sets of unequal pictures."""

    dataset: str = ""
    download: bool = False
    size: Annotated[int, Gt(0)] | None = None


class Torchvision(Reader):
    """Any set of torchvision whose items are a picture and a class number."""

    summary = "torchvision's data sets by name: torchvision:CIFAR10, torchvision:SVHN, …"
    licence = "each set's own"
    Options = TorchvisionOptions

    def open(self, root: Path | None) -> Splits:
        from torchvision import datasets

        options: TorchvisionOptions = self.options
        where = f"torchvision:{options.dataset}"
        known = [n for n in datasets.__all__ if isinstance(getattr(datasets, n), type)]
        if options.dataset not in known:
            raise DataError(
                f"torchvision has no data set {options.dataset!r}", where=where, hint=near_names(options.dataset, known)
            )
        family = getattr(datasets, options.dataset)
        usual = (place for place in usual_places("torchvision") if place.is_dir())
        place = root or next(usual, cached_place("torchvision"))
        parameters = inspect.signature(family).parameters

        def part(name: str) -> _Part:
            arguments: dict[str, Any] = {"download": options.download} if "download" in parameters else {}
            if "train" in parameters:
                arguments["train"] = name == "train"
            elif "split" in parameters:
                arguments["split"] = name
            try:
                return _gathered(family(place, **arguments), options.size, where)
            except DataError:
                raise
            except Exception as error:  # torchvision raises many kinds for a set that is not there, or damaged
                words = " ".join(str(error).split())[:200]
                hint = "a download needs a network" if options.download else _WITHOUT_DOWNLOAD
                raise DataError(
                    f"cannot be opened in {place} ({type(error).__name__}: {words})", where=where, hint=hint
                ) from None

        parts = [part("train")]
        if "train" in parameters or "split" in parameters:
            parts.append(part("test"))
        channels = max(p.images.shape[3] for p in parts)
        parts = [replace(p, images=np.repeat(p.images, channels // p.images.shape[3], axis=3)) for p in parts]
        names = parts[0].classes or tuple(str(n) for n in range(max(int(p.labels.max()) for p in parts) + 1))
        data = [_as_dataset(options.dataset, p, names) for p in parts]
        if len(data) == 2:
            return Splits(*data)
        seed = derive_seed(0, "torchvision split", options.dataset)
        test, train = split_real(data[0].labels, fraction=TEST_FRACTION, per_class=None, seed=seed)
        return Splits(data[0].select(train), data[0].select(test))


@dataclass(frozen=True)
class _Part:
    """uint8 (N, H, W, C), int64 (N,) and the class names, if the set has any."""

    images: UInt8Array
    labels: IntArray
    classes: tuple[str, ...]


def _gathered(dataset: Any, size: int | None, where: str) -> _Part:
    pictures, labels = [], []
    for picture, label in dataset:
        if not isinstance(label, int | np.integer):
            raise DataError(f"its labels are {type(label).__name__}, not class numbers", where=where)
        if size is not None:
            picture = picture.resize((size, size))
        pixels = np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
        pictures.append(pixels[..., None] if pixels.ndim == 2 else pixels)
        labels.append(int(label))
    shapes = {picture.shape[:2] for picture in pictures}
    if len(shapes) != 1:
        raise DataError(f"its pictures have {len(shapes)} shapes", where=where, hint="set the option size")
    channels = max(picture.shape[2] for picture in pictures)  # grey ones among colour become RGB
    images = np.stack([np.broadcast_to(picture, (*picture.shape[:2], channels)) for picture in pictures])
    return _Part(images, np.array(labels, dtype=np.int64), tuple(map(str, getattr(dataset, "classes", None) or ())))


def _as_dataset(name: str, part: _Part, classes: tuple[str, ...]) -> LabelledImages:
    spec = DatasetSpec(name, AnnotationKind.LABEL, classes, *part.images.shape[1:])
    return LabelledImages(spec, part.images, part.labels)
