"""Feature extractors by name and hash: what the metrics see of a picture. Numbers of two extractors never compare.

``task``: the penultimate layer of a probe trained on the real train split. ``random``: the same network untrained;
even that tells sets apart where no trained one fits (Naeem et al., arXiv 2002.09797, section 4.3). ``pixel``: the
pixels. ``inception``: the network of FID and KID as published, through torch-fidelity.
"""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from cvbench.errors import DataError, UserError, near_names
from cvbench.fidelity.probe import Probe, untrained_probe, weights_hash
from cvbench.samples import DatasetSpec, UInt8Array
from cvbench.seeds import derive_seed
from cvbench.training import to_tensor, to_tensors

NAMES = ("task", "random", "pixel", "inception")
MOST_PIXEL_SIDE = 32  # larger pictures are averaged down to this before their pixels are compared
INCEPTION_BATCH = 50
INCEPTION_MODULE = "torch_fidelity.feature_extractor_inceptionv3"

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Extractor:
    """``features`` takes uint8 pictures (N, H, W, C) and gives float32 (N, D); ``hash`` is over name and weights."""

    name: str
    hash: str
    features: Callable[[UInt8Array], Float32Array]


def make_extractor(
    name: str, *, spec: DatasetSpec, probe: Probe | None = None, weights: Path | None = None, device: str = "cpu"
) -> Extractor:
    """An extractor for pictures of ``spec`` by one of ``NAMES``; ``task`` needs a probe, ``weights`` are Inception's.

    Raises :class:`UserError` for an unknown name, :class:`DataError` when the network does not take such pictures
    or cannot be had.
    """
    if name not in NAMES:
        raise UserError(f"no feature extractor {name!r}", hint=near_names(name, NAMES))
    if weights is not None and name != "inception":
        raise UserError(f"the extractor {name!r} takes no weights file", hint="only `inception` does")
    if name == "inception":
        return inception_extractor(weights, device)
    if name == "pixel":
        return pixel_extractor()
    if name == "random":
        return random_extractor(spec, device)
    if probe is None:
        raise DataError("needs a probe trained on the real train split", where="task")
    return task_extractor(probe, spec)


def task_extractor(probe: Probe, spec: DatasetSpec) -> Extractor:
    """The probe's penultimate layer. Raises :class:`DataError` when it was trained on other channels."""
    trained_on = probe.spec.channels
    if trained_on != spec.channels:
        words = {1: "grey", 3: "RGB"}
        raise DataError(
            f"{words[spec.channels]} pictures, but the probe was trained on {words[trained_on]} ones", where=spec.name
        )
    return Extractor("task", weights_hash("task", probe.network), probe.features)


def random_extractor(spec: DatasetSpec, device: str = "cpu") -> Extractor:
    """The probe's network with He-normal weights (arXiv 1502.01852) of one seed for all data."""
    network = untrained_probe(spec, derive_seed(0, "random extractor"))
    drawn = torch.Generator().manual_seed(derive_seed(0, "random features"))
    for layer in network.network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=drawn)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    network.network.to(device)
    return Extractor("random", weights_hash("random", network.network), network.features)


def pixel_extractor() -> Extractor:
    """Brightness in [0, 1], pictures of more than ``MOST_PIXEL_SIDE`` pixels a side averaged down."""

    def features(images: UInt8Array) -> Float32Array:
        _, height, width, channels = images.shape
        side = (min(height, MOST_PIXEL_SIDE), min(width, MOST_PIXEL_SIDE))
        found = [torch.zeros(0, side[0] * side[1] * channels)]
        for batch in to_tensors(images, "cpu"):
            found.append(nn.functional.adaptive_avg_pool2d(batch.float().div(255), side).flatten(1))
        return torch.cat(found).numpy()

    return Extractor("pixel", weights_hash(f"pixel {MOST_PIXEL_SIDE}"), features)


# -------------------------------------------------------------------------------------- inception


def inception_extractor(weights: Path | None, device: str = "cpu") -> Extractor:
    """InceptionV3's pool3 with the weights of FID; grey pictures are repeated to RGB, as the field does.

    Raises :class:`DataError` as :func:`inception_weights` does, and for weights of another network.
    """
    file, published = inception_weights(weights), _published()
    try:
        network = published.FeatureExtractorInceptionV3("inception", ["2048"], str(file)).to(device)
    except torch.OutOfMemoryError:  # which is a RuntimeError, too
        raise
    except (RuntimeError, TypeError, AttributeError):  # other tensors, or none of them under names
        raise DataError(
            "not the weights of FID's InceptionV3", where=str(file), hint=f"take {published.URL_INCEPTION_V3}"
        ) from None

    def features(images: UInt8Array) -> Float32Array:
        found = [np.zeros((0, 2048), np.float32)]
        with torch.inference_mode():
            for start in range(0, len(images), INCEPTION_BATCH):
                batch = to_tensor(images[start : start + INCEPTION_BATCH], device)
                colour = batch.expand(-1, 3, -1, -1) if batch.shape[1] == 1 else batch
                found.append(network(colour)[0].float().cpu().numpy())
        return np.concatenate(found)

    return Extractor("inception", weights_hash("inception", network), features)


def inception_weights(given: Path | None = None) -> Path:
    """The file of the weights of FID, downloaded where none is given. Worth asking for before other work.

    Raises :class:`DataError` saying what is needed when torch-fidelity is not installed, or the weights are neither
    given, nor downloaded before, nor to be downloaded.
    """
    published = _published()
    file = given or _downloaded(published.URL_INCEPTION_V3)
    _check_weights(file)
    return file


def _published() -> Any:
    try:
        return importlib.import_module(INCEPTION_MODULE)
    except ImportError:
        raise DataError(
            "needs torch-fidelity, which is not installed", where="inception", hint="pip install torch-fidelity"
        ) from None


def _downloaded(address: str) -> Path:
    """The weights in torch's cache, fetched and held against the checksum in their name if they are not there."""
    file = Path(torch.hub.get_dir()) / "checkpoints" / address.rpartition("/")[2]
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(address, str(file), file.stem.rpartition("-")[2], progress=False)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"its weights cannot be downloaded ({' '.join(str(error).split())[:120]})",
                where="inception",
                hint=f"fetch {address} where there is a network, and put it at {file} or give it as --weights",
            ) from None
    return file


def _check_weights(file: Path) -> None:
    """Only tensors may be in the file: torch-fidelity would unpickle anything."""
    try:
        torch.load(file, weights_only=True, map_location="cpu")  # no mmap: the published file is of torch's old format
    except FileNotFoundError:
        raise DataError("there is no such file", where=str(file)) from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise DataError(f"not a file of weights ({type(error).__name__})", where=str(file)) from None
