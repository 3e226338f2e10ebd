"""Dropout with cheap random numbers: on a CPU those of PyTorch's own take longer than the layer that they follow.

Source: N. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from assay.training.parts import Part


class Dropout(nn.Module):
    """Silences a share of the values at each training step, and makes the others larger by as much.

    A random number of eight bytes decides about eight values, so that the share is counted in 256ths.

    Args:
        share: from 0 to below 1.

    Raises:
        ValueError: it is not.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"dropout is a share from 0 to below 1, not {share:g}")
        self.p, self.silenced = share, min(255, round(256 * share))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        if not self.training or not self.silenced:
            return x
        part, count, first = Part.current(), x.numel(), 0
        if part is not None and x.dim() and count:
            rows, before = part.span(len(x))
            count, first = count // len(x) * rows, count // len(x) * before
        words = torch.empty((count + 7) // 8, dtype=torch.int64, device=x.device).random_(-(2**63), None)
        kept = words.view(torch.uint8)[first : first + x.numel()].view(x.shape) >= self.silenced
        return x * kept.to(x.dtype).mul_(256 / (256 - self.silenced))


def drop_tokens(vectors: Tensor, share: float) -> Tensor:
    """Vectors (B, T, W) of which a share of the tokens is zero; for a training step.

    Source: M. Iyyer et al., "Deep unordered composition rivals syntactic methods for text classification", ACL 2015.
    """
    if not share:
        return vectors
    return vectors * (torch.rand(vectors.shape[:2], device=vectors.device) >= share)[:, :, None]
