"""One folder of synthetic pictures judged against one real data set: a plan's judge step without a suite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.clips import Clips
from cvbench.contracts import Progress
from cvbench.durable import appearing
from cvbench.engine import engine_name
from cvbench.errors import CvbenchError, DataError
from cvbench.fidelity.extractors import make_extractor
from cvbench.fidelity.judge import Fidelity, comparable_count, judge_samples
from cvbench.fidelity.pictures import pair_sheet
from cvbench.fidelity.probe import load_probe
from cvbench.jobs import JUDGE_SEED, DataRef, ProbeJob, RealPart
from cvbench.plan import open_entry
from cvbench.readers.pictures import decode, folders_in, pictures_in, unequal
from cvbench.real_data import OpenedData
from cvbench.samples import DatasetSpec, LabelledImages, labelled
from cvbench.seeds import derive_seed
from cvbench.steps import run_job
from cvbench.store import Store
from cvbench.suite_reading import dataset_entry
from cvbench.writers import refuse_folder


@dataclass(frozen=True)
class Pair:
    """A real data set and a synthetic one with the same classes and picture shape."""

    data: DataRef
    real: OpenedData
    synthetic: LabelledImages


def open_pair(real: str, synthetic: Path, data_options: Sequence[str] = (), reader: str = "") -> Pair:
    """Open both, the real one with ``KEY=VALUE`` options of its reader.

    Raises :class:`UserError` when one cannot be read or they do not fit each other.
    """
    data, opened = open_entry(dataset_entry(real, data_options, reader=reader, where="the real data"))
    train = opened.splits.train
    if not isinstance(train, LabelledImages):
        what, hint = "scenes", "a suite judges them, as whole pictures, and measures what training on them brings"
        if isinstance(train, Clips):
            what, hint = (
                "clips",
                "look at them with `cvbench show clip`; a suite of tracking or sot measures their worth",
            )
        what = f"`cvbench quality` compares pictures with one class each, not {what}"
        raise DataError(what, where=data.label, hint=hint)
    return Pair(data, opened, open_synthetic(synthetic, train.spec))


def open_synthetic(folder: Path, real: DatasetSpec) -> LabelledImages:
    """All pictures of ``folder/<class>/*``, with the labels of the real set's classes by their names.

    Raises :class:`DataError` when its classes are others, it holds no pictures, or they are of another size.
    """
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "there is no such folder"
        raise DataError(what, where=str(folder), hint="`cvbench generate` writes one, with a sub-folder per class")
    folders = {place.name: place for place in folders_in(folder)}
    if folders and folders.keys() <= {"train", "val", "test"} - set(real.classes):
        hint = f"name one of them: {folder / min(folders)}"
        raise DataError("has splits in the place of classes", where=str(folder), hint=hint)
    for name in sorted(folders.keys() ^ set(real.classes)):
        whose = f"which {real.name} lacks" if name in folders else f"but {real.name} does"
        raise DataError(
            f"has {'a' if name in folders else 'no'} class {name!r}, {whose}",
            where=str(folder),
            hint="it must have one folder per class of the real data, by the same names",
        )
    listed = [(file, label) for label, name in enumerate(real.classes) for file in pictures_in(folders[name])]
    if not listed:
        raise DataError("its class folders hold no pictures", where=str(folder), hint="<class>/*.png")
    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(lambda found: decode(found[0], None, None), listed))
    if len(sizes := {picture.shape[:2] for picture in pictures}) > 1:
        told = unequal(sizes, folder)
        raise DataError(told.what, where=told.where, hint=f"bring them to {real.height}x{real.width}")
    found, wanted = pictures[0].shape[:2], (real.height, real.width)
    if found != wanted:
        has, needs = ("x".join(map(str, size)) for size in (found, wanted))
        same = f", or read the real folder at theirs: --data-option size={found[0]}" if found[0] == found[1] else ""
        raise DataError(
            f"its pictures are {has} (height x width), those of {real.name} {needs}",
            where=str(folder),
            hint=f"bring them to {needs}{same}",
        )
    for (file, _), picture in zip(listed, pictures, strict=True):
        if picture.shape[2] != real.channels:
            words = {1: "grey", 3: "RGB"}
            raise DataError(
                f"is {words[picture.shape[2]]}, the pictures of {real.name} are {words[real.channels]}",
                where=str(file),
                hint=f"convert them, or read the real folder so: --data-option channels={picture.shape[2]}",
            )
    labels = np.array([label for _, label in listed], dtype=np.int64)
    return LabelledImages(real, np.stack(pictures), labels)


def test_pictures_among(pair: Pair) -> int:
    """How many distinct pictures of the real test split are among the synthetic ones, pixel by pixel."""
    return len(pair.real.test_hashes.intersection(pair.synthetic.item_hashes()))


def judge_pair(
    pair: Pair, extractor: str, weights: Path | None, *, seed: int, store: Store, device: str, progress: Progress
) -> Fidelity:
    """The fidelity of the synthetic set. The probe is a run's: trained once per data set, found in the cache after.

    Raises :class:`CvbenchError` with the reason when the probe cannot be trained or the sets cannot be compared.
    """
    train, test, spec = labelled(pair.real.splits.train), labelled(pair.real.splits.test), pair.synthetic.spec
    comparable_count(test, pair.synthetic)
    make = partial(make_extractor, extractor, spec=spec, weights=weights, device=device)
    made = None if extractor == "task" and weights is None else make()  # says what it lacks before a probe is trained
    job = ProbeJob(RealPart(pair.data, 1.0, None, 0), JUDGE_SEED, engine_name(device))
    outcome = run_job(job, store, progress, device)
    artefact = store.find("probe", job.key)
    if outcome.status != "ok" or artefact is None:
        raise CvbenchError(f"the probe's training {outcome.status}: {outcome.reason}")
    probe = load_probe(artefact.folder, device)
    progress(0, 1, "judging")
    return judge_samples(train, test, pair.synthetic, made or make(probe=probe), probe, seed=derive_seed(seed, "judge"))


def write_quality(folder: Path, report: Mapping[str, Any], found: Fidelity, pair: Pair) -> None:
    """``fidelity.json`` and ``nearest-pairs.png``: both there, or nothing.

    Raises :class:`UserError` when the folder is there and not empty.
    """
    refuse_folder(folder)
    originals = labelled(pair.real.splits.train).images
    made, seen, apart = zip(*sorted(found.pairs, key=lambda one: one[2]), strict=True)
    with appearing(folder) as torn:
        (torn / "fidelity.json").write_text(json.dumps(report, indent=1, allow_nan=False) + "\n")
        sheet = pair_sheet(pair.synthetic.images[list(made)], np.asarray(originals[list(seen)]), apart)
        sheet.save(torn / "nearest-pairs.png")
