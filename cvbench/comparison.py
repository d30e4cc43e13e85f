"""From a run's records to what they say: tables of rows, each against the real row beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np

from cvbench.contestants import Field, fields
from cvbench.contracts import Metric
from cvbench.effects import item_interval, judge, mean_interval, paired_effect
from cvbench.errors import UserError, near_names
from cvbench.ledger import FIDELITY, CellRecord, Coordinates, Ledger
from cvbench.rows import Measured, Row, Table, cost_of
from cvbench.run_folder import RunFolder
from cvbench.samples import FloatArray
from cvbench.worth import Worth, worth


@dataclass(frozen=True)
class Comparison:
    """Everything that a report says."""

    name: str
    summary: str
    tables: tuple[Table, ...]
    fields: tuple[Field, ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def compare(folder: RunFolder, metric: str | None = None) -> Comparison:
    """Read the run's ledger and set every row against the real row of its block.

    ``metric``: what verdicts are about in the place of the task's primary one. Raises :class:`UserError` for a name
    that the run has no scores of.
    """
    known = {one.name: one for one in folder.metrics}
    if metric is not None and metric not in known:
        raise UserError(f"the run has no metric {metric!r}", where="--metric", hint=near_names(metric, known))
    measured_by = metric if metric is not None and not known[metric].primary else None
    records = folder.ledger.read()
    cells = [records.get(cell) or _missing(cell, place, folder) for cell, place in folder.cells.items()]
    trained = [cell for cell in cells if cell.coordinates.regime != FIDELITY]
    tables = tuple(
        _table(group, contest, folder, measured_by)
        for _, of_one_set in groupby(trained, key=lambda r: (r.coordinates.task, r.coordinates.dataset))
        for contest, group in _apart(list(of_one_set), folder.contests)
    )
    environment = next((record.environment for record in reversed(cells) if record.environment), {})
    statuses = dict(Counter(str(record.status) for record in cells))
    judged = [cell for cell in cells if cell.coordinates.regime == FIDELITY]
    return Comparison(
        folder.name,
        str(folder.suite.get("summary", "")),
        tables,
        fields(judged, tables),
        statuses,
        environment,
        (*without_effect(folder), *_not_shared(trained)),
    )


def _missing(cell: str, place: Coordinates, folder: RunFolder) -> CellRecord:
    known = {"control": True, "expected": folder.controls[cell]} if cell in folder.controls else {}
    return CellRecord(cell, place, "missing", resolved=known)


def _not_shared(cells: Sequence[CellRecord]) -> Iterator[str]:
    """What the trained models were not all made with, a line each: a difference may come from that too."""
    made = [record.environment for record in cells if record.environment]
    for name in dict.fromkeys(name for one in made for name in one):
        values = list(dict.fromkeys(str(one[name]) for one in made if name in one))  # what lacks it did not use it
        if len(values) > 1:
            yield f"not all models were made with the same {name} ({', '.join(values)}): differences may come from that"


def without_effect(folder: RunFolder) -> tuple[str, ...]:
    """What the suite asks for and no cell does, a line each."""
    asked = folder.suite.get("fidelity", "none")
    judges = any(place.regime == FIDELITY for place in folder.cells.values())
    if asked == "none" or not folder.suite.get("generators") or judges:
        return ()
    return (f"fidelity: samples of clips are not judged; {asked!r} has no effect",)


def _apart(cells: Sequence[CellRecord], contests: Mapping[str, str]) -> list[tuple[str | None, list[CellRecord]]]:
    """A data set's cells, table by table: of a model, or of a contest where several models train on real data alone."""
    regimes: dict[str, set[str]] = {}
    for cell in cells:
        regimes.setdefault(cell.coordinates.model, set()).add(cell.coordinates.regime)
    competing = {model for model, seen in regimes.items() if seen == {"real"}}
    groups: dict[tuple[str | None, str], list[CellRecord]] = {}
    for cell in cells:
        model = cell.coordinates.model
        alone = model not in competing or len(competing) == 1
        groups.setdefault((None, model) if alone else (contests.get(model, ""), ""), []).append(cell)
    return [(contest, group) for (contest, _), group in groups.items()]


