"""What a run's generators made, as pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from PIL import Image

from cvbench.datasets import load_dataset
from cvbench.errors import NotApplicable, UserError
from cvbench.ledger import CellRecord
from cvbench.plan import open_entry
from cvbench.plugins import make_plugin
from cvbench.run_folder import RunFolder
from cvbench.samples import labelled
from cvbench.sheets import COLUMNS, contact_sheet
from cvbench.store import Store
from cvbench.suite_reading import parse_suite
from cvbench.yaml_source import Source

WALK_SEED = 0


def sheets_of(run: RunFolder, store: Store, seed: int | None) -> Iterator[tuple[str, Image.Image]]:
    """File name and contact sheet of every synthetic set of one seed that the cache holds, then of its latent's walk.

    Raises :class:`UserError` for a seed that the run has not.
    """
    suite = parse_suite(Source(str(run.path / "run.json"), dict(run.suite)))
    chosen = suite.seeds[0] if seed is None else seed
    if chosen not in suite.seeds:
        raise UserError(f"the run has no seed {chosen}", where="--seed", hint=f"it has {list(suite.seeds)}")
    real = {entry.label: labelled(open_entry(entry)[1].splits.train) for entry in suite.datasets}
    for name, record in _largest_sets(run, chosen).items():
        made = store.find("synthetic", record.resolved["synthetic"])
        if made is not None:
            above = real[record.coordinates.dataset]
            yield f"{name}.png", contact_sheet(labelled(load_dataset(made.folder)), above=above)
        for generator in record.resolved["generators"]:
            walk = _walk(generator, store)
            if walk is not None:
                yield f"{name}-walk-{generator['name']}.png", walk


def _largest_sets(run: RunFolder, seed: int) -> dict[str, CellRecord]:
    """A name for files → a record with the generator's largest set."""
    found: dict[str, CellRecord] = {}
    for record in run.ledger.read().values():
        place = record.coordinates
        if place.seed == seed and place.generator and record.status == "ok":
            parts = (place.dataset, place.real, place.generator, f"seed{seed}")
            name = "-".join(re.sub(r"[^\w.]+", "_", part) for part in parts)
            if name not in found or record.synthetic > found[name].synthetic:
                found[name] = record
    return found


def _walk(generator: dict[str, Any], store: Store) -> Image.Image | None:
    fitted = store.find("sampler", generator["sampler"])
    if fitted is None:
        return None
    sampler = make_plugin("generators", generator["name"], generator["options"]).load(fitted.folder)
    try:
        return contact_sheet(labelled(sampler.walk(COLUMNS, seed=WALK_SEED)))
    except NotApplicable:
        return None
