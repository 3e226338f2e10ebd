"""Depthwise convolutions whose gradients in bfloat16 are as quick on a CPU as their forward pass.

oneDNN, by which PyTorch multiplies on a CPU, has quick kernels in bfloat16 for the forward pass of every depthwise
convolution, for the gradient of weights of 3 x 3, and for that of the input at a stride of 1; the other gradients take
10 to 100 times as long, and more of a training step than everything else together. Both can be written in terms of the
quick ones, exactly:

- the gradient of larger weights, block by block of 3 x 3, each that of a 3 x 3 convolution of the shifted input;
- the gradient of the input at a stride s, as a convolution of the output's gradient, spread out with s - 1 zeros
  between its values, with the turned weights (Dumoulin & Visin 2016, section 4).

Measured figures stand in `docs/log.md`.

Shapes: B pictures, C channels, H and W of the input, P and Q of the output in pixels, K x K weights.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

#: The side of the weights whose gradient is quick.
_QUICK = 3


def quicken(model: nn.Module) -> None:
    """Let a model's depthwise convolutions take the quick way where it pays; weights and answers stay the same."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and not isinstance(module, _Quick) and _fits(module):
            module.__class__ = _quick(type(module))


def _fits(module: nn.Conv2d) -> bool:
    """Whether one of its gradients is slow, and of a form that `_Depthwise` knows."""
    high, wide = module.kernel_size
    step, other = module.stride
    plain = module.groups == module.in_channels == module.out_channels > 1 and module.dilation == (1, 1)
    square = high == wide and step == other and not isinstance(module.padding, str)
    if not plain or not square or module.padding_mode != "zeros" or module.padding[0] != module.padding[1]:
        return False
    return high >= _QUICK and module.padding[0] < high and (high > _QUICK or step > 1)


class _Quick(nn.Conv2d):
    """Mixed into the class of a convolution by `quicken`."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, P, Q)."""
        if not _learns_bfloat16(x, self.weight):
            return super().forward(x)
        x = self._padded(x).bfloat16()
        found: Tensor = _Depthwise.apply(x, self.weight.bfloat16(), self.stride[0], int(self.padding[0]))
        return found if self.bias is None else found + self.bias.bfloat16()[:, None, None]

    def _padded(self, x: Tensor) -> Tensor:
        return x


class _QuickSame(_Quick):
    """The same for timm's convolutions that pad their input by themselves, as TensorFlow does."""

    def _padded(self, x: Tensor) -> Tensor:
        from timm.layers import pad_same

        return pad_same(x, list(self.kernel_size), list(self.stride))


@cache
def _quick(kind: type) -> type:
    pads = any(base.__name__ == "Conv2dSame" for base in kind.__mro__)
    return type(kind.__name__, (_QuickSame if pads else _Quick, kind), {"__module__": kind.__module__})


def _learns_bfloat16(x: Tensor, weight: Tensor) -> bool:
    """Whether this is a step of a training on a CPU whose products are in bfloat16."""
    learns = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    if not learns or x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return False
    return torch.get_autocast_dtype("cpu") == torch.bfloat16


class _Depthwise(torch.autograd.Function):
    """(B, C, H, W) and weights (C, 1, K, K), a stride and a padding, to (B, C, P, Q)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        """See the class."""
        ctx.save_for_backward(x, weight)
        ctx.size = stride, padding
        return functional.conv2d(x, weight, None, stride, padding, 1, len(weight))

    @staticmethod
    @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """See the module."""
        x, weight = ctx.saved_tensors
        gradient = gradient.to(x.dtype).contiguous(memory_format=torch.channels_last)
        of_x = input_gradient(gradient, x, weight, *ctx.size) if ctx.needs_input_grad[0] else None
        of_weight = weight_gradient(gradient, x, weight, *ctx.size) if ctx.needs_input_grad[1] else None
        return of_x, of_weight, None, None


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
        return _asked(gradient, x, weight, stride, padding, 0)
    (batch, channels, height, width), side = x.shape, weight.shape[2]
    high, wide = (length + 2 * padding - side + 1 for length in (height, width))
    spread = gradient.new_zeros(batch, high, wide, channels).permute(0, 3, 1, 2)
    spread[:, :, ::stride, ::stride] = gradient
    return functional.conv2d(spread, weight.flip(2, 3), None, 1, side - 1 - padding, 1, channels)


def weight_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """(C, 1, K, K) the gradient of a depthwise convolution's weights; see `input_gradient`."""
    side = weight.shape[2]
    if side == _QUICK:
        return _asked(gradient, x, weight, stride, padding, 1)
    found = torch.empty_like(weight)
    starts = [*range(0, side - _QUICK, _QUICK), side - _QUICK]
    block = weight[:, :, :_QUICK, :_QUICK].contiguous()
    for row in starts:
        top, bottom = _margins(x.shape[2], gradient.shape[2], row - padding, stride)
        for column in starts:
            left, right = _margins(x.shape[3], gradient.shape[3], column - padding, stride)
            shifted = functional.pad(x, (left, right, top, bottom))
            part = _asked(gradient, shifted, block, stride, 0, 1)
            found[:, :, row : row + _QUICK, column : column + _QUICK] = part
    return found


def _margins(length: int, outputs: int, first: int, stride: int) -> tuple[int, int]:
    """Zeros before and after (fewer than none: what is cut) where 3-wide weights begin at `first` of the input."""
    return -first, first + (outputs - 1) * stride + _QUICK - length


def _asked(gradient: Tensor, x: Tensor, weight: Tensor, stride: int, padding: int, which: int) -> Tensor:
    """PyTorch's gradient of the input (0) or of the weights (1)."""
    size = ([stride, stride], [padding, padding], [1, 1], False, [0, 0], len(weight))
    mask = [which == 0, which == 1, False]
    found: Tensor = torch.ops.aten.convolution_backward(gradient, x, weight, None, *size, mask)[which]
    return found
