"""Decoded pictures in the cache: the same files are decoded once, whoever opens them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import PIL

from cvbench.datasets import load_dataset
from cvbench.durable import settle, telling_a_full_disk
from cvbench.errors import DataError
from cvbench.readers.pictures import DECODER
from cvbench.samples import Dataset


def listing_key(settings: Sequence[object], files: Iterable[tuple[str, object, Path]]) -> str:
    """A key of what decodes, of the settings, and of each file's name, size and time, with what else bears on it."""
    digest = hashlib.sha256(json.dumps([[DECODER, PIL.__version__], *settings]).encode())
    for name, bears, file in files:
        facts = file.stat()
        line = f"{name}\0{bears}\0{facts.st_size}\0{facts.st_mtime_ns}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def decoded_once(key: str, decode_all: Callable[[], Dataset]) -> Dataset:
    """What lies in the cache under this key; when that is nothing, or damaged, it is decoded and put there."""
    from cvbench.store import default_cache

    place = default_cache() / "decoded" / key
    try:
        found = load_dataset(place)
        with suppress(OSError):
            os.utime(place)  # when it was last used, for `cvbench cache`
        return found
    except (OSError, EOFError, ValueError, TypeError, KeyError, DataError):
        shutil.rmtree(place, ignore_errors=True)
    data = decode_all()
    torn = place.with_name(f"{place.name}.{os.getpid()}.part")
    torn.mkdir(parents=True, exist_ok=True)
    try:
        with telling_a_full_disk(torn):
            data.save(torn)
        settle(torn, place)
    except OSError:
        if not place.is_dir():  # it is when another process was quicker, with the same pictures
            raise
    finally:
        shutil.rmtree(torn, ignore_errors=True)
    return load_dataset(place)
