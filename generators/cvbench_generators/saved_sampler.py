"""Reading a saved sampler back: whatever is wrong with its folder is told in one line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError

from cvbench.errors import DataError

UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, RuntimeError, BadZipFile, SafetensorError)

FIT_AGAIN = "delete that folder: the same command fits it again"


@contextmanager
def read_back(description: Path, known: int) -> Iterator[dict[str, Any]]:
    """What the JSON file says of the sampler in its folder; the block under ``with`` reads the files beside it.

    Raises :class:`DataError` for a format other than ``known``, and for whatever the block finds missing, cut short
    or not fitting.
    """
    folder = str(description.parent)
    try:
        said: dict[str, Any] = json.loads(description.read_text())
        if said["format"] != known:
            raise DataError(
                f"a sampler of format {said['format']}, this version reads {known}", where=folder, hint=FIT_AGAIN
            )
        yield said
    except torch.OutOfMemoryError:  # a RuntimeError that says nothing of the files
        raise
    except UNREADABLE as error:
        first = (str(error).splitlines() or ["no message"])[0]  # torch lists every tensor that does not fit
        raise DataError(
            f"not a readable sampler ({type(error).__name__}: {first})", where=folder, hint=FIT_AGAIN
        ) from error
