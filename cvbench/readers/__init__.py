"""Readers of real data: each opens one format. ``open_dataset`` finds the right one and checks what it gives."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.contracts import Reader, Splits
from cvbench.errors import DataError, UserError, counted
from cvbench.plugins import listings, load_plugin, make_plugin
from cvbench.regimes import split_real
from cvbench.samples import Dataset
from cvbench.seeds import derive_seed

PACKED = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}


def open_dataset(
    reader: str, argument: str, root: Path | None, options: Mapping[str, Any], val_fraction: float
) -> Splits:
    """The splits of a data set, held to what every task may rely on.

    ``reader`` is an entry-point name, or empty: then the folder's format is recognised. ``argument`` is what
    follows the colon in ``torchvision:CIFAR10``. A ``val_fraction`` above zero takes a fixed stratified part
    of train as val. Raises :class:`DataError`, and :class:`UserError` when the data has a val split of its own.
    """
    if not reader:
        if root is None:
            raise DataError("neither a reader nor a folder is given")
        reader = recognise(root)
    given = dict(options)
    if argument:
        if "dataset" not in load_plugin("readers", reader).Options.__dataclass_fields__:
            raise UserError(f"the reader {reader!r} takes no name after a colon", where=f"{reader}:{argument}")
        given["dataset"] = argument
    plugin = make_plugin("readers", reader, given)
    try:
        opened = checked(plugin.open(root))
    except DataError as error:
        if root is None or not root.is_dir():
            raise
        every = f"`cvbench check-data {root} --reader {reader}` lists all that is wrong"
        raise DataError(error.what, where=error.where, hint=f"{error.hint}; {every}" if error.hint else every) from None
    return _with_val(opened, val_fraction)


def recognise(root: Path) -> str:
    """The name of the installed reader that knows this folder's format."""
    if not root.exists():
        raise DataError("there is no such folder", where=str(root))
    if not root.is_dir():
        unpack = "unpack it, or " if root.suffix.lower() in PACKED else ""
        raise DataError("is a file, not a folder", where=str(root), hint=f"{unpack}name the folder that it is in")
    tried = []
    # any folder of folders looks like an image folder, so that one is asked last
    for listing in sorted(listings("readers"), key=lambda one: one.name == "image-folder"):
        if listing.plugin is not None and issubclass(listing.plugin, Reader):
            tried.append(listing.name)
            if listing.plugin.recognises(root):
                return listing.name
    raise DataError(
        "no reader knows this format",
        where=str(root),
        hint=f"looked for: {', '.join(tried)}. Classes are root/train/<class>/*.png and root/test/…; "
        "masks root/images/*.png and root/masks/*.png",
    )


def checked(splits: Splits) -> Splits:
    """The splits, if train and test have samples and all parts agree on classes and picture shape."""
    name = splits.train.spec.name
    for part, data in (("train", splits.train), ("test", splits.test)):
        if not len(data):
            raise DataError(f"the {part} split is empty", where=name)
    for part, other in (("test", splits.test), ("val", splits.val)):
        if other is None:
            continue
        if _shape(other) != _shape(splits.train):
            raise DataError(
                f"train has {_shape(splits.train)}, {part} has {_shape(other)}",
                where=name,
                hint="bring them to one form; an image folder has the options size and channels",
            )
        if other.spec.classes != splits.train.spec.classes:
            raise DataError(f"train and {part} name their classes differently", where=name)
    return splits


def _shape(data: Dataset) -> str:
    spec = data.spec
    return f"{spec.height}x{spec.width}x{spec.channels} pictures of {counted(len(spec.classes), 'class')}"


def _with_val(splits: Splits, fraction: float) -> Splits:
    if not fraction:
        return splits
    if splits.val is not None:
        raise UserError(
            f"val_fraction {fraction:g} is given, but the data has a val split of its own",
            where=splits.train.spec.name,
            hint="leave val_fraction out: weights are chosen on that one",
        )
    seed = derive_seed(0, "val", splits.train.fingerprint)
    val, train = split_real(splits.train.strata(), fraction=fraction, per_class=None, seed=seed)
    if not len(train) or len(np.unique(splits.train.strata()[train])) < len(np.unique(splits.train.strata())):
        raise DataError(
            f"val_fraction {fraction:g} leaves a class without training samples", where=splits.train.spec.name
        )
    return Splits(splits.train.select(train), splits.test, splits.train.select(val))
