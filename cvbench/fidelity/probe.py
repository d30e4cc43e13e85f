"""The probe: a small classifier trained on the real train split, the harness's own eye for labelled pictures.

Its penultimate layer is the feature extractor ``task``; its probabilities serve TRTS, mode coverage, filtering and
pseudo-labels. It is never a contestant.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from cvbench.contracts import Progress, Workplace, silent
from cvbench.samples import DatasetSpec, LabelledImages, UInt8Array
from cvbench.seeds import derive_seed
from cvbench.training import (
    BatchOrder,
    Descent,
    OptimizerSettings,
    load_weights,
    run_steps,
    save_weights,
    to_tensor,
    to_tensors,
)

STEPS, BATCH = 600, 128
FEATURES = 128

Float32Array = npt.NDArray[np.float32]


class _Network(nn.Module):
    """Three convolutions, a 2×2 grid of means, ``FEATURES`` units, one score per class."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Sequential(
            *(nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)),
            *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True)),
            *(nn.Conv2d(64, 128, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()),
            *(nn.Linear(512, FEATURES), nn.ReLU()),
        )
        self.score = nn.Linear(FEATURES, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """uint8 (n, C, H, W) → logits (n, K)."""
        return cast(Tensor, self.score(self.features(pictures)))

    def features(self, pictures: Tensor) -> Tensor:
        """uint8 (n, C, H, W) → (n, FEATURES)."""
        return cast(Tensor, self.embed(pictures.float().div(127.5).sub(1)))


def weights_hash(name: str, network: nn.Module | None = None) -> str:
    """SHA-256 over the name and the weights by their names."""
    digest = hashlib.sha256(name.encode())
    for key, tensor in sorted(network.state_dict().items()) if network else ():
        digest.update(f"\0{key} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Probe:
    """A trained probe; pictures go in as uint8 (N, H, W, C)."""

    network: nn.Module
    spec: DatasetSpec

    @cached_property
    def hash(self) -> str:
        """SHA-256 over its weights."""
        return weights_hash("probe", self.network)

    def probabilities(self, images: UInt8Array) -> Float32Array:
        """(N, K) class probabilities."""
        return self._per_batch(images, lambda batch: self.network(batch).softmax(1), len(self.spec.classes))

    def features(self, images: UInt8Array) -> Float32Array:
        """(N, FEATURES) activations of the penultimate layer."""
        return self._per_batch(images, cast(_Network, self.network).features, FEATURES)

    def _per_batch(self, images: UInt8Array, compute: Callable[[Tensor], Tensor], width: int) -> Float32Array:
        device = str(next(self.network.parameters()).device)
        found = [np.zeros((0, width), np.float32)]
        with torch.inference_mode():
            found += [compute(batch).float().cpu().numpy() for batch in to_tensors(images, device)]
        return np.concatenate(found)

    def save(self, folder: Path) -> None:
        """Weights and spec, into an existing folder."""
        save_weights(self.network, folder / "probe.safetensors")
        (folder / "probe.json").write_text(json.dumps(self.spec.to_json()))


def load_probe(folder: Path, device: str = "cpu") -> Probe:
    """The probe that :meth:`Probe.save` wrote."""
    spec = DatasetSpec.from_json(json.loads((folder / "probe.json").read_text()))
    network = _Network(spec.channels, len(spec.classes))
    load_weights(network, folder / "probe.safetensors")
    return Probe(network.to(device).eval(), spec)


def untrained_probe(spec: DatasetSpec, seed: int) -> Probe:
    """A probe whose initial weights are drawn from ``seed``; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "probe weights"))
        return Probe(_Network(spec.channels, len(spec.classes)).eval(), spec)


def train_probe(
    train: LabelledImages,
    *,
    seed: int,
    workplace: Workplace,
    steps: int = STEPS,
    batch: int = BATCH,
    progress: Progress = silent,
) -> Probe:
    """A classifier of these pictures; AdamW, ``steps`` batches of ``batch``."""
    device = workplace.device
    network = untrained_probe(train.spec, seed).network.train().to(device).to(memory_format=torch.channels_last)
    descent = Descent(network.parameters(), OptimizerSettings("adamw", 2e-3, 1e-2, (0.9, 0.99), warmup=50), steps=steps)
    images, labels = to_tensor(train.images, device), torch.from_numpy(np.array(train.labels)).to(device)
    order = BatchOrder(len(train), batch, derive_seed(seed, "probe order"))

    def step(number: int) -> dict[str, Tensor]:
        batch = order(number).to(device)
        loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
        descent.step(loss, number)
        return {"cross-entropy": loss}

    run_steps(
        step,
        steps=steps,
        seed=seed,
        state={"network": network, "descent": descent},
        progress=progress,
        folder=workplace.folder / "probe",
        note="training the probe",
    )
    return Probe(network.eval(), train.spec)
