"""Seeds by scope: each draw of randomness depends on the base seed and on what it should, nothing else."""

from __future__ import annotations

import hashlib
import json


def derive_seed(base: int, scope: str, *coordinates: str | int) -> int:
    """A seed in [0, 2**63) from the base seed, a scope and the coordinates that the draw may depend on.

    Two regimes that name the same scope and coordinates draw the same numbers: that is what pairs them.
    """
    text = json.dumps([base, scope, *coordinates], separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
