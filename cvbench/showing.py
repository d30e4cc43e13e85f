"""What a run's generators made, as pictures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np
from PIL import Image

from cvbench.datasets import load_dataset
from cvbench.drawing import sheet_of
from cvbench.errors import NotApplicable, UserError
from cvbench.ledger import CellRecord, Coordinates
from cvbench.plan import open_entry
from cvbench.plugins import load_task, make_plugin
from cvbench.run_folder import RunFolder
from cvbench.samples import Pictures
from cvbench.sheets import COLUMNS
from cvbench.store import Store
from cvbench.suite import NOT_OF_A_MIX, DatasetEntry, Suite
from cvbench.suite_reading import parse_suite
from cvbench.yaml_source import Source

WALK_SEED = MIX_SEED = 0


def sheets_of(run: RunFolder, store: Store, seed: int | None) -> Iterator[tuple[str, Image.Image]]:
    """File name and contact sheet of each generator's largest set of one seed, as the cache holds it, then of its
    latent's walk.

    Raises :class:`UserError` for a seed that the run has not.
    """
    suite = suite_of(run)
    chosen = seed_of(suite, seed)
    kind = load_task(suite.task).kind
    real = {entry.label: cast(Pictures, open_entry(entry, kind)[1].splits.train) for entry in suite.datasets}
    for name, record in largest_sets(finished(run, chosen)).items():
        made, generators = store.find("synthetic", record.resolved["synthetic"]), record.resolved["generators"]
        if made is not None:
            above, synthetic = real[record.coordinates.dataset], cast(Pictures, load_dataset(made.folder))
            if len(generators) > 1:  # the parts of a mix stand one after another
                synthetic = synthetic.select(np.random.default_rng(MIX_SEED).permutation(len(synthetic)))
            yield f"{name}.png", sheet_of(synthetic, above=above)
        for number, generator in enumerate(generators, 1):
            walk = _walk(generator, store)
            if walk is not None:
                of_a_mix = f"{number}-" if len(generators) > 1 else ""
                yield f"{name}-walk-{of_a_mix}{generator['name']}.png", walk


def suite_of(run: RunFolder) -> Suite:
    """The suite that the run was planned from.

    Raises :class:`UserError` for what no longer holds of it, such as the name of a plugin that is gone.
    """
    datasets = [_found_again(DatasetEntry.model_validate(entry)) for entry in run.suite["datasets"]]
    generators = [
        {key: value for key, value in entry.items() if not (entry.get("of") and key in NOT_OF_A_MIX)}
        for entry in run.suite["generators"]
    ]
    said = {**run.suite, "datasets": datasets, "generators": generators}
    return parse_suite(Source(str(run.path / "run.json"), said))


def _found_again(entry: DatasetEntry) -> dict[str, Any]:
    """A folder named from where the suite stood is named by the place that it was found at."""
    moved = {"name": entry.root, "root": None, "as": entry.label} if entry.is_path else {}
    return {**entry.model_dump(by_alias=True), **moved}


def seed_of(suite: Suite, seed: int | None) -> int:
    """The seed, if it is one of the suite's; its first if none is given. Raises :class:`UserError` for another."""
    chosen = suite.seeds[0] if seed is None else seed
    if chosen not in suite.seeds:
        raise UserError(f"the run has no seed {chosen}", where="--seed", hint=f"it has {list(suite.seeds)}")
    return chosen


def file_name(*parts: object) -> str:
    """The parts in one, with nothing in it that a file's name may not have."""
    return "-".join(re.sub(r"[^\w.]+", "_", str(part)) for part in parts)


def of_seed(run: RunFolder, seed: int) -> Iterator[CellRecord]:
    """The records of this seed's cells, whatever became of them, in the plan's order."""
    records = run.ledger.read()
    for cell in run.cells:
        record = records.get(cell)
        if record is not None and record.coordinates.seed == seed:
            yield record


def finished(run: RunFolder, seed: int) -> Iterator[CellRecord]:
    """The records of this seed's cells that went well, in the plan's order."""
    return (record for record in of_seed(run, seed) if record.status == "ok")


def trained_on(place: Coordinates) -> tuple[str, ...]:
    """The regime, and the generator with its ratio where there is one, in words."""
    return (place.regime, *((place.generator, f"x{place.ratio:g}") if place.ratio else ()))


def largest_sets(records: Iterable[CellRecord]) -> dict[str, CellRecord]:
    """A name for files → a record with the generator's largest set."""
    found: dict[str, CellRecord] = {}
    for record in records:
        place = record.coordinates
        if place.generator:
            name = file_name(place.dataset, place.real, place.generator, f"seed{place.seed}")
            if name not in found or record.synthetic > found[name].synthetic:
                found[name] = record
    return found


def _walk(generator: dict[str, Any], store: Store) -> Image.Image | None:
    fitted = store.find("sampler", generator["sampler"])
    if fitted is None:
        return None
    sampler = make_plugin("generators", generator["name"], generator["options"]).load(fitted.folder)
    try:
        if (spread := generator.get("spread", 1)) != 1:
            sampler = sampler.widened(spread)
        return sheet_of(cast(Pictures, sampler.walk(COLUMNS, seed=WALK_SEED)))
    except NotApplicable:
        return None
