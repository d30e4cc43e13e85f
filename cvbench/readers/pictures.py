"""Files of a folder: which are pictures, what their pixels are, whatever form they come in; and lists beside them."""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cvbench.errors import DataError
from cvbench.samples import UInt8Array

EXTENSIONS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm"})
TURNED = "turned as EXIF says"
DECODER = 2  # raise it when the same files give other pixels
MOST_PIXELS = 100_000_000  # of one picture; more is a decompression bomb

# What Pillow logs of a damaged file would stand on stderr beside our own line about it
logging.getLogger("PIL").addHandler(logging.NullHandler())


def entries(folder: Path) -> list[Path]:
    """What a folder holds, in the order of names. Raises :class:`DataError` when it cannot be listed."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot be listed: {error.strerror}", where=str(folder)) from None


def folders_in(folder: Path) -> list[Path]:
    """Its folders in the order of their names; hidden ones are left out."""
    return [path for path in entries(folder) if path.is_dir() and not path.name.startswith(".")]


def pictures_in(folder: Path) -> Iterator[Path]:
    """Its files that are pictures by their names, in order."""
    return (
        path
        for path in entries(folder)
        if path.suffix.lower() in EXTENSIONS and path.is_file() and not path.name.startswith(".")
    )


def text_lines(file: Path) -> list[str]:
    """A text file's lines. Raises :class:`DataError` for one that is not UTF-8, or cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError("is not UTF-8 text", where=str(file), hint="save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(file)) from None


def unequal(sizes: Collection[tuple[int, ...]], folder: Path) -> DataError:
    """The refusal of pictures of several (height, width)."""
    least, most = ("x".join(map(str, size)) for size in (min(sizes), max(sizes)))
    return DataError(
        f"pictures of {len(sizes)} sizes, from {least} to {most} (height x width)",
        where=str(folder),
        hint="set the option size to bring them to one",
    )


def conversions(file: Path) -> Iterator[str]:
    """What :func:`decode` does to a picture beyond decoding it."""
    from PIL import ExifTags, Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(file) as opened:
            if opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info:
                yield "with transparency: put on white"
            elif opened.mode not in ("L", "1", "P", "RGB", "I;16", "I;16B", "I"):
                yield f"in {opened.mode}: converted to RGB"
            if opened.mode.startswith("I") or any(";16" in str(tile[3]) for tile in opened.tile):
                yield "of 16 bits per channel: scaled down to 8"
            if opened.getexif().get(ExifTags.Base.Orientation, 1) > 1:
                yield TURNED
            if getattr(opened, "n_frames", 1) > 1:
                yield "of several frames: the first is taken"


def grey_among_rgb(channels: Counter[int]) -> Iterator[str]:
    """What is told where some pictures have 1 channel and others 3; ``channels``: how many have each."""
    grey, every = channels[1], channels.total()
    if 0 < grey < every:
        yield f"{grey:,} of {every:,} pictures {'is' if grey == 1 else 'are'} grey among RGB ones: made RGB"


def decode(file: Path, size: int | None, channels: int | None) -> UInt8Array:
    """uint8 (H, W, 1 or 3): turned as its EXIF says, transparency over white, 16 bits scaled down to 8.

    Raises :class:`DataError` naming a file that is empty, cut short, not a picture, or too large.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    where = str(file)
    try:
        if file.stat().st_size == 0:
            raise DataError("an empty file", where=where, hint="remove or replace it")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened: Any = Image.open(file)
            if opened.width * opened.height > MOST_PIXELS:
                hint = f"scale it down below {MOST_PIXELS:,}"
                raise DataError(f"{opened.width}x{opened.height} pixels are too many", where=where, hint=hint)
            picture: Any = ImageOps.exif_transpose(opened)
        if picture.mode == "F":
            hint = "save it with 8 or 16 bits per channel"
            raise DataError("floating-point pixels have no known range", where=where, hint=hint)
        if picture.mode.startswith("I"):
            picture = Image.fromarray((np.asarray(picture).astype(np.float64) / 257).clip(0, 255).astype(np.uint8))
        if picture.mode in ("RGBA", "LA", "PA", "P"):
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
        grey = channels == 1 if channels else picture.mode in ("L", "1")
        picture = picture.convert("L" if grey else "RGB")
        if size is not None:
            picture = picture.resize((size, size), Image.Resampling.BILINEAR)
        array = np.asarray(picture, dtype=np.uint8)
        return array[..., None] if array.ndim == 2 else array
    except UnidentifiedImageError:
        raise DataError("not a picture that can be read", where=where, hint="remove or replace it") from None
    except Image.DecompressionBombError:
        raise DataError("has too many pixels", where=where, hint="scale it down") from None
    except PermissionError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=where) from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        words = " ".join(str(error).split())[:150]
        raise DataError(f"damaged or cut short ({words})", where=where, hint="remove or replace it") from None
