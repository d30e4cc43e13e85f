"""Numbers and footnotes in the words that every report uses."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from cvbench.contestants import Contestant, Field
from cvbench.contracts import Metric
from cvbench.effects import Effect, Interval, Judgement, Verdict
from cvbench.errors import counted
from cvbench.rows import Row, Table
from cvbench.worth import Worth

DASH = "–"
ALONE = "†"


def is_share(metric: Metric) -> bool:
    """Whether the metric is a share, or 1 less shares as MOTA is: told in per cent, its differences in points."""
    return metric.high == 1.0 and metric.low in (0.0, None)


def unit(metric: Metric) -> str:
    """What a table's head says after the metric's name."""
    return " %" if is_share(metric) else ""


def score(interval: Interval | None, metric: Metric) -> str:
    """``97.21 ±0.35``."""
    if interval is None:
        return DASH
    mean, half = interval.mean, interval.half_width
    if half is None:
        return number(mean, metric)
    if is_share(metric):
        return f"{number(mean, metric)} ±{number(half, metric)}"
    decimals = _decimals(metric, mean, half)  # the spread as fine as the mean
    return f"{minus(f'{mean:,.{decimals}f}')} ±{half:,.{decimals}f}"


def difference(effect: Effect | None, metric: Metric) -> str:
    """``+1.20 [+0.40, +2.00]``."""
    if effect is None:
        return DASH
    if effect.low is None or effect.high is None:
        return _signed(metric, effect.difference)[0]
    difference, low, high = _signed(metric, effect.difference, effect.low, effect.high)
    return f"{difference} [{low}, {high}]"


def span(interval: Interval | None, metric: Metric) -> str:
    """``[+0.10, +2.30]``."""
    if interval is None or interval.low is None or interval.high is None:
        return DASH
    return f"[{', '.join(_signed(metric, interval.low, interval.high))}]"


def verdict(row: Row) -> str:
    """The verdict in words, with the mark that sends to Holm's footnote; the row's status if it has none."""
    if not row.n_ok:
        return max(row.statuses, key=lambda status: row.statuses[status])
    if row.baseline:
        return "baseline"
    if row.judgement is None:
        return str(Verdict.TOO_FEW_SEEDS)
    if row.judgement.alone:
        return f"{row.judgement.alone} before correction{ALONE}"
    return str(row.judgement.verdict)


def seconds(value: float | None) -> str:
    """A duration in seconds with about three digits."""
    return DASH if value is None else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Samples per second with about three digits."""
    return DASH if value is None else f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def parameters(count: int | None) -> str:
    """``371 k``, ``1.20 M``: how many parameters a generator has."""
    if not count:
        return DASH
    return f"{count / 1e6:.2f} M" if count >= 999_500 else f"{count / 1e3:,.0f} k" if count >= 1000 else str(count)


WORTH_HEAD = ("real data", "mixed with", "score", "as good as", "one synthetic sample is worth")


def worth_rows(table: Table) -> list[list[str]]:
    """What mixed rows are worth in real samples, under ``WORTH_HEAD``; empty without a curve of real data alone."""
    lines = []
    for row in table.rows:
        if row.worth is not None:
            mean = _mean(row.measured[table.measure.name].mean, table.measure)
            lines.append([row.real, f"{row.generator} ×{row.ratio:g}", mean, *_worth(row.worth)])
    return lines


def _worth(worth: Worth) -> tuple[str, str]:
    """In all and per synthetic sample: bounds where a seed is off the real curve, none where both ends have some."""
    if worth.beyond and worth.below:
        return "off both ends", DASH
    bound = "more than " if worth.beyond else "less than " if worth.below else ""
    each = worth.per_sample
    spread = f" ±{each.half_width:.2f}" if each.half_width is not None else ""
    return f"{bound}{worth.equivalent:,.0f} real", f"{bound}{_plain(each.mean)}{spread} real"


def _plain(value: float) -> str:
    """Two decimals, a true minus, and no zero with a sign."""
    return minus(f"{round(value, 2) + 0.0:.2f}")


def further(table: Table) -> tuple[Metric, ...]:
    """The metrics that a table shows beside its measure: in a contest, where rows are short, all."""
    return tuple(m for m in table.metrics if m != table.measure) if table.contest is not None else ()


def real_samples(table: Table, real: str) -> str:
    """`` (1 of 2)``: how many of the training samples a share is; empty for all, or where a run does not say."""
    count = max((row.real_samples or 0 for row in table.blocks[real]), default=0)
    return f" ({count:,} of {table.train_items:,})" if 0 < count < table.train_items else ""


def tested(table: Table) -> str:
    """The head of the column that says how fast a contest's models are."""
    return "frames/s" if table.test_frames else "test/s"


