"""``cvbench show``: pictures of what a run has made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cvbench.cli.app import app
from cvbench.cli.console import out

show = typer.Typer(no_args_is_help=True, help="Make pictures of what a run has made, to look at.")
app.add_typer(show, name="show", rich_help_panel="Run")


@show.command()
def samples(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/quickstart.")],
    out_folder: Annotated[Path, typer.Option("--out", help="The folder to write into.")] = Path("samples"),
    seed: Annotated[int | None, typer.Option(help="One of the run's seeds.", show_default="its first")] = None,
) -> None:
    """Write a contact sheet per generator (real pictures on top, a row per class) and a walk through its latent."""
    from cvbench.run_folder import open_run
    from cvbench.showing import sheets_of
    from cvbench.store import Store, default_cache

    count = 0
    for name, picture in sheets_of(open_run(run), Store(default_cache()), seed):
        out_folder.mkdir(parents=True, exist_ok=True)
        picture.save(out_folder / name)
        count += 1
        out.print(str(out_folder / name), markup=False, soft_wrap=True)
    if not count:
        out.print("nothing to show: no synthetic set of this run is in the cache (any more)")
