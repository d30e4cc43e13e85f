"""Generators side by side: the fidelity of what they make, what training on it brings, and what it costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from cvbench.effects import Interval, mean_interval
from cvbench.ledger import CellRecord
from cvbench.rows import Cost, Row, Table, cost_of


@dataclass(frozen=True)
class Contestant:
    """One generator over all seeds.

    ``fidelity``: metric → mean over seeds. ``synthetic`` and ``mixed``: its rows of the table of the first model that
    learns, at the largest ratio; None where the suite has no such cell. ``statuses``: of the cells that judged.
    """

    generator: str
    control: bool
    fidelity: Mapping[str, Interval]
    synthetic: Row | None
    mixed: Row | None
    cost: Cost
    statuses: Mapping[str, int]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """All generators that were fitted on one share of one data set, judged by one feature extractor.

    ``floors``: metric → what real pictures get in the synthetic ones' place. ``compared``: pictures on each side, empty
    where nothing was judged. ``model``: of several, the one whose rows the contestants have; empty for the only one.
    """

    dataset: str
    real: str
    model: str
    extractor: str
    extractor_hash: str
    compared: tuple[int, ...]
    floors: Mapping[str, Interval]
    contestants: tuple[Contestant, ...]


def fields(judged: Sequence[CellRecord], tables: Sequence[Table]) -> tuple[Field, ...]:
    """A field per data set and share of real data, of the cells that judged a synthetic set.

    The first model's rows stand there, but one that learns nothing has none that a generator has a part in.
    """
    first: dict[str, Table] = {}
    for table in sorted(tables, key=_learns, reverse=True):  # stable: in the suite's order within each
        first.setdefault(table.dataset, table)
    several = {table.dataset for table in tables if table is not first[table.dataset]}
    return tuple(
        _field(list(group), first.get(dataset), several=dataset in several)
        for (dataset, _), group in groupby(judged, key=lambda r: (r.coordinates.dataset, r.coordinates.real))
    )


def _learns(table: Table) -> bool:
    """Whether its model was trained on anything but the real data as they are."""
    return any(row.regime != "real" for row in table.rows)


def _field(cells: Sequence[CellRecord], table: Table | None, *, several: bool) -> Field:
    place = cells[0].coordinates
    told = [cell.fidelity for cell in cells if cell.fidelity]
    # of one seed, all generators are held against the same real pictures
    floors = {(c.coordinates.seed, c.fidelity["compared"]): c.fidelity["floors"] for c in cells if c.fidelity}
    rows = table.blocks.get(place.real, ()) if table else ()
    groups = groupby(cells, key=lambda cell: cell.coordinates.generator)
    return Field(
        dataset=place.dataset,
        real=place.real,
        model=table.model if table and several else "",
        extractor=place.model,
        extractor_hash=", ".join(sorted({found["extractor"]["hash"] for found in told})),
        compared=tuple(sorted({found["compared"] for found in told})),
        floors=_means(list(floors.values())),
        contestants=tuple(_contestant(str(generator), list(group), rows) for generator, group in groups),
    )


def _contestant(generator: str, cells: Sequence[CellRecord], rows: Sequence[Row]) -> Contestant:
    def largest(regime: str) -> Row | None:
        own = [row for row in rows if row.generator == generator and row.regime == regime]
        return max(own, key=lambda row: row.ratio or 0, default=None)

    return Contestant(
        generator=generator,
        control=any(cell.resolved.get("control", False) for cell in cells),
        fidelity=_means([cell.fidelity["values"] for cell in cells if cell.fidelity]),
        synthetic=largest("synthetic"),
        mixed=largest("mixed"),
        cost=cost_of(cells, 0),  # nothing is tested
        statuses=dict(Counter(cell.status for cell in cells)),
        reasons=tuple(sorted({f"{cell.status} in {cell.phase}: {cell.reason}" for cell in cells if cell.reason})),
    )


def _means(found: Sequence[Mapping[str, float | None]]) -> dict[str, Interval]:
    """Metric → mean over the sets where it could be said."""
    names = dict.fromkeys(name for values in found for name in values)
    numbers = {name: [value for values in found if (value := values.get(name)) is not None] for name in names}
    return {name: mean_interval(values) for name, values in numbers.items() if values}
