"""Labels for an unconditional family, by the user's choice and said in the sampler's notes.

``per_class``: one sampler for each class, the budget's steps split evenly between them. ``pseudo_labels``: one sampler
for all pictures, whose samples a classifier of the real train split labels (Lee, "Pseudo-Label", ICML workshop 2013);
it draws until every class has as many as were asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from cvbench.contracts import Budget, Progress, Workplace
from cvbench.durable import appearing
from cvbench.errors import NotApplicable, TrainingDiverged
from cvbench.fidelity.probe import STEPS, train_probe
from cvbench.samples import Dataset, LabelledImages, proportional_counts
from cvbench.seeds import derive_seed
from cvbench_generators.conditional_sampler import ConditionalSampler, pictures_to_learn
from cvbench_generators.labelled_sampler import (
    LabelledSampler,
    Load,
    PerClassSampler,
    PseudoLabelledSampler,
    class_folder,
)

PROBE_STEPS = STEPS

Fit = Callable[..., ConditionalSampler]  # an unconditional family's ``_fit``, which knows no labels


def fit_labelled(
    fit: Fit,
    load: Load,
    train: Dataset,
    *,
    labels: Literal["per_class", "pseudo_labels"],
    confidence: float,
    budget: Budget,
    seed: int,
    progress: Progress,
    workplace: Workplace,
) -> LabelledSampler:
    """A labelled sampler from an unconditional fit.

    Raises :class:`NotApplicable` for unlabelled data, and for a class of one picture or fewer steps than classes
    (``per_class``). ``confidence`` is for ``pseudo_labels``.
    """
    train = pictures_to_learn(train, f"labels: {labels}")
    if labels == "pseudo_labels":
        return _fit_pseudo_labelled(fit, train, confidence, budget, seed, progress, workplace)
    return _fit_per_class(fit, load, train, budget, seed, progress, workplace)


def _fit_per_class(
    fit: Fit, load: Load, train: LabelledImages, budget: Budget, seed: int, progress: Progress, workplace: Workplace
) -> PerClassSampler:
    counts, names = train.class_counts(), train.spec.classes
    seen = np.flatnonzero(counts).tolist()
    if (counts == 1).any():
        alone = names[int((counts == 1).argmax())]
        raise NotApplicable(f"labels: per_class needs two pictures of every class, {alone!r} has one")
    if budget.steps < len(seen):
        raise NotApplicable(f"labels: per_class needs a step for each of {len(seen)} classes, not {budget.steps}")
    steps = proportional_counts([1] * len(seen), budget.steps).tolist()
    parts: dict[int, ConditionalSampler] = {}
    for place, (label, share) in enumerate(zip(seen, steps, strict=True)):
        own = replace(workplace, folder=workplace.folder / class_folder(label))
        done = own.folder / "sampler"
        if not done.exists():
            part = _named(names[label], fit)(
                train.select(np.flatnonzero(train.labels == label)),
                budget=replace(budget, steps=share),
                seed=derive_seed(seed, "class", label),
                progress=_within(progress, sum(steps[:place]), budget.steps, names[label]),
                workplace=own,
            )
            with appearing(done) as torn:  # there whole or not at all: after a kill it is not done again
                part.save(torn)
        parts[label] = load(done, device=workplace.device)
    shares = " or ".join(str(share) for share in sorted(set(steps)))  # those of two classes differ by one at most
    said = f"labels: one sampler per class, each fitted for {shares} of the {budget.steps} steps"
    notes = [said, *_notes_by_class({names[label]: part.notes for label, part in parts.items()})]
    curves = {f"{name}, {names[c]}": curve for c, part in parts.items() for name, curve in part.curves.items()}
    return PerClassSampler(spec=train.spec, class_counts=counts, curves=curves, notes=tuple(notes), parts=parts)


def _notes_by_class(notes: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Each note once, with the classes whose fits say it."""
    for note in dict.fromkeys(note for own in notes.values() for note in own):
        saying = [name for name, own in notes.items() if note in own]
        whose = "every class" if len(saying) == len(notes) else f"class {', '.join(saying)}"
        yield f"{whose}: {note}"


def _named(name: str, fit: Fit) -> Fit:
    """The fit, whose divergence says of which class."""

    def named(*args: Any, **kwargs: Any) -> ConditionalSampler:
        try:
            return fit(*args, **kwargs)
        except TrainingDiverged as error:
            raise TrainingDiverged(f"class {name!r}: {error}") from error

    return named


def _within(progress: Progress, before: int, total: int, name: str) -> Progress:
    """One class's progress as a part of the whole fit's."""
    return lambda done, _, note="": progress(before + done, total, f"{note}, class {name}")


def _fit_pseudo_labelled(
    fit: Fit,
    train: LabelledImages,
    confidence: float,
    budget: Budget,
    seed: int,
    progress: Progress,
    workplace: Workplace,
) -> PseudoLabelledSampler:
    probe_seed = derive_seed(seed, "labels")
    probe = train_probe(train, seed=probe_seed, workplace=workplace, steps=PROBE_STEPS, progress=progress)
    own = replace(workplace, folder=workplace.folder / "unlabelled")
    unlabelled = fit(train, budget=budget, seed=seed, progress=progress, workplace=own)
    sure = f" that is at least {confidence:.0%} sure" if confidence else ""
    return PseudoLabelledSampler(
        spec=train.spec,
        class_counts=train.class_counts(),
        curves=unlabelled.curves,
        notes=(f"labels: those of a classifier of the real training pictures{sure}", *unlabelled.notes),
        unlabelled=unlabelled,
        probe=probe,
        confidence=confidence,
    )
