"""COCO's run-length masks, compressed or not; hand-made ones too, which its own C code trusts to be right.

Format: lengths of runs of 0 and 1 in turn, column by column. Compressed: each length but the first three as the
difference from the one before the last, in groups of five bits, the sixth saying that more follow, 48 added.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cvbench.errors import DataError
from cvbench.samples import BoolArray


def mask_of(counts: Sequence[int] | str, height: int, width: int, where: str) -> BoolArray:
    """bool (H, W). Raises :class:`DataError` when the runs do not add up to the picture."""
    runs = _uncompressed(counts, where) if isinstance(counts, str) else list(counts)
    if any(not isinstance(run, int) or run < 0 for run in runs):
        raise DataError("a run-length mask has a length that is negative or no whole number", where=where)
    if sum(runs) != height * width:
        raise DataError(
            f"a run-length mask has {sum(runs):,} pixels, its picture {height}x{width} = {height * width:,}",
            where=where,
            hint="write it again for this picture's size",
        )
    values = np.arange(len(runs)) % 2 == 1
    return np.asarray(np.repeat(values, runs).reshape(width, height).T)


def _uncompressed(text: str, where: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > 60:
            raise DataError(f"a run-length mask has the letter {letter!r}", where=where, hint="it is damaged")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs
