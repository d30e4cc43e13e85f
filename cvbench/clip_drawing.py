"""Clips drawn for people: every frame with its tracks, as a video, a GIF or a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cvbench.clips import Clip, Clips, Tracks
from cvbench.colours import colour
from cvbench.contracts import Progress, counting, silent
from cvbench.durable import telling_a_full_disk
from cvbench.errors import UserError
from cvbench.samples import UInt8Array
from cvbench.scenes import Float32Array

LONGEST = 384  # pixels that a small frame's longer side grows to at most, by a whole factor
SHEET_WIDTH, COLUMNS, ROWS = 256, 6, 4
TRAIL = 20  # frames of the way that is drawn behind an object
HIDDEN = 0.5  # visibility below which a box is drawn thin
GREY, WHITE = (128, 128, 128), (255, 255, 255)
TEXT = 11  # pixels
DASH = 4  # pixels of the truth's outline, which is white where it is not black
ENDINGS = (".mp4", ".avi", ".gif")
MOST_GIF_FRAMES = 300
LEAST_GIF_PAUSE = 20  # milliseconds between its frames: viewers play faster ones slowly


def drawn_frames(clip: Clip, classes: tuple[str, ...], truth: Tracks | None = None) -> Iterator[UInt8Array]:
    """uint8 (h, w, 3) of every frame, one at a time, with its tracks drawn, and the true ones."""
    for number, frame in enumerate(clip.frames):
        yield drawn_frame(np.asarray(frame), clip.tracks, number, classes, truth=truth)


def drawn_frame(
    frame: UInt8Array,
    tracks: Tracks,
    number: int,
    classes: tuple[str, ...],
    *,
    truth: Tracks | None = None,
    fit_width: int | None = None,
) -> UInt8Array:
    """uint8 (h, w, 3): a frame (H, W, C) with each object's box, id, way and, where it is hidden, visible share.

    An id has its colour, what is ignored is grey. Boxes of objects that are mostly hidden are thin. Where ``tracks``
    are found ones, those of the ``truth`` are dashed outlines, and a legend says so. Frames are counted from 1, as
    their files are. ``fit_width``: the picture's; else a small frame grows by a whole factor.
    """
    height, width, channels = frame.shape
    grown = max(1, LONGEST // max(height, width))
    pixels = np.repeat(frame, 3 // channels, axis=2).repeat(grown, axis=0).repeat(grown, axis=1)
    image, scale = Image.fromarray(pixels), float(grown)
    if fit_width is not None:
        scale = fit_width / width
        image = image.resize((fit_width, round(scale * height)), Image.Resampling.BILINEAR)
    pen = ImageDraw.Draw(image)
    _draw_tracks(pen, tracks, number, classes, scale)
    below = _said(pen, 3, image.height - TEXT - 4, f"{number + 1}")
    if truth is not None:
        for place in _places(truth, number):
            _dashed(pen, _corners(truth, place, scale), GREY if truth.ignored[place] else WHITE)
        _legend(pen, below + TEXT, image.height - TEXT - 4)
    return np.asarray(image)


def _draw_tracks(pen: ImageDraw.ImageDraw, tracks: Tracks, number: int, classes: tuple[str, ...], scale: float) -> None:
    """Draw what is there in a frame that is enlarged by ``scale``, with the way behind it."""
    font = ImageFont.load_default(TEXT)
    for place in _places(tracks, number):
        one = int(tracks.ids[place])
        ink = GREY if tracks.ignored[place] else colour(one)
        seen = float(tracks.visibility[place])
        way = _way(tracks, one, number) * scale
        if len(way) > 1:
            pen.line([(float(x), float(y)) for x, y in way], fill=ink)
        x1, y1, _, _ = corners = _corners(tracks, place, scale)
        pen.rectangle(corners, outline=ink, width=1 if seen < HIDDEN else 2)
        said = f"#{one}" if len(classes) == 1 else f"#{one} {classes[tracks.labels[place]]}"
        said += f" ({seen:.0%})" if seen < 0.995 else ""
        corner = (min(max(x1, 0), pen.im.size[0] - 2 * TEXT), max(0, y1 - TEXT - 3))
        pen.rectangle(pen.textbbox(corner, said, font=font), fill=ink)
        pen.text(corner, said, fill="black", font=font)


def clip_sheet(clips: Clips, *, above: Clips | None = None) -> Image.Image:
    """A row of frames per clip, evenly spread, with their tracks. ``above``: real clips for its first row."""
    real = {f"real: {clip.name}": clip for clip in above.clips[:1]} if above is not None else {}
    return clip_rows(real | {clip.name: clip for clip in clips.clips[: ROWS - len(real)]}, clips.spec.classes)


def clip_rows(clips: Mapping[str, Clip], classes: tuple[str, ...]) -> Image.Image:
    """A row of frames per clip, evenly spread, its name in the corner of the first."""
    drawn = [_row(name, clip, classes) for name, clip in clips.items()]
    sheet = Image.new("RGB", (COLUMNS * SHEET_WIDTH, max(1, sum(row.height for row in drawn))))
    top = 0
    for row in drawn:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def write_clip(
    clip: Clip,
    classes: tuple[str, ...],
    file: Path,
    *,
    rate: float,
    truth: Tracks | None = None,
    progress: Progress = silent,
) -> None:
    """The clip with its tracks (and the true ones, of those that were found) as ``.mp4``, ``.avi`` or ``.gif``.

    One frame is in memory at a time (of a GIF, all).

    Raises :class:`UserError` for another ending, a GIF of more than ``MOST_GIF_FRAMES`` frames, and where OpenCV can
    write no such video.
    """
    if file.suffix not in ENDINGS:
        raise UserError(f"cannot write {file.suffix or 'a file without an ending'}", where=str(file), hint="use .mp4")
    if file.suffix == ".gif" and len(clip) > MOST_GIF_FRAMES:
        raise UserError(f"{len(clip)} frames are too many for a GIF", where=str(file), hint="use --format mp4")
    torn = file.with_name(f"{file.stem}.part{file.suffix}")
    try:
        with telling_a_full_disk(file.parent):
            frames = counting(drawn_frames(clip, classes, truth), len(clip), "drawing", progress)
            (_write_gif if file.suffix == ".gif" else _write_video)(frames, torn, rate)
            torn.replace(file)
    finally:
        torn.unlink(missing_ok=True)


def _write_gif(frames: Iterator[UInt8Array], file: Path, rate: float) -> None:
    pictures = (Image.fromarray(frame).quantize() for frame in frames)
    first, pause = next(pictures), max(LEAST_GIF_PAUSE, round(1000 / rate))
    first.save(file, save_all=True, append_images=pictures, duration=pause, loop=0)


def _write_video(frames: Iterator[UInt8Array], file: Path, rate: float) -> None:
    import cv2

    first = next(frames)
    height, width = (side - side % 2 for side in first.shape[:2])  # codecs want even sides
    codec = cv2.VideoWriter.fourcc(*("mp4v" if file.suffix == ".mp4" else "MJPG"))
    video = cv2.VideoWriter(str(file), codec, rate, (width, height))
    if not video.isOpened():
        raise UserError(f"this OpenCV writes no {file.suffix}", where=str(file), hint="use --format gif")
    try:
        for frame in chain((first,), frames):
            video.write(np.ascontiguousarray(frame[:height, :width, ::-1]))
    finally:
        video.release()


def _places(tracks: Tracks, number: int) -> range:
    """Where the rows of a frame are."""
    rows = tracks.rows(number)
    return range(rows.start, rows.stop)


def _corners(tracks: Tracks, place: int, scale: float) -> tuple[int, int, int, int]:
    """The first and last pixel, across and down, of a box in a frame that is enlarged."""
    x1, y1, x2, y2 = (tracks.boxes[place] * scale).round().astype(int).tolist()
    return x1, y1, max(x1, x2 - 1), max(y1, y2 - 1)


def _dashed(pen: ImageDraw.ImageDraw, corners: tuple[int, int, int, int], ink: tuple[int, int, int]) -> None:
    """A thin outline, black and ``ink`` by turns, to be seen on anything."""
    x1, y1, x2, y2 = corners
    pen.rectangle(corners, outline="black")
    for x in range(x1, x2 + 1, 2 * DASH):
        for y in (y1, y2):
            pen.line((x, y, min(x + DASH - 1, x2), y), fill=ink)
    for y in range(y1, y2 + 1, 2 * DASH):
        for x in (x1, x2):
            pen.line((x, y, x, min(y + DASH - 1, y2)), fill=ink)


def _legend(pen: ImageDraw.ImageDraw, x: float, y: int) -> None:
    """What is true and what was found, in a line that begins at this corner."""
    size, wide = TEXT - 3, 5 * DASH
    _dashed(pen, (round(x), y + 3, round(x) + wide, y + 3 + size), WHITE)
    x = _said(pen, x + wide + 4, y, "truth") + TEXT
    pen.rectangle((round(x), y + 3, round(x) + wide, y + 3 + size), outline=colour(1), width=2)
    _said(pen, x + wide + 4, y, "found")


def _said(pen: ImageDraw.ImageDraw, x: float, y: int, words: str) -> float:
    """Write words that can be read on anything; where they end."""
    font = ImageFont.load_default(TEXT)
    pen.text((x, y), words, fill="white", font=font, stroke_width=1, stroke_fill="black")
    return x + font.getlength(words)


def _way(tracks: Tracks, one: int, number: int) -> Float32Array:
    """(k, 2): where the object's middle was in the last frames, this one included."""
    recent = slice(tracks.rows(max(0, number - TRAIL)).start, tracks.rows(number).stop)
    boxes = tracks.boxes[recent][tracks.ids[recent] == one]
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2, np.float32)


def _row(name: str, clip: Clip, classes: tuple[str, ...]) -> Image.Image:
    places = np.linspace(0, len(clip) - 1, COLUMNS).astype(int).tolist()
    pictures = [
        Image.fromarray(drawn_frame(np.asarray(clip.frames[k]), clip.tracks, k, classes, fit_width=SHEET_WIDTH))
        for k in places
    ]
    row = Image.new("RGB", (COLUMNS * SHEET_WIDTH, pictures[0].height))
    for column, picture in enumerate(pictures):
        row.paste(picture, (column * SHEET_WIDTH, 0))
    pen, font = ImageDraw.Draw(row), ImageFont.load_default(TEXT)
    pen.text((3, 2), name, fill="white", font=font, stroke_width=2, stroke_fill="black")
    return row
