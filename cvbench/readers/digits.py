"""The embedded data set ``digits``: 1,797 real handwritten 8×8 digits that come with scikit-learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cvbench.contracts import Reader, Splits
from cvbench.errors import DataError
from cvbench.regimes import split_real
from cvbench.samples import AnnotationKind, DatasetSpec, LabelledImages
from cvbench.seeds import derive_seed

TRAIN_FRACTION = 2 / 3


class Digits(Reader):
    """Needs no network and no folder. A fixed stratified split: 1,198 train, 599 test."""

    summary = "1,797 handwritten 8×8 digits from scikit-learn; nothing to download"
    licence = "CC BY 4.0 (UCI)"

    def open(self, root: Path | None) -> Splits:
        if root is not None:
            raise DataError("digits comes with scikit-learn and takes no root", where=str(root))
        from sklearn.datasets import load_digits

        loaded = load_digits()
        # 16 grey levels and white: 0..16 → 0..255
        images = np.round(loaded.images * (255 / 16)).astype(np.uint8)[..., None]
        spec = DatasetSpec("digits", AnnotationKind.LABEL, tuple("0123456789"), 8, 8, 1)
        data = LabelledImages(spec, images, loaded.target.astype(np.int64))
        train, test = split_real(
            data.labels, fraction=TRAIN_FRACTION, per_class=None, seed=derive_seed(0, "digits split")
        )
        return Splits(data.select(train), data.select(test))
