"""Batch normalisation over the batches of several processes, as if they were one.

PyTorch's `SyncBatchNorm` is for GPUs alone; this is for any device and any layer that calls `batch_norm`. Each process
tells the others the mean, the sum of squared deviations and the count of each channel; they are put together as T. F.
Chan, G. H. Golub and R. J. LeVeque do ("Algorithms for computing the sample variance", 1983), which loses no digits.

Shapes: C channels, R processes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional


def shared_batch_norm(
    x: Tensor,
    mean: Tensor | None,
    variance: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float,
    eps: float,
) -> Tensor:
    """As `torch.nn.functional.batch_norm` while training, over all processes; called by all of them at once.

    Args:
        x: (B, C, ...).
        mean: (C,) the running mean, moved in place; None for none.
        variance: (C,) the running variance, likewise.
        weight: (C,) or None.
        bias: (C,) or None.
        momentum: how far the running values move.
        eps: added to the variance.
    """
    with torch.no_grad():
        batch_mean, batch_variance, count = _together(x.detach())
        if mean is not None and variance is not None:
            mean.lerp_(batch_mean.to(mean.dtype), momentum)
            variance.lerp_((batch_variance * (count / (count - 1).clamp(min=1))).to(variance.dtype), momentum)
    normal: Tensor = _Normalised.apply(x, batch_mean, batch_variance, count, eps)
    shape = [1, -1, *[1] * (x.dim() - 2)]
    if weight is not None:
        normal = normal * weight.view(shape)
    return normal if bias is None else normal + bias.view(shape)


def _together(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (C,), variance (C,) and count () over all processes, in double precision on a CPU."""
    size, rank, channels = distributed.get_world_size(), distributed.get_rank(), x.shape[1]
    kind = torch.float64 if x.device.type == "cpu" else torch.float32
    values = x.transpose(0, 1).flatten(1).float()
    own_variance, own_mean = torch.var_mean(values, dim=1, correction=0)
    known = torch.zeros(size, 2 * channels + 1, dtype=kind, device=x.device)
    known[rank] = torch.cat([own_mean.to(kind), own_variance.to(kind), own_mean.new_tensor([values.shape[1]]).to(kind)])
    distributed.all_reduce(known)
    means, variances, counts = known[:, :channels], known[:, channels:-1], known[:, -1:]
    count = counts.sum()
    mean = (counts * means).sum(0) / count
    variance = (counts * (variances + (means - mean) ** 2)).sum(0) / count
    return mean, variance, count


class _Normalised(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, mean: Tensor, variance: Tensor, count: Tensor, eps: float) -> Tensor:
        mean, variance = mean.to(x.dtype), variance.to(x.dtype)
        context.save_for_backward(x, mean, (variance + eps).rsqrt(), count)
        return functional.batch_norm(x, mean, variance, None, None, False, 0.0, eps)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        x, mean, scale, count = context.saved_tensors
        shape = [1, -1, *[1] * (x.dim() - 2)]
        other = [place for place in range(x.dim()) if place != 1]
        normal = (x - mean.view(shape)) * scale.view(shape)
        sums = torch.stack([gradient.sum(other), (gradient * normal).sum(other)])
        distributed.all_reduce(sums)
        first, second = (sums / count.to(sums.dtype)).unbind(0)
        return (gradient - first.view(shape) - normal * second.view(shape)) * scale.view(shape), None, None, None, None
