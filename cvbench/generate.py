"""One generator, fitted on a whole train split, and as many samples as asked: the plan's steps without a suite."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cvbench.jobs import SampleJob
from cvbench.samples import IntArray


@dataclass(frozen=True)
class SampleRequest:
    """What to fit and how much to draw. ``class_counts`` is None for the train split's proportions."""

    job: SampleJob
    class_counts: IntArray | None

    def about(self) -> Mapping[str, Any]:
        """For ``about.json`` beside the pictures: enough to make them again."""
        fit = self.job.fit
        return {
            "generator": asdict(fit.generator),
            "budget": asdict(fit.budget) if fit.budget else None,
            "data": {"name": fit.part.data.label, "fingerprint": fit.part.data.fingerprint},
            "count": self.job.count,
            "seed": self.job.seed,
            "engine": fit.engine,
        }
