"""``cvbench generate``: fit a generator on a data set's training pictures and write what it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cvbench.cli.app import app
from cvbench.cli.console import err, out
from cvbench.cli.run import DeviceChoice, DeviceOption
from cvbench.formats import Format, format_for


@app.command(rich_help_panel="Data")
def generate(
    generator: Annotated[str, typer.Argument(help="A generator's name; see `cvbench list generators`.")],
    data: Annotated[str, typer.Option(help="A data set's name, or a folder; only its train split is seen.")],
    out_folder: Annotated[Path, typer.Option("--out", help="The folder to write; must be new or empty.")],
    count: Annotated[int | None, typer.Option(help="Pictures, in the train split's proportions; or clips.")] = None,
    per_class: Annotated[int | None, typer.Option(help="Pictures of each class, instead of --count.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same pictures.")] = 0,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="The generator's options.KEY, budget.steps, spread or filter."),
    ] = None,
    reader: Annotated[str, typer.Option(help="A reader's name, for a folder.", show_default="recognised")] = "",
    data_option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="An option of the data set's reader, such as size=32 for a folder."),
    ] = None,
    format: Annotated[
        Format | None,
        typer.Option(
            help="How it is written.", show_default="folder; of masks: masks, of objects: coco, of clips: mot"
        ),
    ] = None,
    device: DeviceOption = DeviceChoice.auto,
) -> None:
    """Write synthetic pictures with their annotation in a standard format, with a contact sheet to look at."""
    from cvbench.cli.progress import one_bar
    from cvbench.devices import share_out
    from cvbench.errors import counted
    from cvbench.generate import request_samples, sample_set
    from cvbench.store import Store, default_cache
    from cvbench.writers import refuse_folder, write_set
    from cvbench.writers.image_folder import refuse_class_names

    refuse_folder(out_folder)
    workers = share_out(device.value, 1, None)
    request = request_samples(
        generator,
        data,
        count=count,
        per_class=per_class,
        seed=seed,
        settings=set_ or [],
        data_options=data_option or [],
        reader=reader,
        device=workers.device,
    )
    written = format_for(request.real.spec.kind, format)
    if written is Format.folder:
        refuse_class_names(request.real.spec)
    with one_bar("starting") as progress:
        made, notes = sample_set(request, Store(default_cache()), workers.device, progress)
        write_set(made, out_folder, format=written, about=request.about(notes), real=request.real, progress=progress)
    for note in notes:
        err.print(f"note: {note}", markup=False, soft_wrap=True)
    classes = len(made.spec.classes)
    if count is not None and count < classes and request.real.spec.kind == "label":
        err.print(
            f"note: {counted(count, 'picture')} cannot be of all {classes} classes; --per-class gives each its own"
        )
    thing = "clip" if made.spec.kind == "tracks" else "picture"
    out.print(
        f"{counted(len(made), thing)} of {counted(classes, 'class')} in {out_folder}; "
        f"look at {out_folder / 'contact-sheet.png'}",
        soft_wrap=True,
    )
