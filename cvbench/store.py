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
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cvbench.durable import settle, telling_a_full_disk, write_durably
from cvbench.errors import UserError

FORMAT = 1  # of the cache's layout and manifests

# A file of an artefact is missing, or something else lies in its place. Any other OSError is no damage
NOT_THERE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)

# What lies in the cache besides artefacts and may go once nobody has used it for long
LOOSE = ("damaged", "decoded", "incoming", "replaced", "scratch")


def content_key(kind: str, description: Mapping[str, Any]) -> str:
    """SHA-256 of the step's canonical description: 64 hex digits. Mapping order does not matter."""
    canonical = json.dumps([FORMAT, kind, description], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def content_fingerprint(path: Path) -> str:
    """SHA-256 over a file, or over the names and contents of all files in a folder, wherever it lies.

    Raises :class:`UserError` when it is not there or may not be read.
    """
    if not path.exists():
        raise UserError("there is no such file or folder", where=str(path))
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    try:
        named = [(file.relative_to(path).as_posix(), _checksum(file)) for file in files]
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(error.filename or path)) from None
    return content_key("files", {"files": named})


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


@dataclass(frozen=True)
class Holding:
    """One thing that the cache holds: its bytes on disk and when it was last used (seconds since 1970).

    ``kind``: sampler, synthetic, model, … for artefacts, or one of ``LOOSE``, or ``data``: fetched data sets.
    ``step``: the claim that a process at work on it holds.
    """

    kind: str
    step: str
    folder: Path
    size: int
    used: float


