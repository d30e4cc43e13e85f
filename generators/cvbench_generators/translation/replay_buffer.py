"""The earlier fakes that CycleGAN's discriminators judge (Shrivastava et al., arXiv 1612.07828, section 2.3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

REPLAYED = 50  # fakes that a buffer holds


class ReplayBuffer:
    """Earlier fakes: once it is full, half of what D sees comes from here. State: a continued fit finds them again."""

    def __init__(self, shape: tuple[int, int, int], device: str) -> None:
        self.pictures, self.held = torch.zeros(REPLAYED, *shape, device=device), 0

    def exchange(self, fakes: Tensor) -> Tensor:
        """(n, C, H, W) new fakes → as many to judge: new ones, or held ones whose place a new one takes."""
        given = []
        for fake in fakes:
            if self.held < REPLAYED:
                self.pictures[self.held] = fake
                self.held += 1
                given.append(fake)
            elif torch.rand(()) < 0.5:
                place = int(torch.randint(REPLAYED, ()))
                given.append(self.pictures[place].clone())
                self.pictures[place] = fake
            else:
                given.append(fake)
        return torch.stack(given)

    def state_dict(self) -> dict[str, Any]:
        """The fakes and how many they are."""
        return {"pictures": self.pictures, "held": self.held}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        self.pictures.copy_(state_dict["pictures"])
        self.held = state_dict["held"]
