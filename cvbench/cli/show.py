"""``cvbench show``: pictures of what a run has made, and its trackers' tracks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvbench.cli.app import app
from cvbench.cli.console import out
from cvbench.formats import TrackFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from PIL.Image import Image

    from cvbench.clips import Clips
    from cvbench.run_folder import RunFolder
    from cvbench.store import Store

    Sheets = Callable[[RunFolder, Store, int | None], Iterable[tuple[str, Image]]]

show = typer.Typer(no_args_is_help=True, help="Write what a run has made: pictures to look at, and trackers' tracks.")
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/quickstart.")]
SeedOption = Annotated[int | None, typer.Option(help="One of the run's seeds.", show_default="its first")]
RATE = 20  # frames per second, of a clip whose source says none
OUT = typer.Option("--out", help="The folder to write into.")
NO_MODEL = "no trained model of this run is in the cache (any more)"

app.add_typer(show, name="show", rich_help_panel="Run")


@show.command()
def samples(
    run: RunArgument,
    out_folder: Annotated[Path, OUT] = Path("samples"),
    seed: SeedOption = None,
) -> None:
    """Write a contact sheet per generator (real pictures on top, a row per class) and a walk through its latent."""
    from cvbench.showing import sheets_of

    _write(sheets_of, run, seed, out_folder, "no finished cell of this run has a synthetic set in the cache")


@show.command()
def restored(
    run: RunArgument,
    out_folder: Annotated[Path, OUT] = Path("restored"),
    seed: SeedOption = None,
) -> None:
    """Write test pictures before and after: real, as the models are given them, then a row per model that restores."""
    from cvbench.before_after import before_after_sheets

    _write(before_after_sheets, run, seed, out_folder, NO_MODEL)


@show.command()
def predictions(
    run: RunArgument,
    out_folder: Annotated[Path, OUT] = Path("predictions"),
    seed: SeedOption = None,
) -> None:
    """Write test pictures with the truth drawn, then with what each training of a model finds in them."""
    from cvbench.answers import sheets_of_answers

    _write(sheets_of_answers, run, seed, out_folder, NO_MODEL)


@show.command()
def curves(
    run: RunArgument,
    out_folder: Annotated[Path, OUT] = Path("curves"),
    seed: SeedOption = None,
) -> None:
    """Write a chart per generator's fit: its losses over the steps, and what was watched while it went on."""
    from cvbench.curve_showing import charts_of_fits

    _write(charts_of_fits, run, seed, out_folder, "no fit of this run that kept curves is in the cache (any more)")


class ClipFormat(StrEnum):
    """What an annotated clip is written as."""

    mp4 = "mp4"
    avi = "avi"
    gif = "gif"


class Split(StrEnum):
    """A part of a data set."""

    train = "train"
    val = "val"
    test = "test"


@show.command()
def clip(
    what: Annotated[
        str,
        typer.Argument(metavar="RUN|DATA", help="A run's folder; or clips: a folder that a reader knows, or a name."),
    ],
    out_folder: Annotated[Path, OUT] = Path("clips"),
    count: Annotated[int, typer.Option(min=1, help="Clips of each set.")] = 1,
    split: Annotated[Split | None, typer.Option(help="Of a data set, not of a run.", show_default="test")] = None,
    format: Annotated[ClipFormat, typer.Option(help="A GIF has at most 300 frames.")] = ClipFormat.mp4,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=240, help="Frames per second.", show_default="the source's, else 20")
    ] = None,
    seed: SeedOption = None,
    reader: Annotated[str, typer.Option(help="A reader's name, for a folder.", show_default="recognised")] = "",
    data_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="An option of the data set's reader.")
    ] = None,
) -> None:
    """Write clips with their tracks drawn: a data set's; or a run's, real and synthetic, and what trackers found.

    What was found is drawn over the truth, which is dashed.
    """
    from cvbench.cli.progress import one_bar
    from cvbench.clip_drawing import write_clip
    from cvbench.showing import file_name

    written = 0
    for name, clips, truth in _clips(what, split, seed, count, reader, data_option or []):
        for place, one in enumerate(clips.clips[:count]):
            out_folder.mkdir(parents=True, exist_ok=True)
            file = out_folder / f"{file_name(name, one.name)}.{format.value}"
            true = truth.clips[place].tracks if truth is not None else None
            with one_bar("drawing") as progress:
                write_clip(one, clips.spec.classes, file, rate=rate or one.fps or RATE, truth=true, progress=progress)
            out.print(str(file), markup=False, soft_wrap=True)
            written += 1
    if not written:
        out.print("nothing to show: there are no such clips")


