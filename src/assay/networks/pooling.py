"""One vector for a text out of its tokens' vectors.

Shapes: B texts, T tokens, W channels.
"""

from __future__ import annotations

from torch import Tensor


def mean_of(x: Tensor, mask: Tensor | None) -> Tensor:
    """(B, T, W) to (B, W): the mean over a text's real tokens, whose mask is (B, T); zeros where it has none."""
    if mask is None:
        return x.mean(dim=1)
    real = mask.to(x.dtype)[:, :, None]
    return (x * real).sum(dim=1) / real.sum(dim=1).clamp_min(1)
