"""Kills a suite at random moments with SIGKILL, continues it each time, and compares with a run left in peace.

    python benchmarks/kill_and_resume.py [SUITE] [KILLS]

Prints when it was killed and how many cells were done, then whether every metric is equal bit for bit and
whether any finished cell was computed twice.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def command(suite: str, folder: Path, name: str) -> subprocess.Popen[bytes]:
    """A run of the suite with a cache and a folder of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "cvbench", "run", suite, "--out", str(folder / name)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "CVBENCH_CACHE": str(folder / f"cache-{name}")},
    )


def records(run: Path) -> list[dict[str, object]]:
    """The ledger's records; a line torn by a kill is left out."""
    found = []
    for line in (run / "ledger.jsonl").read_text().splitlines() if (run / "ledger.jsonl").exists() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            print("  (a torn line)")
    return found


def results(run: Path) -> dict[object, object]:
    """Cell → everything that was measured, per-item scores as bytes."""
    return {
        r["cell"]: (r["status"], r["metrics"], r["per_class"], r["fidelity"], items(run, r["cell"]))
        for r in records(run)
        if r["status"] == "ok"
    }


def items(run: Path, cell: object) -> bytes:
    """The cell's file of per-item scores; a cell that judges a synthetic set has none."""
    file = run / "items" / f"{cell}.npz"
    return file.read_bytes() if file.exists() else b""


def main() -> None:
    """Do it and say how it went; exit code 1 if anything differs."""
    suite = sys.argv[1] if len(sys.argv) > 1 else "quickstart"
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        started = time.monotonic()
        assert command(suite, folder, "peace").wait() == 0
        whole = time.monotonic() - started
        print(f"{suite}, left in peace: {whole:.0f} s, {len(results(folder / 'peace'))} cells")
        moments = random.Random(20)
        for number in range(kills):
            process = command(suite, folder, "killed")
            moment = moments.uniform(3, max(6, 1.6 * whole / kills))
            try:
                process.wait(moment)
                print(f"run {number + 1}: ended before its kill at {moment:.1f} s")
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                print(f"kill {number + 1} after {moment:.1f} s: {len(records(folder / 'killed'))} cells done")
        assert command(suite, folder, "killed").wait() == 0
        equal = results(folder / "peace") == results(folder / "killed")
        lines = [r["cell"] for r in records(folder / "killed")]
        twice = len(lines) - len(set(lines))
        print(f"all metrics and per-item scores equal bit for bit: {equal}; cells computed twice: {twice}")
        sys.exit(0 if equal and not twice else 1)


if __name__ == "__main__":
    main()
