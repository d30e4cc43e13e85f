"""Which particles of a filter survive: systematic resampling (Kitagawa, J. Comput. Graph. Stat. 5(1), 1996)."""

from __future__ import annotations

import numpy as np

from cvbench.samples import FloatArray, IntArray


def survivors(weights: FloatArray, rng: np.random.Generator) -> IntArray:
    """(n,) places among (n,) weights of sum 1, each about as often as it weighs: one draw for all."""
    count = len(weights)
    marks = (np.arange(count) + rng.random()) / count
    return np.searchsorted(weights.cumsum(), marks).clip(max=count - 1)
