"""A picture file as OpenCV decodes it, refused where a part of it is missing.

OpenCV fills the lost part of a JPEG with grey and only libjpeg says so, on stderr and without the file's name.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np

from cvbench.errors import DataError
from cvbench.samples import UInt8Array

START, SCAN, END = b"\xff\xd8", 0xDA, b"\xff\xd9"  # JPEG's markers: of the image, of its first scan, of its end


def read_picture(file: Path, channels: int) -> UInt8Array:
    """uint8 (H, W, channels), RGB or grey, turned as its EXIF says.

    Raises :class:`DataError` naming a file that is missing, no picture, or cut short.
    """
    import cv2

    try:
        with file.open("rb") as opened:
            jpeg = opened.read(len(START)) == START
            data = START + opened.read() if jpeg else b""
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if jpeg and is_cut_short(data):
        raise DataError("not a picture that can be read: the JPEG is cut short", where=str(file), hint="replace it")
    how = cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR_RGB
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), how) if jpeg else cv2.imread(str(file), how)
    if picture is None:
        raise DataError("not a picture that can be read", where=str(file), hint="replace it")
    return np.asarray(picture, np.uint8).reshape(*picture.shape[:2], channels)


def is_cut_short(data: bytes) -> bool:
    """Whether a JPEG has no end after its first scan, and Pillow, which is strict, cannot decode it either.

    What follows the end does not matter.
    """
    return data.find(END, _first_scan(data)) < 0 and not _decodes(data)


def _first_scan(data: bytes) -> int:
    """Where it begins, behind all segments of the header: a preview in one of them has an end of its own."""
    place = len(START)
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != SCAN:
        filled = data[place + 1] == 0xFF
        place += 1 if filled else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return place


def _decodes(data: bytes) -> bool:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.open(io.BytesIO(data)).load()
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return False
    return True
