"""The artefact cache: what a step made, found again by its content key.

An artefact is a folder. It is written under a temporary name, synced and renamed, so it is there whole or
not at all; its manifest holds the checksum of every file. A damaged one is noticed, set aside and made again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cvbench.errors import UserError

FORMAT = 1  # of the cache's layout and manifests


def content_key(kind: str, description: Mapping[str, Any]) -> str:
    """SHA-256 of the step's canonical description: 64 hex digits. Mapping order does not matter."""
    canonical = json.dumps([FORMAT, kind, description], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def default_cache() -> Path:
    """``CVBENCH_CACHE``, or the platform's cache folder for cvbench."""
    import platformdirs

    return Path(os.environ.get("CVBENCH_CACHE") or platformdirs.user_cache_dir("cvbench"))


@dataclass(frozen=True)
class Artefact:
    """A finished step's folder; ``facts`` is what the step noted about itself, ``seconds`` what it took."""

    folder: Path
    seconds: float
    facts: Mapping[str, Any]


class Store:
    """The cache folder; raises :class:`UserError` when it cannot be used or is of another version."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: set[str] = set()
        mark = root / "cache.json"
        try:
            root.mkdir(parents=True, exist_ok=True)
            if not mark.exists():
                _write_durably(mark, json.dumps({"format": FORMAT}).encode())
            if not os.access(root, os.W_OK):
                raise PermissionError(errno.EACCES, "no permission to write there")
            found = json.loads(mark.read_text())["format"]
        except (ValueError, KeyError, TypeError):
            found = "an unreadable format"
        except OSError as error:
            raise UserError(
                f"the cache folder cannot be used: {error.strerror}",
                where=str(root),
                hint="set CVBENCH_CACHE to a folder you may write to",
            ) from error
        if found != FORMAT:
            raise UserError(
                f"this cache was written by another version of cvbench (format {found}, not {FORMAT})",
                where=str(mark),
                hint="set CVBENCH_CACHE to another folder, or delete this one",
            )

    def has(self, kind: str, key: str) -> bool:
        """Whether the artefact is there, by its manifest; its checksums are looked at on use."""
        return (self._place(kind, key) / "manifest.json").exists()

    def find(self, kind: str, key: str) -> Artefact | None:
        """The artefact with every checksum right, or None; a damaged one is set aside."""
        place = self._place(kind, key)
        if not (place / "manifest.json").exists():
            return None
        try:
            manifest = json.loads((place / "manifest.json").read_text())
            if key not in self._verified:
                for name, checksum in manifest["files"].items():
                    if _checksum(place / name) != checksum:
                        raise ValueError(name)
                self._verified.add(key)
            return Artefact(place, float(manifest["seconds"]), manifest["facts"])
        except (OSError, ValueError, KeyError, TypeError):
            self.discard(kind, key, into="damaged")
            return None

    def make(
        self, kind: str, key: str, description: Mapping[str, Any], write: Callable[[Path], Mapping[str, Any]]
    ) -> Artefact:
        """``write(folder)`` fills a temporary folder and returns the facts; then it becomes the artefact."""
        place = self._place(kind, key)
        torn = self.root / "incoming" / f"{key}.{os.getpid()}"
        shutil.rmtree(torn, ignore_errors=True)
        torn.mkdir(parents=True)
        try:
            started = time.monotonic()
            facts = dict(write(torn))
            seconds = float(facts.pop("seconds", time.monotonic() - started))
            files = {}
            for path in sorted(p for p in torn.rglob("*") if p.is_file()):
                _sync(path)
                files[path.relative_to(torn).as_posix()] = _checksum(path)
            manifest = {
                "format": FORMAT,
                "kind": kind,
                "key": key,
                "description": description,
                "files": files,
                "seconds": seconds,
                "facts": facts,
                "written": datetime.now(UTC).isoformat(timespec="seconds"),
            }
            _write_durably(torn / "manifest.json", json.dumps(manifest, indent=1).encode())
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                torn.replace(place)
                _sync(place.parent)
        finally:
            shutil.rmtree(torn, ignore_errors=True)
        self._verified.add(key)
        return Artefact(place, seconds, facts)

    def discard(self, kind: str, key: str, *, into: str = "replaced") -> None:
        """Set the artefact aside (under ``into``), so that its step is done anew."""
        place = self._place(kind, key)
        self._verified.discard(key)
        if place.exists():
            aside = self.root / into / f"{kind}-{key}-{time.time_ns()}"
            aside.parent.mkdir(exist_ok=True)
            place.replace(aside)

    @contextmanager
    def claim(self, key: str) -> Iterator[Path]:
        """Hold the step against other processes; gives its scratch folder, which outlives a kill."""
        from filelock import FileLock

        locks = self.root / "locks"
        locks.mkdir(exist_ok=True)
        scratch = self.root / "scratch" / key
        with FileLock(locks / f"{key}.lock"):
            scratch.mkdir(parents=True, exist_ok=True)
            yield scratch

    def drop_scratch(self, key: str) -> None:
        """Remove what a finished step no longer needs."""
        shutil.rmtree(self.root / "scratch" / key, ignore_errors=True)

    def _place(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / key


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_durably(path: Path, content: bytes) -> None:
    torn = path.with_name(f"{path.name}.{os.getpid()}.part")
    with torn.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    torn.replace(path)