def _table(cells: Sequence[CellRecord], contest: str | None, folder: RunFolder, measured_by: str | None) -> Table:
    place = cells[0].coordinates
    facts = folder.datasets[place.dataset]
    blocks: dict[str, list[list[CellRecord]]] = {}
    for cell in cells:
        rows = blocks.setdefault(cell.coordinates.real, [])
        if rows and _row_key(rows[-1][0].coordinates) == _row_key(cell.coordinates):
            rows[-1].append(cell)
        else:
            rows.append([cell])
    items = int(facts["test"])
    compete = contest is not None
    made = {real: _block(rows, folder.metrics, folder.ledger, items, compete) for real, rows in blocks.items()}
    notes = tuple(sorted({note for cell in cells for note in cell.notes}))
    notes += tuple(_unequal_budgets(cells)) if compete else ()
    model = "" if compete else place.model
    table = Table(
        place.task,
        place.dataset,
        model,
        folder.metrics,
        items,
        made,
        notes,
        contest,
        measured_by,
        item=str(facts.get("item", "item")),
        test_frames=int(facts.get("test_frames", 0)),
        train_items=int(facts.get("train", 0)),
    )
    worths = _worths(cells, table.measure)
    made = {
        real: tuple(replace(row, worth=worths.get((real, row.generator, row.ratio, row.regime))) for row in rows)
        for real, rows in made.items()
    }
    return _judged(replace(table, blocks=made))


def _unequal_budgets(cells: Sequence[CellRecord]) -> Iterator[str]:
    """What contestants that learn were given, a line, where that is not the same for all."""
    given = {cell.coordinates.model: cell.resolved["budget"] for cell in cells if cell.resolved.get("learns")}
    told = {model: f"{budget['steps']:,} steps of {budget['batch_size']}" for model, budget in given.items()}
    if len(set(told.values())) > 1:
        yield "not trained alike: " + ", ".join(f"{model} for {budget}" for model, budget in told.items())


def _worths(cells: Sequence[CellRecord], metric: Metric) -> dict[tuple[Any, ...], Worth]:
    """(real, generator, ratio, regime) → a mixed row's worth, over the seeds that have a real curve."""
    sign = 1 if metric.higher_is_better else -1
    curves: dict[int, dict[int, float]] = {}
    rows: dict[tuple[Any, ...], list[CellRecord]] = {}
    for cell in cells:
        place, score = cell.coordinates, cell.metrics.get(metric.name) if cell.status == "ok" else None
        if score is not None and place.regime == "real":
            curves.setdefault(place.seed, {})[cell.resolved["real_samples"]] = sign * score
        elif score is not None and place.regime == "mixed":
            rows.setdefault((place.real, place.generator, place.ratio, place.regime), []).append(cell)
    curves = {seed: curve for seed, curve in curves.items() if len(curve) > 1}
    found = {}
    for key, row in rows.items():
        own = [cell for cell in row if cell.coordinates.seed in curves]
        if own:
            scores = [sign * float(cell.metrics[metric.name] or 0) for cell in own]
            real, synthetic = own[0].resolved["real_samples"], own[0].synthetic
            read_off = [curves[cell.coordinates.seed] for cell in own]
            if all(real < max(curve) for curve in read_off):  # at its end, a curve cannot say what more would bring
                found[key] = worth(read_off, scores, real=real, synthetic=synthetic)
    return found


def _row_key(place: Coordinates) -> tuple[Any, ...]:
    return (place.model, place.regime, place.generator, place.ratio)


def _judged(table: Table) -> Table:
    """Verdicts on the table's measure, corrected over the whole table."""
    measure = table.measure
    contenders = [(real, k) for real, rows in table.blocks.items() for k, row in enumerate(rows) if not row.baseline]
    effects = [table.blocks[real][k].measured[measure.name].effect for real, k in contenders]
    judgements = dict(zip(contenders, judge(effects, higher_is_better=measure.higher_is_better), strict=True))
    blocks = {
        real: tuple(
            replace(row, judgement=judgements.get((real, k)) if row.n_ok else None) for k, row in enumerate(rows)
        )
        for real, rows in table.blocks.items()
    }
    return replace(table, blocks=blocks)


