"""The steps of a trained `KeywordNet` without what only training needs: its norms are part of its products.

A listener asks for a window twenty times a second. Most of what that costs in the network's modules is their number.

Shapes: as in `keyword_net`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import conv2d, silu

if TYPE_CHECKING:
    from assay.networks.keyword_net import Block, KeywordNet, RangeNorm


@dataclass(frozen=True, eq=False)
class FoldedBlock:
    """A `Block`: weight and bias of each of its products."""

    same: bool
    widen: tuple[Tensor, Tensor] | None
    along: tuple[Tensor, Tensor]
    over: tuple[Tensor, Tensor]
    apart: int
    mix: Tensor


@dataclass(frozen=True, eq=False)
class Folded:
    """A `KeywordNet`, as long as its weights are those that it was made of."""

    made_of: tuple[Tensor, ...]
    versions: tuple[int, ...]
    stem: tuple[Tensor, Tensor]
    stride: tuple[int, int]
    blocks: tuple[FoldedBlock, ...]
    whole: Tensor
    mix: tuple[Tensor, Tensor]
    head: tuple[Tensor, Tensor]


def banded(bands: int, reduced: int) -> Tensor:
    """(3, M', M): a convolution of three along M bands, every `reduced`-th of which stays, as a sum of matrices."""
    taps = torch.zeros(3, bands // reduced, bands)
    for tap in range(3):
        for row in range(bands // reduced):
            column = row * reduced + tap - 1
            if 0 <= column < bands:
                taps[tap, row, column] = 1.0
    return taps


def fold(network: KeywordNet, known: Folded | None) -> Folded:
    """The steps of a network in evaluation; those that are known, where no weight has changed since."""
    if known is not None and known.versions == _versions(known.made_of):
        return known
    made_of = (*network.parameters(), *network.buffers())
    scale, shift = _affine(network.stem_norm)
    mixed, moved = _affine(network.mix_norm)
    return Folded(
        made_of,
        _versions(made_of),
        (network.stem.weight * scale[:, None, None, None], shift),
        (network.stem.stride[0], network.stem.stride[1]),
        tuple(_fold_block(block) for block in network.blocks),  # type: ignore[arg-type]
        network.whole.weight,
        (network.mix.weight[:, :, 0] * mixed[:, None], moved[:, None]),
        (network.head.weight, network.head.bias),
    )


def _versions(tensors: tuple[Tensor, ...]) -> tuple[int, ...]:
    """Where each lies and how often it was changed in place."""
    return tuple(number for one in tensors for number in (one.data_ptr(), one._version))


def judged(steps: Folded, energies: Tensor) -> Tensor:
    """Normalised log-energies (B, M, F) to logits (B, O)."""
    batch = len(energies)
    x = conv2d(energies[:, None], *steps.stem, stride=steps.stride, padding=2).relu_()
    frames = x.shape[3]
    x = x.permute(1, 2, 0, 3).reshape(x.shape[1], x.shape[2], batch * frames)
    for block in steps.blocks:
        x = _through(block, x, batch)
    channels, bands = x.shape[:2]
    # Each channel of the last convolution sees all bands at once: they are its inputs.
    flat = x.view(1, channels * bands, batch, frames)
    x = conv2d(flat, steps.whole.view(channels, bands, 1, -1), padding=(0, bands // 2), groups=channels)
    weight, bias = steps.mix
    x = torch.addmm(bias, weight, x.view(channels, -1)).relu_()
    return torch.nn.functional.linear(x.view(-1, batch, frames).mean(dim=2).T, *steps.head)


def _through(block: FoldedBlock, x: Tensor, batch: int) -> Tensor:
    wide = x
    if block.widen is not None:
        weight, bias = block.widen
        wide = torch.addmm(bias, weight, x.view(len(x), -1)).relu_().view(len(weight), *x.shape[1:])
    weight, bias = block.along
    along = torch.baddbmm(bias, weight, wide)
    over = silu(dilated(along.sum(dim=1).view(len(along), batch, -1), *block.over, block.apart), inplace=True)
    along += (block.mix @ over.view(len(along), -1))[:, None]
    if block.same:
        along += x
    return along.relu_()


def dilated(x: Tensor, weight: Tensor, bias: Tensor, apart: int) -> Tensor:
    """Each channel's frames (C, B, F) convolved by its own three weights (C, 3, 1, 1), plus its bias (C, 1, 1).

    A library's convolution brings its weights into another order at each call, which takes longer than this.
    """
    found = torch.addcmul(bias, x, weight[:, 1])
    if x.shape[2] > apart:
        found[:, :, apart:].addcmul_(x[:, :, :-apart], weight[:, 0])
        found[:, :, :-apart].addcmul_(x[:, :, apart:], weight[:, 2])
    return found


def _fold_block(block: Block) -> FoldedBlock:
    widen = None
    if not block.same:
        scale, shift = _affine(block.widen_norm)
        widen = (block.widen.weight[:, :, 0] * scale[:, None], shift[:, None])
    kernels = torch.tensordot(block.along.weight[:, 0], block.spread, 1)  # (C, M', M)
    channels, rows, _ = kernels.shape
    scale, shift = (_by_band(one, channels, rows) for one in _affine(block.along_norm))
    grown, moved = _affine(block.over_norm)
    # The mean over bands is a sum whose divisor is part of the weights.
    over = (block.over.weight[:, 0, 0, :, None, None] * (grown / rows)[:, None, None, None], moved[:, None, None])
    return FoldedBlock(block.same, widen, (kernels * scale, shift), over, block.over.dilation[1],
                       block.mix.weight[:, :, 0])  # fmt: skip


def _by_band(values: Tensor, channels: int, rows: int) -> Tensor:
    """(C * ranges,) to (C, M, 1)."""
    ranges = len(values) // channels
    return values.view(channels, ranges, 1).expand(channels, ranges, rows // ranges).reshape(channels, rows, 1)


def _affine(norm: RangeNorm) -> tuple[Tensor, Tensor]:
    """What the norm multiplies by and adds, (C * ranges,) each."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    scale = norm.weight / (variance + norm.eps).sqrt()
    return scale, norm.bias - mean * scale
