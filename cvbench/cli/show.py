"""``cvbench show``: pictures of what a run has made."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cvbench.cli.app import app
from cvbench.cli.console import out

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from PIL.Image import Image

    from cvbench.clips import Clips
    from cvbench.run_folder import RunFolder
    from cvbench.store import Store

    Sheets = Callable[[RunFolder, Store, int | None], Iterable[tuple[str, Image]]]

show = typer.Typer(no_args_is_help=True, help="Make pictures of what a run has made, to look at.")
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/quickstart.")]
SeedOption = Annotated[int | None, typer.Option(help="One of the run's seeds.", show_default="its first")]
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
    split: Annotated[Split, typer.Option(help="Of a data set, not of a run.")] = Split.test,
    format: Annotated[ClipFormat, typer.Option(help="A GIF has at most 300 frames.")] = ClipFormat.mp4,
    rate: Annotated[float, typer.Option(min=0.1, max=240, help="Frames per second.")] = 20,
    seed: SeedOption = None,
    data_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="An option of the data set's reader.")
    ] = None,
) -> None:
    """Write clips with their tracks drawn: a data set's; or a run's real and synthetic ones and trackers' answers."""
    from cvbench.cli.progress import one_bar
    from cvbench.clip_drawing import write_clip
    from cvbench.showing import file_name

    written = 0
    for name, clips in _clips(what, split, seed, count, data_option or []):
        for one in clips.clips[:count]:
            out_folder.mkdir(parents=True, exist_ok=True)
            file = out_folder / f"{file_name(name, one.name)}.{format.value}"
            with one_bar("drawing") as progress:
                write_clip(one, clips.spec.classes, file, rate=rate, progress=progress)
            out.print(str(file), markup=False, soft_wrap=True)
            written += 1
    if not written:
        out.print("nothing to show: there are no such clips")


def _clips(
    what: str, split: Split, seed: int | None, count: int, data_option: Sequence[str]
) -> Iterable[tuple[str, Clips]]:
    """A name for files and the clips, of a run or of one split of a data set."""
    from cvbench.cli.data import located, reader_options
    from cvbench.clip_showing import clips_alone, clips_of_run
    from cvbench.errors import UserError
    from cvbench.readers import open_dataset
    from cvbench.run_folder import open_run
    from cvbench.store import Store, default_cache

    if (Path(what) / "run.json").is_file():
        yield from clips_of_run(open_run(Path(what)), Store(default_cache()), seed, count)
        return
    name, argument, root = located(what, "")
    splits = open_dataset(name, argument, root, reader_options(data_option), 0.0)
    data = {Split.train: splits.train, Split.val: splits.val, Split.test: splits.test}[split]
    if data is None:
        raise UserError("has no val split", where=what)
    yield f"{data.spec.name}-{split.value}", clips_alone(data, what)


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
