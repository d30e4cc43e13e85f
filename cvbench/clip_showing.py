"""Which clips there are to look at: of a data set, or of a run with what its generators made."""

from __future__ import annotations

from collections.abc import Iterator

from cvbench.answers import answers
from cvbench.clips import Clips
from cvbench.datasets import load_dataset
from cvbench.errors import UserError
from cvbench.plan import open_entry
from cvbench.run_folder import RunFolder
from cvbench.samples import AnnotationKind, Dataset
from cvbench.showing import file_name, finished, largest_sets, seed_of, suite_of, trained_on
from cvbench.store import Store


def clips_of_run(
    run: RunFolder, store: Store, seed: int | None, most: int
) -> Iterator[tuple[str, Clips, Clips | None]]:
    """A name for files and clips: each data set's real ones, every synthetic set of one seed in the cache, then what
    the trackers of that seed answer to at most so many test clips, with the same clips' true tracks.

    Raises :class:`UserError` for a seed that the run has not, and a run without clips.
    """
    suite = suite_of(run)
    chosen = seed_of(suite, seed)
    rates: dict[str, float] = {}  # data set → its clips' frames per second, where a file says them
    for entry in suite.datasets:
        splits = open_entry(entry, AnnotationKind.TRACKS)[1].splits
        for split, data in (("train", splits.train), ("test", splits.test)):
            clips = clips_alone(data, str(run.path))
            if rate := clips.clips[0].fps:
                rates[entry.label] = rate
            yield file_name(entry.label, split), clips, None
    for name, record in largest_sets(finished(run, chosen)).items():
        made = store.find("synthetic", record.resolved["synthetic"])
        if made is not None:
            clips = clips_alone(load_dataset(made.folder), str(run.path))
            known = rates.get(record.coordinates.dataset)
            yield name, clips.with_fps(known) if known else clips, None
    for record, truth, found in answers(run, store, chosen, most):
        place = record.coordinates
        name = file_name(place.dataset, place.real, place.model, *trained_on(place))
        yield name, clips_alone(found, str(run.path)), clips_alone(truth, str(run.path))


def clips_alone(data: Dataset, where: str) -> Clips:
    """The data, if it is clips. Raises :class:`UserError` for any other."""
    if not isinstance(data, Clips):
        raise UserError(f"is annotated with {data.spec.kind.value}, it has no clips", where=where)
    return data
