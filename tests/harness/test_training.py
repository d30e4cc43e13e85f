"""The shared loop: schedule, batches, resuming to the same bits, divergence, averaging."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cvbench.contracts import silent
from cvbench.errors import TrainingDiverged
from cvbench.training import (
    BatchOrder,
    Descent,
    Ema,
    OptimizerSettings,
    autocast,
    learning_rate_factor,
    run_steps,
    to_tensor,
)


@given(st.integers(1, 500), st.integers(0, 100), st.floats(0, 1))
def test_the_schedule_warms_up_then_falls_to_its_floor(steps, warmup, floor):
    factors = [learning_rate_factor(k, steps, warmup=warmup, floor=floor) for k in range(steps)]
    assert all(0 < f <= 1 or f == pytest.approx(floor) for f in factors)
    rising, falling = factors[:warmup], factors[warmup:]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    if steps > warmup + 1:
        assert factors[warmup] == pytest.approx(1)
        assert factors[-1] == pytest.approx(floor)


@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 2**62))
def test_batches_are_whole_permutations_and_do_not_depend_on_history(count, batch, seed):
    order = BatchOrder(count, batch, seed)
    stream = torch.cat([order(k) for k in range(-(-3 * count // batch))])
    for epoch in range(3):
        assert sorted(stream[epoch * count : (epoch + 1) * count].tolist()) == list(range(count))
    assert torch.equal(BatchOrder(count, batch, seed)(2), order(2))


class Toy:
    """A regression with random inputs: any change of state or random numbers shows in its weights."""

    def __init__(self, *, ema: bool = True) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
        self.ema = Ema(self.net, 0.9)
        settings = OptimizerSettings("adamw", 1e-2, 1e-2, warmup=2, floor=0.1, clip_norm=1.0)
        self.descent = Descent(self.net.parameters(), settings, steps=20)

    def step(self, number: int) -> dict[str, torch.Tensor]:
        x = torch.randn(8, 3)
        loss = (self.net(x) - x.sum(1, keepdim=True)).square().mean()
        self.descent.step(loss, number)
        self.ema.update(self.net, number)
        return {"loss": loss}

    def run(self, folder, progress=silent) -> None:
        state = {"net": self.net, "ema": self.ema, "descent": self.descent}
        run_steps(self.step, steps=20, seed=5, state=state, progress=progress, folder=folder)

    def bits(self) -> list[bytes]:
        modules = (self.net, self.ema.module)
        return [t.numpy().tobytes() for module in modules for t in module.state_dict().values()]


@pytest.mark.parametrize("killed_at", [1, 7, 13, 20])
def test_a_killed_run_continues_to_the_same_bits(tmp_path, monkeypatch, killed_at):
    whole = Toy()
    whole.run(tmp_path / "whole")
    monkeypatch.setattr("cvbench.training.CHECKPOINT_SECONDS", -1.0)

    def kill(done: int, total: int, note: str = "") -> None:
        if done == killed_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Toy().run(tmp_path / "killed", kill)
    seen = []
    continued = Toy()
    continued.run(tmp_path / "killed", lambda done, total, note="": seen.append(done))
    assert continued.bits() == whole.bits()
    assert seen[0] == killed_at


def test_random_numbers_of_a_step_do_not_depend_on_what_came_before(tmp_path):
    one, other = Toy(), Toy()
    one.run(tmp_path / "a")
    torch.randn(1000)
    other.run(tmp_path / "b")
    assert one.bits() == other.bits()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_with_its_name_and_step(tmp_path, value):
    def step(number: int) -> dict[str, torch.Tensor]:
        return {"fine": torch.tensor(1.0), "the loss": torch.tensor(value if number >= 5 else 1.0)}

    with pytest.raises(TrainingDiverged, match=r"the loss became (nan|inf) by step 21 of 30; try a lower"):
        run_steps(step, steps=30, seed=0, state={}, progress=silent, folder=tmp_path)


def test_the_average_lies_between_and_copies_buffers():
    net = nn.BatchNorm1d(2)
    ema = Ema(net, 0.99)
    with torch.no_grad():
        net.weight.fill_(11.0)
        net.running_mean.fill_(3.0)
    ema.update(net, 0)
    assert torch.allclose(ema.module.weight, torch.full((2,), 10.0))
    assert torch.equal(ema.module.running_mean, net.running_mean)
    assert not ema.module.training


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_every_optimizer_descends(name):
    torch.manual_seed(0)
    net = nn.Linear(4, 1)
    descent = Descent(net.parameters(), OptimizerSettings(name, 0.05, betas=(0.9, 0.99)), steps=100)
    x = torch.randn(64, 4)
    for step in range(100):
        loss = (net(x) - x.sum(1, keepdim=True)).square().mean()
        descent.step(loss, step)
    assert loss < 0.2


def test_autocast_says_what_precision_says():
    x = torch.randn(2, 2)
    with autocast("cpu", "bf16"):
        assert (x @ x).dtype == torch.bfloat16
    with autocast("cpu", "fp32"):
        assert (x @ x).dtype == torch.float32


def test_pictures_become_channels_last_tensors():
    import numpy as np

    images = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    tensor = to_tensor(images, "cpu")
    assert tensor.shape == (2, 3, 3, 4)
    assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert tensor[1, 2, 0, 3] == images[1, 0, 3, 2]