def footnotes(
    table: Table, earlier: Sequence[Table] = (), *, every_metric: bool = False, items: bool = True
) -> list[str]:
    """What a reader of the table must know; notes that stand under earlier ones are not told again.

    ``every_metric``: the table has each metric's scores, and nothing of differences. ``items``: it has that column.
    """
    tested = counted(table.test_items, f"test {table.item}")
    tested += f" of {table.test_frames:,} frames" if table.test_frames else ""
    lines = (
        [f"Scored on {tested}. ±: 95 % intervals over seeds (Student's t)."]
        if every_metric
        else _of_differences(table, tested, items=items and table.items_vary)
    )
    for row in table.rows:
        effect = row.measured[table.measure.name].effect
        if effect is not None and effect.n < row.n_ok and not every_metric:
            lines.append(f"{row.real} {row.label}: Δ is over the {effect.n} seeds that the baseline has too.")
        lines += [f"{row.real} {row.label}: {reason}" for reason in row.reasons]
    told = {note for other in earlier for note in other.notes}
    return lines + [f"note: {note}" for note in table.notes if note not in told]


def _of_differences(table: Table, scored_on: str, *, items: bool) -> list[str]:
    """What the differences of a table mean, and its verdicts; ``items``: it has that column."""
    scored = "" if items else f"Scored on {scored_on}. "
    bootstrap = f"Items: paired bootstrap over the {scored_on}. " if items else ""
    lines = [
        f"{scored}±, [ ]: 95 % intervals over seeds (Student's t; Δ is paired by seed). {bootstrap}"
        "Verdicts hold after Holm's correction over this table."
    ]
    if table.measured_by:
        lines.append(
            f"{table.measured_by} is a secondary metric: who looks at one after another finds a difference by chance. "
            "The answer is the primary one's."
        )
    if any(row.judgement is not None and row.judgement.alone is not None for row in table.rows):
        lines.append(f"{ALONE} its own interval excludes zero, but among so many rows one may by chance (Holm).")
    if controls := controls_judged(table):
        lines.append(controls)
    if table.contest is not None:
        lines.append(f"Δ: from {table.rows[0].label}, which the suite names first.")
        each = "frames" if table.test_frames else f"{table.item}s"
        lines.append(
            f"{tested(table)}: test {each} predicted and scored per second; what a worker tests first loads its "
            "libraries too."
        )
    return lines


# fidelity metric → (its column's head, how its number is told); the rest are in CSV and JSON
FIDELITY_COLUMNS: Mapping[str, tuple[str, Callable[[float], str]]] = {
    "frechet_distance": ("FD", lambda value: f"{value:,.0f}" if value >= 100 else f"{value:#.3g}"),
    "precision": ("prec.", "{:.0%}".format),
    "recall": ("recall", "{:.0%}".format),
    "coverage": ("cover.", "{:.0%}".format),
    "c2st": ("C2ST", "{:.0%}".format),
    "memorization": ("memor.", "{:.0%}".format),
    "trts": ("TRTS", "{:.1%}".format),
    "diversity": ("div.", "{:.2f}".format),
}
_BEYOND = ("TSTR", "mixed Δ", "fit s", "samples/s", "params", "n")
FIELD_HEAD = ("generator", *(head for head, _ in FIDELITY_COLUMNS.values()), *_BEYOND)


def field_title(field: Field) -> str:
    """``generators · mnist · 100% of real``; where several models are trained, which one's scores stand here."""
    model = f" · TSTR and mixed Δ of {field.model}" if field.model else ""
    return f"generators · {field.dataset} · {field.real} of real{model}"


def field_rows(field: Field, measure: Metric) -> list[list[str]]:
    """What real pictures get, then a line per generator, under ``FIELD_HEAD``; empty where nothing was judged."""
    if not field.compared:
        return []
    floor = ["real pictures", *_fidelity(field.floors), *[""] * len(_BEYOND)]
    return [floor, *(_contestant(contestant, measure) for contestant in field.contestants)]


def field_footnotes(field: Field, measure: Metric) -> list[str]:
    """What a reader of the field's table must know, or why there is none."""
    counts = " or ".join(f"{count:,}" for count in field.compared)
    lines = [
        f"Fidelity: {counts} pictures against as many unseen real ones, through the extractor {field.extractor!r} "
        f"({field.extractor_hash[:8]}); means over seeds; the first row is what real ones get in "
        "their place. FD: Fréchet distance, lower is better; C2ST, memor(ized): 50 % is the ideal; div(ersity): 1. "
        "TRTS: labels that a classifier trained on real pictures agrees with. TSTR: trained on synthetic alone. "
        "n: seeds whose samples were judged."
    ]
    lines = lines if field.compared else ["Fidelity: no generator's samples were judged."]
    if field.compared and any(_fewer(one, n) for one in field.contestants for n in _seeds(one, measure)):
        lines.append("(1 seed): TSTR or mixed Δ is over so many seeds, and not over those of n.")
    for contestant in field.contestants:
        lines += [f"{contestant.generator}: {reason}" for reason in contestant.reasons]
    return lines


def _contestant(contestant: Contestant, measure: Metric) -> list[str]:
    trained, effect = _trained(contestant, measure)
    n_ok, n = contestant.statuses.get("ok", 0), sum(contestant.statuses.values())
    seeds_trained, seeds_mixed = (_fewer(contestant, number) for number in _seeds(contestant, measure))
    return [
        contestant.generator,
        *_fidelity(contestant.fidelity),
        _mean(trained, measure) + seeds_trained,
        difference(effect, measure) + seeds_mixed,
        seconds(contestant.cost.fit),
        rate(contestant.cost.samples_per_second),
        parameters(contestant.cost.parameters),
        f"{n_ok}/{n}",
    ]


