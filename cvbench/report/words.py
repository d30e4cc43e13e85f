"""Numbers and footnotes in the words that every report uses."""

from __future__ import annotations

from cvbench.comparison import Row, Table
from cvbench.contracts import Metric
from cvbench.effects import Effect, Interval, Verdict

DASH = "–"
ALONE = "†"


def is_share(metric: Metric) -> bool:
    """Whether the metric is a share, told in per cent, its differences in points."""
    return (metric.low, metric.high) == (0.0, 1.0)


def unit(metric: Metric) -> str:
    """What a table's head says after the metric's name."""
    return " %" if is_share(metric) else ""


def score(interval: Interval | None, metric: Metric) -> str:
    """``97.21 ±0.35``."""
    if interval is None:
        return DASH
    spread = f" ±{_number(interval.half_width, metric)}" if interval.half_width is not None else ""
    return _number(interval.mean, metric) + spread


def difference(effect: Effect | None, metric: Metric) -> str:
    """``+1.20 [+0.40, +2.00]``."""
    if effect is None:
        return DASH
    if effect.low is None or effect.high is None:
        return _signed(effect.difference, metric)
    low, high = _signed(effect.low, metric), _signed(effect.high, metric)
    return f"{_signed(effect.difference, metric)} [{low}, {high}]"


def span(interval: Interval | None, metric: Metric) -> str:
    """``[+0.10, +2.30]``."""
    if interval is None or interval.low is None or interval.high is None:
        return DASH
    return f"[{_signed(interval.low, metric)}, {_signed(interval.high, metric)}]"


def verdict(row: Row) -> str:
    """The verdict in words, with the mark that sends to Holm's footnote; the row's status if it has none."""
    if row.regime == "real":
        return "baseline"
    if not row.n_ok:
        return max(row.statuses, key=lambda status: row.statuses[status])
    if row.judgement is None:
        return str(Verdict.TOO_FEW_SEEDS)
    return f"{row.judgement.verdict}{ALONE if row.judgement.only_alone else ''}"


def seconds(value: float | None) -> str:
    """A duration in seconds with about three digits."""
    return DASH if value is None else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Samples per second with about three digits."""
    return DASH if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def footnotes(table: Table) -> list[str]:
    """What a reader of the table must know."""
    lines = [
        f"±, [ ]: 95 % intervals over seeds (Student's t; Δ is paired by seed). Items: paired bootstrap over "
        f"the {table.test_items:,} test items. Verdicts hold after Holm's correction over this table."
    ]
    if any(row.judgement is not None and row.judgement.only_alone for row in table.rows):
        lines.append(f"{ALONE} its own interval excludes zero, but not after the correction for the whole table.")
    for row in table.rows:
        lines += [f"{row.real} {row.label}: {reason}" for reason in row.reasons]
    return lines + [f"note: {note}" for note in table.notes]


def title(table: Table) -> str:
    """``classification · digits · simple_cnn``."""
    return f"{table.task} · {table.dataset} · {table.model}"


def _number(value: float | None, metric: Metric) -> str:
    if value is None:
        return DASH
    return f"{100 * value:.2f}" if is_share(metric) else f"{value:.4g}"


def _signed(value: float, metric: Metric) -> str:
    text = f"{100 * value:+.2f}" if is_share(metric) else f"{value:+.3g}"
    return text.replace("-", "−") if float(text) else text.lstrip("+-")
