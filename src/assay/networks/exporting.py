"""What networks do otherwise while they are exported: a graph has no branch that depends on values."""

from __future__ import annotations

import torch
from torch import Tensor


def exporting() -> bool:
    """Whether the network is being written as a graph."""
    return bool(torch.onnx.is_in_onnx_export())


def all_true(mask: Tensor | None) -> bool:
    """Whether nothing is masked, so that the mask can be left out; never in a graph, which has to take any."""
    return mask is None or (not exporting() and bool(mask.all()))


def inverse(matrix: Tensor) -> Tensor:
    """Inverses of small symmetric positive definite matrices (..., K, K), in operations that graphs know.

    Gauss-Jordan elimination, which needs no pivots for such matrices.
    """
    if not exporting():
        inverted: Tensor = torch.linalg.inv(matrix)
        return inverted
    size = matrix.shape[-1]
    rows = torch.cat([matrix, torch.eye(size, dtype=matrix.dtype).expand(matrix.shape)], dim=-1)
    for place in range(size):
        pivot = rows[..., place : place + 1, :] / rows[..., place : place + 1, place : place + 1]
        chosen = torch.eye(size, dtype=matrix.dtype)[place][:, None]
        rows = (rows - rows[..., :, place : place + 1] * pivot) * (1 - chosen) + pivot * chosen
    return rows[..., size:]
