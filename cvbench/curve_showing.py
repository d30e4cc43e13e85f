"""The curves of a run's fits, drawn: their losses, and what was watched while they went on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from cvbench.run_folder import RunFolder
from cvbench.showing import file_name, largest_sets, of_seed, seed_of, suite_of
from cvbench.store import Store
from cvbench.training import CURVES, Curves, load_curves

ACROSS = 3  # panels beside each other
PANEL = (4.0, 2.6)  # inches
MOST_NAMED = 12  # lines of a panel that a legend names


def charts_of_fits(run: RunFolder, store: Store, seed: int | None) -> Iterator[tuple[str, Image.Image]]:
    """File name and chart of each generator's fit of one seed, if the cache holds it and it kept curves.

    Fits whose samples or cells failed have theirs too: it is then that one looks.

    Raises :class:`~cvbench.errors.UserError` for a seed that the run has not.
    """
    drawn: set[str] = set()
    for record in largest_sets(of_seed(run, seed_of(suite_of(run), seed))).values():
        place, generators = record.coordinates, record.resolved["generators"]
        for number, generator in enumerate(generators):
            if generator["sampler"] not in drawn and (curves := _kept(generator, store)):
                drawn.add(generator["sampler"])
                of_a_mix = (number + 1, generator["name"]) if len(generators) > 1 else ()
                name = file_name(place.dataset, place.real, place.generator, *of_a_mix, f"seed{place.seed}")
                yield f"{name}.png", chart(curves, f"{name}: {generator['name']}")


def _kept(generator: Mapping[str, Any], store: Store) -> Curves:
    """The fit's own curves; where another generator draws all of it, that one's."""
    fitted = store.find("sampler", generator["sampler"])
    files = sorted(fitted.folder.rglob(CURVES), key=lambda file: len(file.parts)) if fitted else []
    return load_curves(files[0].parent) if files else {}


def chart(curves: Curves, title: str) -> Image.Image:
    """A panel per curve over the steps; ``loss, 3`` and ``loss, 7`` are lines of one panel."""
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for name, curve in curves.items():
        panel, _, line = name.partition(", ")
        panels.setdefault(panel, {})[line] = curve
    rows = -(-len(panels) // ACROSS)
    figure = Figure(figsize=(PANEL[0] * min(ACROSS, len(panels)), PANEL[1] * rows + 0.4), layout="constrained")
    figure.suptitle(title)
    for number, (panel, lines) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, min(ACROSS, len(panels)), number + 1)
        for line, curve in lines.items():
            steps, values = zip(*curve, strict=True) if curve else ((), ())
            axes.plot(steps, values, label=line, linewidth=1, marker="." if len(curve) < 3 else "")
        axes.set_title(panel, fontsize="medium")
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if 1 < len(lines) <= MOST_NAMED:
            axes.legend(fontsize="x-small", ncols=2)
    picture = BytesIO()
    figure.savefig(picture, format="png")
    return Image.open(picture)
