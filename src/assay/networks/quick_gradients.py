"""Gradients of depthwise convolutions that are as quick in bfloat16 on a CPU as the forward pass.

oneDNN, by which PyTorch multiplies on a CPU, has quick kernels in bfloat16 for the forward pass of every depthwise
convolution, for the gradient of weights of 3 x 3, and for that of the input at a stride of 1; the other gradients take
10 to 100 times as long, and more of a training step than everything else together. Both can be written in terms of the
quick ones, exactly:

- the gradient of larger weights, block by block of 3 x 3, each that of a 3 x 3 convolution of the shifted input;
- the gradient of the input at a stride s, as a convolution of the output's gradient, spread out with s - 1 zeros
  between its values, with the turned weights (Dumoulin & Visin 2016, section 4).

Shapes: B pictures, C channels, H and W of the input, P and Q of the output in pixels, K x K weights.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

#: The side of the weights whose gradient is quick.
_QUICK = 3


def gains(side: int, stride: int, padding: int) -> bool:
    """Whether a gradient is slow, and of a form that `Depthwise` knows."""
    return padding < side >= _QUICK and (side > _QUICK or stride > 1)


class Depthwise(torch.autograd.Function):
    """(B, C, H, W), weights (C, 1, K, K), a bias (C,) or none, a stride and a padding, to (B, C, P, Q)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
        """See the class."""
        ctx.save_for_backward(x, weight)
        ctx.size = stride, padding
        return functional.conv2d(x, weight, bias, stride, padding, 1, len(weight))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        """See the module."""
        x, weight = ctx.saved_tensors
        gradient = gradient.to(x.dtype).contiguous(memory_format=torch.channels_last)
        asked = ctx.needs_input_grad
        of_x = input_gradient(gradient, x, weight, *ctx.size) if asked[0] else None
        of_weight, of_bias = weight_gradient(gradient, x, weight, *ctx.size) if asked[1] else (None, None)
        if asked[2] and of_bias is None:
            of_bias = gradient.sum(dim=(0, 2, 3))
        return of_x, of_weight, of_bias if asked[2] else None, None, None


def input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """(B, C, H, W) the gradient of a depthwise convolution's input.

    Args:
        gradient: (B, C, P, Q) of its output.
        x: (B, C, H, W) its input.
        weight: (C, 1, K, K).
        stride: of both directions.
        padding: zeros on each side.
    """
    if stride == 1:
        found: Tensor = _asked(gradient, x, weight, stride, padding, (True, False, False))[0]
        return found
    (batch, channels, height, width), side = x.shape, weight.shape[2]
    high, wide = (length + 2 * padding - side + 1 for length in (height, width))
    spread = gradient.new_zeros(batch, high, wide, channels).permute(0, 3, 1, 2)
    spread[:, :, ::stride, ::stride] = gradient
    return functional.conv2d(spread, weight.flip(2, 3), None, 1, side - 1 - padding, 1, channels)


def weight_gradient(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int
) -> tuple[Tensor, Tensor | None]:
    """(C, 1, K, K) and (C,) the gradients of a depthwise convolution's weights and bias; see `input_gradient`."""
    side = weight.shape[2]
    if side == _QUICK:
        return _asked(gradient, x, weight, stride, padding, (False, True, True))[1:]
    found, bias = torch.empty_like(weight), None
    # What the weights cover, and of it for each block what a block covers.
    high, wide = ((outputs - 1) * stride + side for outputs in gradient.shape[2:])
    beyond = (wide - padding - x.shape[3], high - padding - x.shape[2])
    covered = functional.pad(x, (padding, beyond[0], padding, beyond[1]))
    starts = [*range(0, side - _QUICK, _QUICK), side - _QUICK]
    block = weight[:, :, :_QUICK, :_QUICK].contiguous()
    for row in starts:
        rows = covered[:, :, row : row + high - side + _QUICK]
        for column in starts:
            seen = rows[..., column : column + wide - side + _QUICK]
            _, part, summed = _asked(gradient, seen, block, stride, 0, (False, True, bias is None))
            found[:, :, row : row + _QUICK, column : column + _QUICK] = part
            bias = summed if bias is None else bias
    return found, bias


def _asked(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, which: tuple[bool, bool, bool]
) -> tuple[Any, ...]:
    """PyTorch's gradients of input, weights and bias, those that are asked for."""
    channels = len(weight)
    size = ([stride, stride], [padding, padding], [1, 1], False, [0, 0], channels)
    found: tuple[Any, ...] = torch.ops.aten.convolution_backward(gradient, x, weight, [channels], *size, which)
    return found
