"""What the columns of a table of rows are, for the terminal and for Markdown alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cvbench.contracts import Metric
from cvbench.report import words
from cvbench.rows import Row, Table


@dataclass(frozen=True)
class Column:
    """What a column says of each row; ``wraps``: its words may stand on several lines, and begin at the left."""

    head: str
    told: Callable[[Row], str]
    wraps: bool = False


def results(table: Table, *, items: bool = True) -> list[Column]:
    """The measure, its difference and verdict; ``items``: the interval over the test items too, where there is one."""
    measure = table.measure
    over_items = Column("items [95 %]", lambda row: words.span(row.measured[measure.name].items, measure))
    return [
        _scores(measure),
        Column("Δ [95 %]", lambda row: words.difference(row.measured[measure.name].effect, measure)),
        *([over_items] if items and table.items_vary else []),
        Column("verdict", words.verdict, wraps=True),
        *map(_scores, words.further(table)),
        _SEEDS,
    ]


def all_scores(table: Table) -> list[Column]:
    """Every metric's scores, and nothing of differences."""
    return [*map(_scores, table.metrics), _SEEDS]


def cost(table: Table) -> list[Column]:
    """What a row took to make, train and, in a contest, to test."""
    train = Column("train s", lambda row: words.seconds(row.cost.train))
    if table.contest is not None:
        return [train, Column(words.tested(table), lambda row: words.rate(_tested(row, table)))]
    return [
        Column("fit s", lambda row: words.seconds(row.cost.fit)),
        Column("samples/s", lambda row: words.rate(row.cost.samples_per_second)),
        train,
    ]


_SEEDS = Column("n", lambda row: f"{row.n_ok}/{row.n}")


def _scores(metric: Metric) -> Column:
    return Column(f"{metric.name}{words.unit(metric)}", lambda row: words.score(row.measured[metric.name].mean, metric))


def _tested(row: Row, table: Table) -> float | None:
    """Test items per second; of clips, whose lengths differ from data set to data set, frames."""
    each = row.cost.tested_per_second
    return each * table.test_frames / table.test_items if each is not None and table.test_frames else each