def _trained(contestant: Contestant, measure: Metric) -> tuple[Interval | None, Effect | None]:
    """TSTR and mixed Δ."""
    synthetic, mixed = contestant.synthetic, contestant.mixed
    return (
        synthetic.measured[measure.name].mean if synthetic else None,
        mixed.measured[measure.name].effect if mixed else None,
    )


def _seeds(contestant: Contestant, measure: Metric) -> list[int | None]:
    """Over how many seeds TSTR and mixed Δ are."""
    return [found.n if found is not None else None for found in _trained(contestant, measure)]


def _fewer(contestant: Contestant, seeds: int | None) -> str:
    """`` (1 seed)`` where it is not as many as were judged: n, in the same line, counts those."""
    return "" if seeds in (None, contestant.statuses.get("ok", 0)) else f" ({counted(seeds, 'seed')})"


def _mean(interval: Interval | None, metric: Metric) -> str:
    return number(interval.mean if interval else None, metric)


def _fidelity(found: Mapping[str, Interval]) -> list[str]:
    return [told(found[name].mean) if name in found else DASH for name, (_, told) in FIDELITY_COLUMNS.items()]


MUST_SHOW = {"gain": Verdict.BETTER, "loss": Verdict.WORSE, "none": Verdict.NO_DIFFERENCE}


def controls_judged(table: Table) -> str:
    """Whether the controls show what they must; empty when none was scored, and by a metric other than the primary."""
    if table.measured_by is not None:
        return ""  # what a control must show is said of the primary metric alone
    scored = [(row, row.judgement) for row in table.rows if row.expected and row.n_ok and row.judgement is not None]
    known = [(row, judged) for row, judged in scored if judged.verdict in MUST_SHOW.values()]
    if not known:
        few = any(judged.verdict is Verdict.TOO_FEW_SEEDS for _, judged in scored)
        return "Controls: too few seeds to judge them." if few else ""
    odd = [(row, shown) for row, judged in known if (shown := _shown(row, judged)) is not MUST_SHOW[row.expected]]
    told = [f"{row.real} {row.label} should be “{MUST_SHOW[row.expected]}”{_before(row)}" for row, _ in odd]
    chance = [row.expected == "none" and shown in (Verdict.BETTER, Verdict.WORSE) for row, shown in odd]
    causes = ["too few seeds to see it"] * (not all(chance)) + ["chance (one interval in twenty)"] * any(chance)
    warning = f". Mind: {'; '.join(told)}. {', '.join(causes).capitalize()}, or a broken ruler" if told else ""
    return f"Controls: {len(known) - len(odd)} of {len(known)} show what they must{warning}."


def _shown(row: Row, judged: Judgement) -> Verdict:
    """What a control shows. No effect is shown before the correction, which can only hide one."""
    return judged.alone if row.expected == "none" and judged.alone else judged.verdict


def _before(row: Row) -> str:
    return " before correction too" if row.expected == "none" and row.judgement and row.judgement.alone else ""


def ended(statuses: Mapping[str, int]) -> str:
    """How many cells have which status: ``1 failed, 11 ok``."""
    return ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))


def title(table: Table, *, every_metric: bool = False) -> str:
    """``classification · digits · simple_cnn``; of a contest, ``translation · digits · noise 0.15``."""
    by = f" · {table.measured_by} (secondary)" if table.measured_by else " · all metrics" if every_metric else ""
    return f"{table.task} · {table.dataset} · {table.contest or table.model or 'models'}{by}"


def number(value: float | None, metric: Metric) -> str:
    """``97.21`` for a share of 0.9721, else as :func:`_decimals` has it."""
    if value is None:
        return DASH
    return minus(f"{100 * value:.2f}" if is_share(metric) else f"{value:,.{_decimals(metric, value)}f}")


def minus(text: str) -> str:
    """A number with a true minus sign."""
    return "−" + text[1:] if text.startswith("-") else text


def _decimals(metric: Metric, *values: float) -> int:
    """Of numbers that stand together: four digits of the first; of what has no upper bound, three of the largest."""
    if metric.high is not None:
        return max(0, 3 - _exponent(values[0]))
    if all(value.is_integer() for value in map(float, values)):
        return 0
    return max(0, 2 - _exponent(max(map(abs, values))))


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def _signed(metric: Metric, *values: float) -> list[str]:
    """Numbers that stand together, each with its sign: a difference and its interval."""
    if is_share(metric):
        texts = [f"{100 * value:+.2f}" for value in values]
    elif metric.high is None:
        texts = [f"{value:+.{_decimals(metric, *values)}f}" for value in values]
    else:
        texts = [f"{value:+#.3g}".rstrip(".") for value in values]
    return [minus(text) if float(text) else text.lstrip("+-") for text in texts]
