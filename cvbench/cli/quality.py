"""``cvbench quality``: how synthetic pictures compare with real ones before anything is trained on them."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvbench.cli.app import app
from cvbench.cli.console import complain, err, out
from cvbench.cli.printed import FormatOption, Printed
from cvbench.cli.run import DeviceChoice, DeviceOption
from cvbench.errors import counted

if TYPE_CHECKING:
    from cvbench.fidelity.judge import Fidelity


class ExtractorChoice(StrEnum):
    """What the metrics see of a picture."""

    task = "task"
    random = "random"
    pixel = "pixel"
    inception = "inception"


@app.command(rich_help_panel="Data")
def quality(
    real: Annotated[str, typer.Argument(help="The real data set's name, or its folder.")],
    synthetic: Annotated[Path, typer.Argument(help="A folder of pictures as `cvbench generate` writes it.")],
    extractor: Annotated[
        ExtractorChoice,
        typer.Option(help="Features of a classifier of the real data, of the same untrained, pixels, or FID's."),
    ] = ExtractorChoice.task,
    weights: Annotated[Path | None, typer.Option(help="Inception's weights file.", show_default="downloaded")] = None,
    seed: Annotated[int, typer.Option(help="Which pictures are compared when there are more than enough.")] = 0,
    reader: Annotated[
        str, typer.Option(help="A reader's name, for the real data's folder.", show_default="recognised")
    ] = "",
    data_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of the real data's reader, such as size=32 for a folder."),
    ] = None,
    format: FormatOption = Printed.table,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Write fidelity.json and nearest-pairs.png into a new or empty folder.")
    ] = None,
    device: DeviceOption = DeviceChoice.auto,
) -> None:
    """Compare synthetic pictures with unseen real ones; beside each number, what real pictures get."""
    from cvbench.cli.progress import one_bar
    from cvbench.devices import share_out
    from cvbench.store import Store, default_cache
    from cvbench.writers import refuse_folder

    if out_folder is not None:
        refuse_folder(out_folder)
    from cvbench.fidelity.quality import judge_pair, open_pair, test_pictures_among, write_quality

    workers = share_out(device.value, 1, None)
    with one_bar("opening the data") as progress:
        pair = open_pair(real, synthetic, data_option or [], reader)
        found = judge_pair(
            pair,
            extractor.value,
            weights,
            seed=seed,
            store=Store(default_cache()),
            device=workers.device,
            progress=progress,
        )
    of_test = test_pictures_among(pair)
    report = {
        "real": {"name": pair.data.label, "fingerprint": pair.data.fingerprint},
        "synthetic": {"folder": str(synthetic), "fingerprint": pair.synthetic.fingerprint},
        "test_pictures_among_synthetic": of_test,
        **found.to_json(),
        "seed": seed,
    }
    if out_folder is not None:
        write_quality(out_folder, report, found, pair)
    if format is Printed.json:
        print(json.dumps(report, indent=1, allow_nan=False))
    else:
        _print(found)
    if of_test:
        complain(
            f"{counted(of_test, 'distinct test picture')} of the real data turned up among the "
            f"{len(pair.synthetic):,} synthetic ones: nothing measured on that test split holds"
        )
    if out_folder is not None:
        err.print(f"look at {out_folder / 'nearest-pairs.png'}", markup=False, soft_wrap=True)


def _print(found: Fidelity) -> None:
    from rich import box
    from rich.table import Table

    from cvbench.fidelity.judge import IDEALS, METRICS

    count = f"{found.compared:,}"
    out.print(
        f"{count} synthetic pictures against {count} real ones of the test split, seen through [bold]{found.extractor}"
        f"[/bold] {found.extractor_hash[:12]}; floor: {count} other real test pictures in the synthetic ones' place",
        soft_wrap=True,
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric", style="bold", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("floor", justify="right", no_wrap=True)
    table.add_column("ideal", no_wrap=True)
    table.add_column("what it says")
    for metric in METRICS:
        error = found.errors.get(metric.name)
        table.add_row(
            metric.name,
            _number(found.values[metric.name]) + (f" ±{_number(error)}" if error is not None else ""),
            _number(found.floors[metric.name]),
            f"→ {IDEALS[metric.name]:g}" if metric.name in IDEALS else "higher",
            metric.summary,
        )
    out.print(table)
    out.print(
        f"The Fréchet distance falls as pictures are added: compare it only with others of {count} pictures through "
        f"the same extractor. Copies were looked for among {found.searched:,} training pictures.",
        soft_wrap=True,
    )


def _number(value: float) -> str:
    """Four digits, small ones in full."""
    from cvbench.report.words import minus

    if value != value:
        return "–"
    return minus(f"{value:.3f}" if 0.001 <= abs(value) < 100 or value == 0 else f"{value:.3g}")
