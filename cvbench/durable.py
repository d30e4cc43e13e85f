"""Files and folders that are there whole or not at all, whenever the machine stops; and the disk that takes no more."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from cvbench.errors import CvbenchError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
SYNCING = 16  # files at a time
LEAST_FREE = 2**20  # bytes; with less, an error that names no reason has this one


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write into: synced, then renamed to ``path`` when the block ends well, else gone.

    Raises OSError that names ``path``.
    """
    torn = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with telling_a_full_disk(path.parent), torn.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        torn.replace(path)
        sync(path.parent)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(torn)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            torn.unlink()


def write_durably(path: Path, content: bytes) -> None:
    """Write a whole file, as :func:`replacing` does."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def appearing(folder: Path) -> Iterator[Path]:
    """A folder to fill. It becomes ``folder``, which is absent or empty, when the block ends well; else it is gone."""
    torn = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    try:
        with telling_a_full_disk(folder.parent):
            torn.mkdir(parents=True)
            yield torn
            settle(torn, folder)
    finally:
        shutil.rmtree(torn, ignore_errors=True)


def settle(torn: Path, place: Path) -> None:
    """Sync all that is in the folder ``torn`` and rename it to ``place``. Raises OSError when that is taken.

    An empty folder is not: it gives way.
    """
    with ThreadPoolExecutor(SYNCING) as pool:  # a disk writes many files out at once
        list(pool.map(sync, (*torn.rglob("*"), torn)))
    torn.replace(place)
    sync(place.parent)


def sync(path: Path) -> None:
    """Wait until the disk has a file's content, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def telling_a_full_disk(folder: Path) -> Iterator[None]:
    """Let :func:`raise_if_full` look at what a writer raises while what it wrote still fills the disk."""
    try:
        yield
    except Exception as error:
        raise_if_full(error, folder)
        raise


def raise_if_full(error: Exception, folder: Path) -> None:
    """Raise OSError when the error means that the disk of ``folder`` takes no more.

    Writers say so in ways of their own: safetensors in words, np.save as an OSError without a number, torch.save
    as a RuntimeError about positions. So the words count, and the room that is left.
    """
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        raise error
    said = " ".join(str(link) for link in _with_causes(error))
    number = next((number for number in NO_ROOM if os.strerror(number) in said), None)
    if number is None and not isinstance(error, CvbenchError) and _free(folder) < LEAST_FREE:
        number = errno.ENOSPC
    if number is not None:
        raise OSError(number, os.strerror(number), str(folder)) from error


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _free(folder: Path) -> float:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return float("inf")
