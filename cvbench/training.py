"""The one training loop that in-house models and generators share. Built from parts that a reader can hold:

``learning_rate_factor`` (a pure function), :class:`BatchOrder` (which pictures a step sees),
:class:`Descent` (one optimizer's step), :class:`Ema`, and :func:`run_steps` (the loop).

Step *k* is a pure function of the state before it, the seed and *k*: its batch and its random numbers are
derived, never carried. That is why a run killed at any moment and continued ends at the same bits.
"""

from __future__ import annotations

import copy
import json
import math
import pickle
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cvbench.contracts import Precision, Progress
from cvbench.durable import replacing
from cvbench.errors import NotApplicable, TrainingDiverged
from cvbench.samples import UInt8Array
from cvbench.seeds import derive_seed

CHECKPOINT_SECONDS = 20.0
MOST_AT_ONCE, PIXELS_AT_ONCE = 500, 500 * 64 * 64  # pictures and pixels of a batch that is only looked at
LOOK_EVERY = 20  # steps between looks at the losses: each look waits for the device


Curves = dict[str, list[tuple[int, float]]]  # loss → (steps done, its value) every LOOK_EVERY steps
CURVES = "curves.json"  # what ``cvbench show curves`` looks for in a saved sampler


class Stateful(Protocol):
    """Anything with torch's state_dict pair."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Any) -> Any: ...


# --------------------------------------------------------------------------- numbers on the device


def device_has_bf16(device: str) -> bool:
    """Whether bf16 arithmetic is native there (on a CPU: AVX-512 BF16 or AMX), so that it saves time."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def autocast(device: str, precision: Precision) -> AbstractContextManager[Any]:
    """Autocast for a budget's precision; ``auto`` is bf16 where the device has it, else fp32."""
    if precision == "auto":
        precision = "bf16" if device_has_bf16(device) else "fp32"
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.float32)
    return torch.autocast(torch.device(device).type, dtype=dtype, enabled=precision != "fp32")


def to_tensor(images: UInt8Array, device: str) -> Tensor:
    """uint8 (N, H, W, C) → uint8 (N, C, H, W), channels_last; on a CPU the same bytes, not a copy."""
    array = np.require(images, requirements=["C", "W"])
    return torch.from_numpy(array).permute(0, 3, 1, 2).to(device)


