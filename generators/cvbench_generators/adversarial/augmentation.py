"""Differentiable augmentation (Zhao et al., arXiv 2006.10738): what lets a discriminator live on few pictures.

The discriminator sees real pictures and fakes only after a random shift and a cutout that gradients pass through,
so that it cannot learn the few real ones by heart and the generator does not learn the augmentation.

Milder than the paper's. Shifts of up to an eighth of the side, as there, but the edge is repeated where the paper pads
with zeros; a cutout of at most a third of the side in half of the pictures, where it has half of the side in all;
no change of colour. A real picture and its fake partner are augmented alike; there, each on its own.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def augmented(pair: Tensor) -> Tensor:
    """(2, n, C, H, W) → the same, each picture and its partner shifted and partly blanked alike."""
    n, _, high, wide = pair.shape[1:]
    device, reach = pair.device, max(1, min(high, wide) // 8)
    padded = pad(pair.flatten(0, 1), (reach, reach, reach, reach), mode="replicate").view(
        2, n, -1, high + 2 * reach, wide + 2 * reach
    )
    down, right = torch.randint(0, 2 * reach + 1, (2, n, 1, 1), device=device)
    rows = (torch.arange(high, device=device)[None, :, None] + down).expand(n, high, wide)
    columns = (torch.arange(wide, device=device)[None, None, :] + right).expand(n, high, wide)
    which = torch.arange(n, device=device)[:, None, None]
    shifted = padded.permute(1, 3, 4, 0, 2)[which, rows, columns].permute(3, 0, 4, 1, 2)
    top, left = torch.rand(2, n, 1, 1, device=device) * torch.tensor([high, wide], device=device).view(2, 1, 1, 1)
    y, x = torch.arange(high, device=device)[None, :, None], torch.arange(wide, device=device)[None, None, :]
    inside = ((y - top).abs() < high / 6) & ((x - left).abs() < wide / 6)
    blank = inside & (torch.rand(n, 1, 1, device=device) < 0.5)
    return torch.where(blank[None, :, None], torch.zeros((), device=device), shifted)
