"""What computes: the part of a result's origin that is neither data nor code of ours."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from cvbench import __version__

# Best first. A CPU with one of the first two trains in bf16 where the budget's precision is `auto`.
CPU_FLAGS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")


# whose own networks and algorithms a result may come from
LIBRARIES = ("torch", "torchvision", "numpy", "opencv-python", "segmentation-models-pytorch", "ultralytics", "trackers")


def engine_name(device: str) -> str:
    """For content keys, as far as a result depends on it: torch's version, the device, its arithmetic."""
    return f"torch {version('torch')} {device} {arithmetic(device)}"


@cache
def arithmetic(device: str) -> str:
    """The GPU's name, or the best of the CPU's vector instructions; imports torch for a GPU alone."""
    if device != "cpu":
        import torch

        return torch.cuda.get_device_name()
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    return next((flag for flag in CPU_FLAGS if flag in flags), platform.machine())


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def environment(device: str, processes: int) -> dict[str, Any]:
    """For a model's record: what it is trained with, in this process."""
    import torch

    return {
        "cvbench": __version__,
        "python": platform.python_version(),
        **{package: found for package in LIBRARIES if (found := _installed(package))},
        "system": f"{platform.system()} {platform.machine()}",
        "device": f"{device} {arithmetic(device)}",
        "threads": torch.get_num_threads(),
        "processes_per_cell": processes,
    }
