"""Leaving out residual branches while training."""

from __future__ import annotations

import torch
from torch import Tensor


def skipped_branch(branch: Tensor, skipped: float, training: bool) -> Tensor:
    """A residual branch (B, ...), zero for a share of the samples at a training step, larger by as much for the others.

    Source: G. Huang et al., "Deep networks with stochastic depth", ECCV 2016.
    """
    if not training or not skipped:
        return branch
    kept = torch.rand(len(branch), *[1] * (branch.dim() - 1), device=branch.device) >= skipped
    return branch * (kept / (1 - skipped))