def _block(
    rows: Sequence[Sequence[CellRecord]], metrics: Sequence[Metric], ledger: Ledger, items: int, compete: bool
) -> tuple[Row, ...]:
    baseline = next((row for row in rows if row[0].coordinates.regime == "real"), [])
    made = [_row(row, baseline, metrics, ledger, items) for row in rows]
    if compete:
        made = [replace(row, contestant=cells[0].coordinates.model) for row, cells in zip(made, rows, strict=True)]
    return tuple(sorted(made, key=lambda row: row.control))  # the controls last, else in the suite's order


def _row(
    cells: Sequence[CellRecord],
    baseline: Sequence[CellRecord],
    metrics: Sequence[Metric],
    ledger: Ledger,
    items: int,
) -> Row:
    place = cells[0].coordinates
    against = [] if cells is baseline else baseline
    reasons = {f"{c.status} in {c.phase}: {c.reason}" for c in cells if c.reason}
    return Row(
        real=place.real,
        regime=place.regime,
        generator=place.generator,
        ratio=place.ratio,
        control=any(cell.resolved.get("control", False) for cell in cells),
        expected=next((cell.resolved["expected"] for cell in cells if cell.resolved.get("expected")), ""),
        measured={metric.name: _measured(metric, cells, against, ledger, items) for metric in metrics},
        cost=cost_of(cells, items),
        statuses=dict(Counter(cell.status for cell in cells)),
        reasons=tuple(sorted(reasons)),
        baseline=cells is baseline,
        per_class=_per_class(cells, against),
        real_samples=max((c.resolved["real_samples"] for c in cells if "real_samples" in c.resolved), default=None),
    )


def _measured(
    metric: Metric, cells: Sequence[CellRecord], baseline: Sequence[CellRecord], ledger: Ledger, items: int
) -> Measured:
    ours, theirs = _by_seed(metric.name, cells), _by_seed(metric.name, baseline)
    if not ours:
        return Measured(None)
    scores = {seed: score for seed, (_, score) in ours.items()}
    before = {seed: score for seed, (_, score) in theirs.items()}
    stacks = _item_scores(metric.name, ours, theirs, ledger)
    # a share of hits moves in steps of one item; what is not a hit or a miss has no least step
    counted = stacks is not None and all(np.isin(stack, (0, 1)).all() for stack in stacks)
    effect = paired_effect(before, scores, resolution=1 / max(1, items) if counted else 0.0) if before else None
    return Measured(mean_interval(list(scores.values())), effect, item_interval(*stacks) if stacks else None)


def _per_class(cells: Sequence[CellRecord], baseline: Sequence[CellRecord]) -> dict[str, dict[str, Measured]]:
    """Metric → class → what was measured, for the metrics that the task tells per class."""
    told = next((cell.per_class for cell in cells if cell.per_class), {})
    return {metric: {name: _of_class(metric, name, cells, baseline) for name in told[metric]} for metric in told}


def _of_class(metric: str, name: str, cells: Sequence[CellRecord], baseline: Sequence[CellRecord]) -> Measured:
    scores, before = (
        {c.coordinates.seed: value for c in side if (value := c.per_class.get(metric, {}).get(name)) is not None}
        for side in (cells, baseline)
    )
    return Measured(mean_interval(list(scores.values())), paired_effect(before, scores)) if scores else Measured(None)


def _by_seed(metric: str, cells: Iterable[CellRecord]) -> dict[int, tuple[str, float]]:
    """Seed → cell and score, of the cells that have one."""
    found = {}
    for cell in cells:
        value = cell.metrics.get(metric) if cell.status == "ok" else None
        if value is not None:
            found[cell.coordinates.seed] = (cell.cell, value)
    return found


def _item_scores(
    metric: str, ours: Mapping[int, tuple[str, float]], theirs: Mapping[int, tuple[str, float]], ledger: Ledger
) -> tuple[FloatArray, FloatArray] | None:
    """Theirs and ours, (seeds, N) each, over the seeds that both have; None where a cell does not tell them."""
    both = sorted(ours.keys() & theirs.keys())
    stacks: list[FloatArray] = []
    for side in (theirs, ours):
        scores = [ledger.per_item(side[seed][0]).get(metric) for seed in both]
        if not scores or any(score is None for score in scores):
            return None
        stacks.append(np.stack([score for score in scores if score is not None]))
    before, after = stacks
    return (before, after) if before.shape == after.shape else None
