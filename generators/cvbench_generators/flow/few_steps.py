"""Few-step quality: what samples are worth for how few solver steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from cvbench.datasets import gather
from cvbench.samples import DatasetSpec, LabelledImages
from cvbench_generators.conditional_sampler import ConditionalSampler, Draw

Worth = TypeVar("Worth")


def worth_by_steps(
    sampler: ConditionalSampler,
    drawing: Callable[[DatasetSpec, Mapping[str, Any]], Draw],
    measure: Callable[[LabelledImages], Worth],
    *,
    count: int,
    seed: int,
    steps: Sequence[int] = (1, 2, 4, 8, 16),
    **changed: Any,
) -> dict[int, Worth]:
    """Steps → what ``measure`` says of ``count`` samples.

    ``drawing`` is the sampler's own: ``rectified_flow.drawing`` or ``edm.drawing``. ``changed``: what else of the
    sampler's ``about`` is set anew, such as ``solver``. All start from the same noise.
    """
    found = {}
    for number in steps:
        draw = drawing(sampler.spec, {**sampler.about, **changed, "sampling_steps": number})
        found[number] = measure(gather(replace(sampler, draw=draw).sample(count, seed=seed), sampler.spec))
    return found
