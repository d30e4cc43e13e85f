"""The pictures of a set, numbered, as PNG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cvbench.contracts import Progress
from cvbench.samples import Pictures
from cvbench.sheets import as_image


def numbered(data: Pictures, folder: Path, progress: Progress) -> Iterator[tuple[int, str]]:
    """Write each picture as ``folder/000000.png``; its place and its name without the ending, one after another."""
    folder.mkdir(parents=True)
    for place in range(len(data)):
        name = f"{place:06d}"
        as_image(data.images[place]).save(folder / f"{name}.png")
        yield place, name
        progress(place + 1, len(data), "writing")
