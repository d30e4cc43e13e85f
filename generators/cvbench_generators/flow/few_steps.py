"""Few-step quality: how recognisable samples are for how many solver steps, by a probe trained on real pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cvbench.datasets import gather
from cvbench.fidelity.probe import Probe
from cvbench.samples import DatasetSpec
from cvbench_generators.conditional_sampler import ConditionalSampler, Draw


def accuracy_by_steps(
    sampler: ConditionalSampler,
    drawing: Callable[[DatasetSpec, Mapping[str, Any]], Draw],
    probe: Probe,
    *,
    count: int,
    seed: int,
    steps: Sequence[int] = (2, 4, 8, 16),
) -> dict[int, float]:
    """Steps → the share, in [0, 1], of ``count`` samples whose class the probe sees in them.

    ``drawing`` is the sampler's own: ``rectified_flow.drawing`` or ``edm.drawing``. All step numbers start from the
    same noise. ``count`` must be above 0 (ZeroDivisionError).
    """
    found = {}
    for number in steps:
        draw = drawing(sampler.spec, {**sampler.about, "sampling_steps": number})
        samples = gather(replace(sampler, draw=draw).sample(count, seed=seed), sampler.spec)
        right = probe.probabilities(samples.images).argmax(1) == samples.labels
        found[number] = int(right.sum()) / count
    return found