@show.command()
def tracks(
    run: RunArgument,
    out_folder: Annotated[Path, OUT] = Path("tracks"),
    format: Annotated[
        TrackFormat, typer.Option(help="A benchmark's result texts; all but mot are of one object.")
    ] = TrackFormat.mot,
    seed: SeedOption = None,
) -> None:
    """Write what each trained tracker finds in every test clip, as the texts that TrackEval and benchmarks score."""
    from collections import Counter

    from cvbench.cli.progress import one_bar
    from cvbench.durable import write_durably
    from cvbench.run_folder import open_run
    from cvbench.store import Store, default_cache
    from cvbench.track_results import results_of_run

    written = 0
    with one_bar("tracking") as progress:
        for texts in results_of_run(open_run(run), Store(default_cache()), seed, format, progress):
            for file, text in texts:
                (out_folder / file).parent.mkdir(parents=True, exist_ok=True)
                write_durably(out_folder / file, text.encode())
            written += len(texts)
            for folder, number in Counter(file.parts[0] for file, _ in texts).items():
                out.print(f"{out_folder / folder}: {number} texts", markup=False, soft_wrap=True)
    if not written:
        out.print(f"nothing to write: {NO_MODEL}")


def _clips(
    what: str, split: Split | None, seed: int | None, count: int, reader: str, data_option: Sequence[str]
) -> Iterable[tuple[str, Clips, Clips | None]]:
    """A name for files, the clips of a run or of one split of a data set, and the truth of what trackers found.

    Raises :class:`UserError` for an option that is not for this.
    """
    from cvbench.cli.data import located, reader_options
    from cvbench.clip_showing import clips_alone, clips_of_run
    from cvbench.errors import UserError
    from cvbench.readers import open_dataset
    from cvbench.run_folder import open_run
    from cvbench.store import Store, default_cache

    if (Path(what) / "run.json").is_file():
        for option, given in (("--split", split), ("--reader", reader), ("--data-option", data_option)):
            if given:
                raise UserError("is for a data set: a run shows clips of all its sets", where=option)
        yield from clips_of_run(open_run(Path(what)), Store(default_cache()), seed, count)
        return
    if seed is not None:
        raise UserError("is for a run, this is a data set", where="--seed")
    name, argument, root = located(what, reader)
    splits = open_dataset(name, argument, root, reader_options(data_option), 0.0)
    asked = split or Split.test
    data = {Split.train: splits.train, Split.val: splits.val, Split.test: splits.test}[asked]
    if data is None:
        raise UserError("has no val split", where=what)
    yield f"{data.spec.name}-{asked.value}", clips_alone(data, what), None


def _write(sheets: Sheets, run: Path, seed: int | None, folder: Path, nothing: str) -> None:
    """Write the run's sheets and tell where each is, or why there are none."""
    from cvbench.run_folder import open_run
    from cvbench.store import Store, default_cache

    written = 0
    for name, picture in sheets(open_run(run), Store(default_cache()), seed):
        folder.mkdir(parents=True, exist_ok=True)
        picture.save(folder / name)
        written += 1
        out.print(str(folder / name), markup=False, soft_wrap=True)
    if not written:
        out.print(f"nothing to show: {nothing}")