def to_tensors(images: UInt8Array, device: str) -> Iterator[Tensor]:
    """As :func:`to_tensor`, in batches that a network can look at without learning: memory bounds their pixels."""
    height, width = images.shape[1:3]
    size = max(1, min(MOST_AT_ONCE, PIXELS_AT_ONCE // (height * width)))
    for start in range(0, len(images), size):
        yield to_tensor(images[start : start + size], device)


# ------------------------------------------------------------------- several processes, one training


def rank_and_world() -> tuple[int, int]:
    """This process's rank and how many share the training (under torchrun); 0 of 1 otherwise."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def data_parallel(network: nn.Module) -> nn.Module:
    """The network as a training step calls it: gradients are averaged where several processes share it."""
    if rank_and_world()[1] == 1:
        return network
    return nn.parallel.DistributedDataParallel(network)


def refuse_to_share(what: str) -> None:
    """Raise :class:`NotApplicable` where several processes share this training: its gradients are not averaged."""
    if rank_and_world()[1] > 1:
        raise NotApplicable(f"{what} is trained by one process: leave --processes-per-cell at 1")


# ------------------------------------------------------------------------------------ the schedule


def learning_rate_factor(step: int, steps: int, *, warmup: int = 0, floor: float = 0.0) -> float:
    """Linear warm-up to 1 over ``warmup`` steps, then a half cosine to ``floor`` at the last step."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    travelled = (step - warmup) / max(1, steps - 1 - warmup)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, travelled)))


class BatchOrder:
    """Which of ``count`` items step *k* sees: an endless row of seeded permutations, cut into batches.

    ``order(k)`` depends on the seed and *k* alone. A batch larger than the data spans permutations. Where
    several processes share a training, each gets its part of the same batch.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        if count < 1:
            raise ValueError("no items to draw batches from")
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self._epoch, self._permutation = -1, torch.empty(0, dtype=torch.long)

    def __call__(self, step: int) -> Tensor:
        """int64 (batch_size,) indices of the step's items; this process's part of them, if it has partners."""
        start, parts, missing = step * self.batch_size, [], self.batch_size
        while missing:
            epoch, offset = divmod(start, self.count)
            part = self._of(epoch)[offset : offset + missing]
            parts.append(part)
            start, missing = start + len(part), missing - len(part)
        rank, world = rank_and_world()
        return torch.cat(parts)[rank::world]

    def _of(self, epoch: int) -> Tensor:
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(derive_seed(self.seed, "epoch", epoch))
            self._epoch, self._permutation = epoch, torch.randperm(self.count, generator=generator)
        return self._permutation


# ------------------------------------------------------------------------------- one optimizer's step


@dataclass(frozen=True)
class OptimizerSettings:
    """How one optimizer descends.

    ``betas`` are Adam's; SGD uses the first as Nesterov momentum, RMSprop as momentum and the second as smoothing.
    """

    name: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 0
    floor: float = 0.0
    clip_norm: float | None = None


class Descent:
    """An optimizer with its schedule, gradient clipping and, for fp16, loss scaling."""

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        settings: OptimizerSettings,
        *,
        steps: int,
        device: str = "cpu",
        precision: Precision = "fp32",
    ) -> None:
        self.settings, self.steps = settings, steps
        self.parameters = list(parameters)
        rate, decay = settings.learning_rate, settings.weight_decay
        self.optimizer: torch.optim.Optimizer
        momentum, smoothing = settings.betas
        if settings.name == "sgd":
            self.optimizer = torch.optim.SGD(
                self.parameters, rate, momentum=momentum, weight_decay=decay, nesterov=momentum > 0
            )
        elif settings.name == "rmsprop":
            self.optimizer = torch.optim.RMSprop(
                self.parameters, rate, alpha=smoothing, momentum=momentum, weight_decay=decay
            )
        else:
            family = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
            self.optimizer = family(self.parameters, rate, betas=settings.betas, weight_decay=decay)
        self.scaler = torch.amp.GradScaler(torch.device(device).type, enabled=precision == "fp16")

    def step(self, loss: Tensor, step: int) -> None:
        """Backward, clip, and one optimizer step at the schedule's rate for ``step``."""
        settings = self.settings
        factor = learning_rate_factor(step, self.steps, warmup=settings.warmup, floor=settings.floor)
        for group in self.optimizer.param_groups:
            group["lr"] = settings.learning_rate * factor
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        if settings.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.parameters, settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's and the loss scaler's."""
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self.scaler.load_state_dict(state_dict["scaler"])


class Ema:
    """An exponential moving average of a module's weights; buffers are copied.

    The decay warms up as min(decay, (step + 1) / (step + 10)), so that the start is forgotten.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.module = decay, copy.deepcopy(module).requires_grad_(False).eval()

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after ``step``."""
        weight = 1 - min(self.decay, (step + 1) / (step + 10))
        averaged: list[Tensor] = list(self.module.parameters())
        current: list[Tensor] = list(module.parameters())
        torch._foreach_lerp_(averaged, current, weight)
        for ours, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            ours.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """The averaged module's."""
        return self.module.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.module.load_state_dict(state_dict)


# ------------------------------------------------------------------------------- weights in a file


def save_weights(network: nn.Module, file: Path) -> None:
    """Its parameters and buffers as safetensors, from whatever device and in whatever memory format they are."""
    save_file({name: tensor.contiguous().cpu() for name, tensor in network.state_dict().items()}, file)


def load_weights(network: nn.Module, file: Path) -> None:
    """The inverse of :func:`save_weights`: the network stays on its device."""
    network.load_state_dict(load_file(file))


# ---------------------------------------------------------------------------------------- the loop


def run_steps(
    body: Callable[[int], Mapping[str, Tensor]],
    *,
    steps: int,
    seed: int,
    state: Mapping[str, Stateful],
    progress: Progress,
    folder: Path,
    note: str = "training",
) -> Curves:
    """Call ``body(step)`` for every step that is not done yet; it returns the step's losses by name.

    Gives their curves, those from before a kill included.

    ``state`` is everything that the body changes; it is written to ``folder`` every
    ``CHECKPOINT_SECONDS`` and read back if a checkpoint is there.
    Raises :class:`TrainingDiverged` when a loss is NaN or infinite.
    """
    (start, curves), (rank, _) = _continue_from(folder, state), rank_and_world()
    own = (rank,) if rank else ()  # partners draw their own augmentation; rank 0 draws what it would alone
    saved = time.monotonic()
    for step in range(start, steps):
        _seed_generators(derive_seed(seed, "step", step, *own))
        losses = body(step)
        if step % LOOK_EVERY == 0 or step == steps - 1:
            _stop_if_not_finite(losses, step, steps)
            for name, loss in losses.items():
                curves.setdefault(name, []).append((step + 1, loss.detach().float().mean().item()))
        progress(step + 1, steps, note)
        if rank == 0 and time.monotonic() - saved > CHECKPOINT_SECONDS:
            _save_checkpoint(folder, state, step + 1, curves)
            saved = time.monotonic()
    return curves


def _seed_generators(seed: int) -> None:
    """As ``torch.manual_seed``, which writes down the whole call stack for every device that is not there: 1 ms."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)


def _stop_if_not_finite(losses: Mapping[str, Tensor], step: int, steps: int) -> None:
    for name, loss in losses.items():
        if not bool(torch.isfinite(loss).all()):
            raise TrainingDiverged(
                f"{name} became {loss.detach().float().mean().item()} by step {step + 1} of {steps}; "
                "try a lower learning rate or precision: fp32"
            )


def save_curves(curves: Curves, folder: Path) -> None:
    """Keep them beside a saved sampler."""
    (folder / CURVES).write_text(json.dumps(curves))


def load_curves(folder: Path) -> Curves:
    """What :func:`save_curves` wrote there."""
    curves: Curves = json.loads((folder / CURVES).read_text())
    return curves


def _save_checkpoint(folder: Path, state: Mapping[str, Stateful], done: int, curves: Curves) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    parts = {name: part.state_dict() for name, part in state.items()}
    with replacing(folder / "checkpoint.pt") as file:
        torch.save({"done": done, "state": parts, "curves": curves}, file)


def _continue_from(folder: Path, state: Mapping[str, Stateful]) -> tuple[int, Curves]:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0, {}
    try:
        checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError):
        return 0, {}  # a damaged one would fail every retry: the training starts again instead
    for name, part in state.items():
        part.load_state_dict(checkpoint["state"][name])
    return int(checkpoint["done"]), checkpoint.get("curves", {})
