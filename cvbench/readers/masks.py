"""Mask files: PNGs whose pixels are class numbers, palette entries or colours, as a class per pixel."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.errors import DataError
from cvbench.readers.class_lists import ClassList
from cvbench.readers.findings import Findings
from cvbench.readers.pictures import MOST_PIXELS
from cvbench.samples import IntArray, UInt8Array
from cvbench.scenes import IGNORED

MOST_TOLD = 3  # strange values or colours in one line


def opened(file: Path) -> Any:
    """A mask file with Pillow. Raises :class:`DataError` naming a file that cannot be read."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(file)
            if image.width * image.height > MOST_PIXELS:
                raise DataError(f"{image.width}x{image.height} pixels are too many", where=str(file))
            image.load()
            return image
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise DataError("not a mask that can be read", where=str(file), hint="remove or replace it") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        words = " ".join(str(error).split())[:150] or "empty"
        raise DataError(f"damaged or cut short ({words})", where=str(file), hint="remove or replace it") from None


def same_size(image: Any, height: int, width: int, file: Path) -> None:
    """Raise :class:`DataError` when a mask and its picture differ in size."""
    if (image.height, image.width) != (height, width):
        turned = " (as EXIF turns it)" if (image.width, image.height) == (height, width) else ""
        raise DataError(
            f"the mask is {image.height}x{image.width}, its picture {height}x{width}{turned} (height x width)",
            where=str(file),
            hint="they must be of one size",
        )


def class_mask(
    file: Path, classes: ClassList, ignored: tuple[str, ...], height: int, width: int, findings: Findings
) -> UInt8Array:
    """uint8 (H, W): places in the class list without the ignored ones, or ``IGNORED``.

    Values of a grey or palette mask count as they are, and 255 is ignored; with colours in the class list, every
    mask is read by colour. Raises :class:`DataError` for an unequal size; other values or colours are problems.
    """
    image = opened(file)
    same_size(image, height, width, file)
    values = _by_colour(image, classes, file, findings) if classes.colours else _by_value(image, file)
    strange = np.setdiff1d(values, [*range(len(classes.names)), IGNORED])
    if len(strange) and not classes.colours:
        findings.problem(
            file,
            f"has the value{'s' if len(strange) > 1 else ''} {_few(strange.tolist())}, the class list has "
            f"{len(classes.names)} names (0 to {len(classes.names) - 1}; {IGNORED} is ignored)",
            "mend the mask or the class list",
        )
    numbers = np.full(IGNORED + 1, IGNORED, np.uint8)
    kept = [place for place, name in enumerate(classes.names) if name not in ignored]
    numbers[kept] = np.arange(len(kept))
    mask = np.asarray(numbers[values.clip(0, IGNORED)], np.uint8)
    if len(classes.names) == 2 and set(np.unique(values)) == {0, IGNORED} and not classes.colours:
        greys = json.dumps(dict(zip(classes.names, (0, IGNORED), strict=True)), ensure_ascii=False)
        what = f"holds 0 and {IGNORED} alone, {IGNORED} is ignored; is it a class? Write classes.json: {greys}"
        findings.note(file, what)
    if image.mode.startswith("I"):
        findings.note(file, "a mask of 16 bits or more: its values count as they are")
    if (mask == IGNORED).all():
        findings.note(file, "holds nothing but ignored pixels")
    return mask


def _by_value(image: Any, file: Path) -> IntArray:
    if image.mode == "F":
        hint = "save it as a PNG of 8 bits"
        raise DataError("a mask of floating-point numbers", where=str(file), hint=hint)
    if image.mode == "LA" or (image.mode in ("RGB", "RGBA") and _all_grey(image)):
        image = image.getchannel(0)
    if image.mode not in ("1", "L", "P") and not image.mode.startswith("I"):
        hint = 'write classes.json: {"sky": [128, 128, 128], …}'
        raise DataError(f"a mask in {image.mode} colours, and the class list has none", where=str(file), hint=hint)
    return np.asarray(image).astype(np.int64)


def _all_grey(image: Any) -> bool:
    colours = np.asarray(image)[..., :3]
    return bool((colours == colours[..., :1]).all())


def _by_colour(image: Any, classes: ClassList, file: Path, findings: Findings) -> IntArray:
    pixels = np.asarray(image.convert("RGB")).astype(np.int64)
    codes = pixels @ (1 << 16, 1 << 8, 1)
    known = np.array(classes.colours, np.int64) @ (1 << 16, 1 << 8, 1)
    values = np.full(codes.shape, IGNORED, np.int64)
    for number, code in enumerate(known):
        values[codes == code] = number
    if len(strange := np.setdiff1d(codes, known)):
        colours = [str([int(code) >> 16, int(code) >> 8 & 255, int(code) & 255]) for code in strange]
        share = np.isin(codes, strange).mean()
        findings.problem(
            file,
            f"has {len(strange):,} colour{'s' if len(strange) > 1 else ''} that the class list lacks, on {share:.1%} "
            f"of its pixels: {_few(colours)}",
            "add them to classes.json (and to the option ignore); many near ones come of JPEG or of smooth scaling",
        )
    return values


def _few(values: list[Any]) -> str:
    more = f" and {len(values) - MOST_TOLD:,} more" if len(values) > MOST_TOLD else ""
    return ", ".join(map(str, values[:MOST_TOLD])) + more
