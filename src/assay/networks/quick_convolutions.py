"""Convolutions of a network of somebody else's, trained in less time: the same weights, answers and gradients.

Normalisation that keeps its statistics is a factor and a shift of each channel. In training both go into the weights
of the convolution before it (Jacob et al. 2018, section 3.2), which spares a pass over the map forward and another
backward; the gradients of factor and shift come through the weights. Evaluation computes what it always did.

Depthwise convolutions in bfloat16 take their gradients from `quick_gradients`.

Measured figures stand in `docs/log.md`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from assay.networks.quick_gradients import Depthwise, gains

#: The side of the image on which it is seen which normalisation follows which convolution.
_PROBE = 64
#: How far outputs with and without may lie apart, as a share of the largest; float32 alone gives about 1e-6.
_SAME = 1e-3


def quicken(model: nn.Module, channels: int, kept: bool) -> None:
    """Let a model's convolutions take the quick way where there is one.

    Args:
        model: takes images (B, channels, H, W) and gives a tensor or several.
        channels: of an image.
        kept: its batch normalisation keeps its statistics in training.
    """
    for module in list(model.modules()):
        if isinstance(module, nn.Conv2d) and not isinstance(module, QuickConv) and not isinstance(module.padding, str):
            kind: Any = type(module)
            module.__class__ = _quick(kind)
    if kept:
        _fold(model, channels)


class QuickConv(nn.Conv2d):
    """Mixed into the class of a convolution by `quicken`.

    Attributes:
        norm: what normalises its output and nothing else, or none; in a tuple, so that it is no part of it.
    """

    norm: tuple[Any, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, P, Q)."""
        folded = self.folds
        depthwise = _learns_bfloat16(x, self.weight) and self._depthwise
        if not folded and not depthwise:
            return super().forward(x)
        weight, bias = _folded(self) if folded else (self.weight, self.bias)
        x = self._padded(x)
        if not depthwise:
            return functional.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        bias = None if bias is None else bias.bfloat16()
        found: Tensor = Depthwise.apply(x.bfloat16(), weight.bfloat16(), bias, self.stride[0], int(self.padding[0]))
        return found

    @property
    def folds(self) -> bool:
        """Whether this is a training whose normalisation keeps its statistics."""
        return bool(self.norm) and self.training and not self.norm[0].training

    @property
    def _depthwise(self) -> bool:
        plain = self.groups == self.in_channels == self.out_channels > 1 and self.dilation == (1, 1)
        square = len({*self.kernel_size}) == len({*self.stride}) == len({*self.padding}) == 1
        if not plain or not square or self.padding_mode != "zeros":
            return False
        return gains(self.kernel_size[0], self.stride[0], int(self.padding[0]))

    def _padded(self, x: Tensor) -> Tensor:
        return x


class _PaddingConv(QuickConv):
    """The same for timm's convolutions that pad their input by themselves, as TensorFlow does."""

    def _padded(self, x: Tensor) -> Tensor:
        from timm.layers.padding import pad_same

        padded: Tensor = pad_same(x, list(self.kernel_size), list(self.stride), list(self.dilation))
        return padded


class _FoldedNorm(nn.BatchNorm2d):
    """Mixed into the class of a normalisation that a convolution takes over."""

    convolution: tuple[Any, ...] = ()

    def forward(self, input: Tensor) -> Tensor:
        """(B, D, P, Q) to the same shape; with what else the class does, in timm's activation."""
        if not self.convolution[0].folds:
            return super().forward(input)
        for name in ("drop", "act"):
            input = getattr(self, name, _same)(input)
        return input


def _same(x: Tensor) -> Tensor:
    return x


@cache
def _quick(kind: Any) -> Any:
    pads = any(base.__name__ == "Conv2dSame" for base in kind.__mro__)
    return type(kind.__name__, (_PaddingConv if pads else QuickConv, kind), {"__module__": kind.__module__})


@cache
def _folding(kind: Any) -> Any:
    return type(kind.__name__, (_FoldedNorm, kind), {"__module__": kind.__module__})


def _learns_bfloat16(x: Tensor, weight: Tensor) -> bool:
    """Whether this is a step of a training on a CPU whose products are in bfloat16."""
    learns = torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)
    if not learns or x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
        return False
    return torch.get_autocast_dtype("cpu") == torch.bfloat16


def _folded(convolution: QuickConv) -> tuple[Tensor, Tensor]:
    """Weights and bias (D,) of a convolution with its normalisation in them."""
    norm = convolution.norm[0]
    factor = (norm.running_var + norm.eps).rsqrt()
    factor = factor if norm.weight is None else factor * norm.weight
    shift = -norm.running_mean if convolution.bias is None else convolution.bias - norm.running_mean
    shift = shift * factor if norm.bias is None else shift * factor + norm.bias
    return convolution.weight * factor[:, None, None, None], shift


@torch.no_grad()
def _fold(model: nn.Module, channels: int) -> None:
    """Find which normalisation follows which convolution, by running the model, and prove that folding it is right."""
    image = torch.randn(1, channels, _PROBE, _PROBE, generator=torch.Generator().manual_seed(0))
    with _evaluating(model):
        try:
            pairs, plain = _pairs(model, image)
        except (RuntimeError, ValueError, AssertionError):
            return  # it wants images of another size
        for convolution, norm in pairs:
            convolution.norm, norm.convolution = (norm,), (convolution,)
            kind: Any = type(norm)
            norm.__class__ = _folding(kind)
            convolution.training = True
        found = _tensors(model(image))
    if all(_alike(one, other) for one, other in zip(found, plain, strict=True)):
        return
    for convolution, _ in pairs:
        convolution.norm = ()


def _pairs(model: nn.Module, image: Tensor) -> tuple[list[tuple[QuickConv, Any]], list[Tensor]]:
    """Convolutions whose very output a normalisation takes, and the model's outputs."""
    made: dict[int, tuple[QuickConv, Tensor]] = {}
    pairs: list[tuple[QuickConv, Any]] = []

    def note(module: Any, given: tuple[Any, ...], output: Tensor) -> None:
        made[id(output)] = (module, output)  # kept, so that no other tensor takes its number

    def pair(module: Any, given: tuple[Any, ...]) -> None:
        if id(given[0]) in made:
            pairs.append((made[id(given[0])][0], module))

    modules = list(model.modules())
    hooks = [module.register_forward_hook(note) for module in modules if isinstance(module, QuickConv)]
    hooks += [module.register_forward_pre_hook(pair) for module in modules if _keeps(module)]
    try:
        outputs = _tensors(model(image))
    finally:
        for hook in hooks:
            hook.remove()
    uses = Counter(id(module) for couple in pairs for module in couple)
    return [couple for couple in pairs if all(uses[id(module)] == 1 for module in couple)], outputs


def _keeps(module: nn.Module) -> bool:
    return isinstance(module, nn.BatchNorm2d) and module.running_mean is not None


def _tensors(outputs: Tensor | Sequence[Tensor]) -> list[Tensor]:
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)


def _alike(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= _SAME * other.abs().max())


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Within it all is as in evaluation; then as it was."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
