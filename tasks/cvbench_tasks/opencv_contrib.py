"""OpenCV's contrib build: what to do where it is not the one installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

MAIN, CONTRIB = "opencv-python", "opencv-contrib-python"


def repair() -> str:
    """The two builds write the same files, so the contrib one must be installed over the other."""
    for package in (MAIN, CONTRIB):
        try:
            return f"pip install --force-reinstall --no-deps {CONTRIB}=={version(package)}"
        except PackageNotFoundError:
            continue
    return f"pip install --force-reinstall --no-deps {CONTRIB}"
