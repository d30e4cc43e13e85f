"""Scenes drawn for people: masks tinted, boxes with their class's name, and contact sheets of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cvbench.clip_drawing import clip_rows, clip_sheet
from cvbench.clips import Clips
from cvbench.colours import colour
from cvbench.readers.letterbox import Letterbox
from cvbench.samples import BoolArray, LabelledImages, Pictures, UInt8Array, labelled
from cvbench.scenes import BACKGROUND, IGNORED, BoxedImages, InstanceImages, SegmentedImages
from cvbench.sheets import contact_sheet, rows_sheet

SIDE = 256  # pixels of a drawn picture's longer side
COLUMNS, SYNTHETIC_ROWS = 6, 2
TINT, STRONG = 0.5, 0.75  # how much of a pixel its mask's colour is; where the colour tells the class
NAME_SIZE = 10  # pixels
GREY = (128, 128, 128)


def sheet_of(data: Pictures | Clips, *, above: Pictures | Clips | None = None) -> Image.Image:
    """A contact sheet of pictures with whatever annotation, or of clips. ``above``: real ones for its first row."""
    if isinstance(data, Clips):
        return clip_sheet(data, above=above if isinstance(above, Clips) else None)
    assert not isinstance(above, Clips)
    if isinstance(data, LabelledImages):
        return contact_sheet(data, above=labelled(above) if above is not None else None)
    return scene_sheet(data, above=above)


def scene_sheet(data: Pictures, *, above: Pictures | None = None) -> Image.Image:
    """Rows of pictures, each with a row under it of the same ones with their annotation drawn; real ones first."""
    rows: dict[str, UInt8Array] = {}
    if above is not None:
        rows |= _two_rows("real", "real, drawn", above, range(min(COLUMNS, len(above))))
    for row in range(SYNTHETIC_ROWS):
        places = range(row * COLUMNS, min((row + 1) * COLUMNS, len(data)))
        if places:
            rows |= _two_rows(f"synthetic {row + 1}", f"drawn {row + 1}", data, places)
    sheet = rows_sheet(rows)
    return _with_legend(sheet, data.spec.classes) if isinstance(data, SegmentedImages) else sheet


def answers_sheet(truth: Pictures | Clips, answers: Mapping[str, Pictures | Clips]) -> Image.Image:
    """Real pictures, their annotation drawn, then a row per answer of a model; of clips, the first one's frames."""
    if isinstance(truth, Clips):
        first = {name: cast(Clips, found).clips[0] for name, found in answers.items()}
        return clip_rows({"truth": truth.clips[0], **first}, truth.spec.classes)
    shown = range(min(COLUMNS, len(truth)))
    rows = _two_rows("picture", "truth", truth, shown)
    for name, found in answers.items():
        rows[name] = np.stack([drawn(cast(Pictures, found), place) for place in shown])
    sheet = rows_sheet(rows)
    return _with_legend(sheet, truth.spec.classes) if isinstance(truth, SegmentedImages) else sheet


def drawn(data: Pictures, place: int) -> UInt8Array:
    """uint8 (h, w, 3): the picture at this place with its masks tinted and its boxes named, ``SIDE`` pixels long.

    A class has its colour in a mask, over the picture in grey, and as a box, ``background`` none; of instances, each
    has its own.
    """
    fit = _fit(data)
    picture = _shown(data, place)
    if isinstance(data, SegmentedImages):
        mask = fit.mask(data.masks[place], IGNORED)
        picture[:] = picture.mean(axis=2, keepdims=True)  # in grey no colour is mistaken for a class
        for label in np.unique(mask).tolist():
            if label == IGNORED or data.spec.classes[label] != BACKGROUND:
                _tint(picture, mask == label, GREY if label == IGNORED else colour(label), STRONG)
        return picture
    if not isinstance(data, BoxedImages):
        return picture
    own = data.objects(place)
    if isinstance(data, InstanceImages):
        for number, mask in enumerate(data.masks(place)):
            _tint(picture, fit.boolean(mask), colour(number))
    image = Image.fromarray(picture)
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(NAME_SIZE)
    boxes = fit.boxes(data.boxes[own].astype(np.float64)).round().astype(int).tolist()
    for number, ((x1, y1, x2, y2), label) in enumerate(zip(boxes, data.labels[own].tolist(), strict=True)):
        ink = colour(number if isinstance(data, InstanceImages) else label)
        pen.rectangle((x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)), outline=ink)
        if len(data.spec.classes) > 1:
            corner = (x1 + 1, max(0, y1 - NAME_SIZE - 1))
            pen.rectangle(pen.textbbox(corner, data.spec.classes[label], font=font), fill=ink)
            pen.text(corner, data.spec.classes[label], fill="black", font=font)
    return np.asarray(image)


def _two_rows(name: str, below: str, data: Pictures, places: range) -> dict[str, UInt8Array]:
    plain = np.stack([_shown(data, place) for place in places])
    return {name: plain, below: np.stack([drawn(data, place) for place in places])}


def _fit(data: Pictures) -> Letterbox:
    """To ``SIDE``; small pictures grow by a whole factor."""
    spec = data.spec
    scale = SIDE / max(spec.height, spec.width)
    scale = float(int(scale)) if scale > 1 else scale
    size = max(1, round(spec.height * scale)), max(1, round(spec.width * scale))
    return Letterbox(spec.height, spec.width, size)


def _shown(data: Pictures, place: int) -> UInt8Array:
    """uint8 (h, w, 3), to be drawn on."""
    fit, pixels = _fit(data), np.asarray(data.images[place])
    grown = fit.size[0] > fit.height
    planes = [fit.mask(plane, 0) for plane in np.moveaxis(pixels, 2, 0)]  # enlarged pixels stay squares
    scaled = np.stack(planes, axis=2) if grown else fit.picture(pixels)
    return np.repeat(scaled, 3 // scaled.shape[2], axis=2)


def _tint(picture: UInt8Array, mask: BoolArray, ink: tuple[int, int, int], share: float = TINT) -> None:
    picture[mask] = np.round(picture[mask] * (1 - share) + np.array(ink) * share).astype(np.uint8)


def _with_legend(sheet: Image.Image, classes: tuple[str, ...]) -> Image.Image:
    """A line under the sheet with each class's colour and name, as many as fit."""
    font = ImageFont.load_default(NAME_SIZE)
    whole = Image.new("RGB", (sheet.width, sheet.height + 2 * NAME_SIZE), "white")
    whole.paste(sheet)
    pen, x = ImageDraw.Draw(whole), 4.0
    for number, name in enumerate(classes):
        if name == BACKGROUND:
            continue
        pen.rectangle((x, sheet.height + 5, x + NAME_SIZE, sheet.height + 5 + NAME_SIZE), fill=colour(number))
        pen.text((x + NAME_SIZE + 3, sheet.height + 4), name, fill="black", font=font)
        x += NAME_SIZE + 14 + font.getlength(name)
    return whole
