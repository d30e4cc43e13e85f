"""Classification data sets of torchvision, by their own names: ``torchvision:CIFAR10``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.contracts import Reader, Splits
from cvbench.errors import DataError, near_names
from cvbench.readers.places import cached_place
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages
from cvbench.seeds import derive_seed

TEST_FRACTION = 0.2  # of a set that comes in one part


@dataclass(frozen=True)
class TorchvisionOptions:
    """``dataset``: the class's name. ``size``: pixels per side, for sets of unequal pictures."""

    dataset: str = ""
    download: bool = False
    size: int | None = None


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
        place = root or cached_place("torchvision")
        parameters = inspect.signature(family).parameters

        def part(name: str) -> Any:
            arguments: dict[str, Any] = {"download": options.download} if "download" in parameters else {}
            if "train" in parameters:
                arguments["train"] = name == "train"
            elif "split" in parameters:
                arguments["split"] = name
            return _opened(lambda: family(place, **arguments), where, options.download)

        train = _gathered(part("train"), options, where)
        if "train" in parameters or "split" in parameters:
            return Splits(train, _gathered(part("test"), options, where))
        seed = derive_seed(0, "torchvision split", options.dataset)
        test, rest = split_real(train.labels, fraction=TEST_FRACTION, per_class=None, seed=seed)
        return Splits(train.select(rest), train.select(test))


def _opened(make: Callable[[], Any], where: str, download: bool) -> Any:
    try:
        return make()
    except Exception as error:  # torchvision raises many kinds for a set that is not there
        words = " ".join(str(error).split())[:200]
        hint = "a download needs a network" if download else "set root: to where it lies, or the option download: true"
        raise DataError(f"cannot be opened ({type(error).__name__}: {words})", where=where, hint=hint) from None


def _gathered(dataset: Any, options: TorchvisionOptions, where: str) -> LabelledImages:
    pictures, labels = [], []
    for picture, label in dataset:
        if not isinstance(label, int | np.integer):
            raise DataError(f"its labels are {type(label).__name__}, not class numbers", where=where)
        if options.size is not None:
            picture = picture.resize((options.size, options.size))
        pictures.append(np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB")))
        labels.append(int(label))
    shapes = {picture.shape for picture in pictures}
    if len(shapes) != 1:
        raise DataError(f"its pictures have {len(shapes)} sizes", where=where, hint="set the option size")
    images = np.stack(pictures)
    images = images[..., None] if images.ndim == 3 else images
    names = getattr(dataset, "classes", None) or [str(n) for n in range(max(labels) + 1)]
    spec = DatasetSpec(options.dataset, AnnotationKind.LABEL, tuple(map(str, names)), *images.shape[1:])
    return LabelledImages(spec, images, np.array(labels, dtype=np.int64))