class Store:
    """The cache folder; raises :class:`UserError` when it cannot be used or is of another version."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: set[str] = set()
        mark = root / "cache.json"
        try:
            root.mkdir(parents=True, exist_ok=True)
            if not mark.exists():
                write_durably(mark, json.dumps({"format": FORMAT}).encode())
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
        self._sweep()

    def has(self, kind: str, key: str) -> bool:
        """Whether the artefact is there, by its manifest; its checksums are looked at on use."""
        return (self._place(kind, key) / "manifest.json").exists()

    def find(self, kind: str, key: str) -> Artefact | None:
        """The artefact with every checksum right, or None; a damaged one is set aside.

        Raises OSError where it cannot be read for another reason: that says nothing of what lies there.
        """
        place = self._place(kind, key)
        try:
            folder = place.stat().st_ino
        except FileNotFoundError:
            return None
        try:
            with _naming(place / "manifest.json"):
                manifest = json.loads((place / "manifest.json").read_bytes())
            if key not in self._verified:
                for name, checksum in manifest["files"].items():
                    if _checksum(place / name) != checksum:
                        raise ValueError(name)
                self._verified.add(key)
            with suppress(OSError):
                os.utime(place / "manifest.json")  # when it was last used, for `cvbench cache`
            return Artefact(place, float(manifest["seconds"]), manifest["facts"])
        except (*NOT_THERE, ValueError, KeyError, TypeError, AttributeError):
            self._set_aside(kind, key, "damaged", only=folder)
            return None

    def make(
        self, kind: str, key: str, description: Mapping[str, Any], write: Callable[[Path], Mapping[str, Any]]
    ) -> Artefact:
        """``write(folder)`` fills a temporary folder and returns the facts; then it becomes the artefact."""
        place = self._place(kind, key)
        torn = self.root / "incoming" / f"{kind}-{key}.{os.getpid()}"
        shutil.rmtree(torn, ignore_errors=True)
        torn.mkdir(parents=True)
        try:
            started = time.monotonic()
            with telling_a_full_disk(self.root):
                facts = dict(write(torn))
            seconds = float(facts.pop("seconds", time.monotonic() - started))
            files = {}
            for path in sorted(p for p in torn.rglob("*") if p.is_file()):
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
            (torn / "manifest.json").write_text(json.dumps(manifest, indent=1))
            place.parent.mkdir(parents=True, exist_ok=True)
            if not self.has(kind, key):
                self._set_aside(kind, key, "damaged")  # nobody settles a folder without a manifest: it is no artefact
                settle(torn, place)
        finally:
            shutil.rmtree(torn, ignore_errors=True)
        self._verified.add(key)
        return Artefact(place, seconds, facts)

    def discard(self, kind: str, key: str) -> None:
        """Set the artefact and what is left of unfinished attempts aside, so that its step is done anew."""
        self._set_aside(kind, key, "replaced")
        with self._if_free(f"{kind}-{key}") as free:
            if free:
                self.drop_scratch(f"{kind}-{key}")

    @contextmanager
    def claim(self, key: str, waits: Callable[[], None] = lambda: None) -> Iterator[Path]:
        """Hold the step against other processes; gives its scratch folder, which outlives a kill.

        ``waits`` is called every second while another process holds it.
        """
        from filelock import FileLock, Timeout

        lock, scratch = FileLock(self._lock(key)), self.root / "scratch" / key
        while not lock.is_locked:
            try:
                lock.acquire(timeout=1.0)
            except Timeout:
                waits()
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            yield scratch
        finally:
            lock.release()

    def drop_scratch(self, key: str) -> None:
        """Remove what a finished step no longer needs."""
        shutil.rmtree(self.root / "scratch" / key, ignore_errors=True)

    def holdings(self) -> Iterator[Holding]:
        """Everything in the cache that takes room, artefacts first."""
        for manifest in sorted(self.root.glob("*/*/*/manifest.json")):
            folder = manifest.parent
            kind = folder.parent.parent.name
            if kind not in LOOSE and self._place(kind, folder.name) == folder:
                yield _held(kind, f"{kind}-{folder.name}", folder)
        for kind in (*LOOSE, "data"):
            for folder in sorted((self.root / kind).glob("*")):
                yield _held(kind, folder.name.partition(".")[0], folder)

    def remove(self, holding: Holding) -> bool:
        """Delete it, unless a process is at work on it or used it since; says whether it is gone."""
        with self._if_free(holding.step) as free:
            if not free or _held(holding.kind, holding.step, holding.folder).used > holding.used:
                return False
            going = self.root / "replaced" / f"{holding.kind}-{holding.folder.name}-{time.time_ns()}"
            going.parent.mkdir(exist_ok=True)
            try:
                holding.folder.replace(going)  # at once: nobody finds half of it
            except FileNotFoundError:  # another process removed it just now
                return True
        shutil.rmtree(going)
        return True

    def _place(self, kind: str, key: str) -> Path:
        return self.root / kind / key[:2] / key

    def _lock(self, step: str) -> Path:
        locks = self.root / "locks"
        locks.mkdir(exist_ok=True)
        return locks / f"{step}.lock"

    @contextmanager
    def _if_free(self, step: str) -> Iterator[bool]:
        """Hold the step unless another process does; says which."""
        from filelock import FileLock, Timeout

        lock = FileLock(self._lock(step), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def _set_aside(self, kind: str, key: str, into: str, *, only: int | None = None) -> None:
        """Move it away, if it is there; with ``only``, if its folder still has this inode number.

        Several processes may find the same damage: one moves the folder, and by then another may have made it anew.
        """
        place = self._place(kind, key)
        self._verified.discard(key)
        aside = self.root / into / f"{kind}-{key}-{time.time_ns()}"
        with suppress(FileNotFoundError):
            if only in (None, place.stat().st_ino):
                aside.parent.mkdir(exist_ok=True)
                place.replace(aside)

    def _sweep(self) -> None:
        """Delete what killed processes were writing; the lock tells those of another machine from the dead."""
        import psutil

        for torn in (self.root / "incoming").glob("*"):
            step, _, process = torn.name.rpartition(".")
            if process.isdigit() and not psutil.pid_exists(int(process)):
                with self._if_free(step) as free:
                    if free:
                        shutil.rmtree(torn, ignore_errors=True)


def _checksum(path: Path) -> str:
    with _naming(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """An OSError names the file: where reading fails rather than opening, it would not."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _held(kind: str, step: str, folder: Path) -> Holding:
    size, used = 0, 0.0
    for path in (folder, *folder.rglob("*")):
        with suppress(FileNotFoundError):  # another process is at work there
            facts = path.stat()
            size, used = size + facts.st_size, max(used, facts.st_mtime)
    return Holding(kind, step, folder, size, used)
