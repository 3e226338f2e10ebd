"""What a network that finds cells is to learn: a peak at each middle, its class, and where cells lie.

Shapes: B pictures, P places for cells, C classes, h and w places of the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from assay.networks.cell_network import CellMaps

#: The width of a peak as a share of its cell's radius, in pixels at least, and at most.
_PEAK, _LEAST_PEAK, _MOST_PEAK = 0.4, 1.5, 8.0
#: What the terms count beside that of the middles.
_KIND, _INSIDE, _DEPTH = 1.0, 2.0, 2.0
#: Tiles that go through the network together where nothing is learned.
_AT_ONCE = 4


def cell_losses(
    maps: CellMaps, cells: Tensor, depth: Tensor | None, valid: Tensor, size: float, density: float, smoothing: float,
    ignored: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """(B,) the loss of each picture.

    Args:
        maps: what the network says.
        cells: (B, P, 4) x, y, class (-1: not known, and left out of the classes' loss; -2: no cell), radius or 0.
        depth: (B, H, W) uint8, see `samples.cell_tiles.depth_map`; None where outlines are not known.
        valid: (B, H, W) bool; the rest counts for nothing.
        size: the radius of a usual cell in pixels, where a cell's own is not known.
        density: cells on a pixel in the mean, by which sums become comparable.
        smoothing: of the classes.
        ignored: (B, H, W) bool, where nobody could tell what is a cell: a place that sees any of it counts for nothing;
            None for nowhere.
    """
    stride = maps.stride
    height, width = maps.middle.shape[1:]
    asked = valid[:, ::stride, ::stride][:, :height, :width].float()
    if ignored is not None:
        seen = functional.max_pool2d(ignored[:, None].float(), stride, ceil_mode=True)[:, 0]
        asked = asked * (1 - seen[:, :height, :width])
    expected = max(density * valid.shape[1] * valid.shape[2], 1.0)
    wanted = peaks(cells, height, width, stride, size)
    loss = (_focal(maps.middle, wanted) * asked).sum(dim=(1, 2)) / expected
    if maps.kind is not None:
        loss = loss + _KIND * _kind_losses(maps.kind, cells, stride, smoothing) / expected
    if maps.inside is not None and maps.depth is not None and depth is not None:
        loss = loss + _outline_losses(maps, depth, asked)
    return loss


def in_parts(losses: Callable[..., Tensor], *values: Tensor | None) -> Tensor:
    """(B,) what a function gives for each of B tiles; where no gradient is asked for a few at once, for they are large.

    Args:
        losses: takes as many arguments as there are values, and gives (b,) of b tiles.
        values: (B, ...) each, or None; the first is no None.
    """
    count = 0 if values[0] is None else len(values[0])
    if torch.is_grad_enabled() or count <= _AT_ONCE:
        return losses(*values)
    starts = range(0, count, _AT_ONCE)
    return torch.cat(
        [losses(*(None if one is None else one[start : start + _AT_ONCE] for one in values)) for start in starts]
    )


def peaks(cells: Tensor, height: int, width: int, stride: int, size: float) -> Tensor:
    """(B, height, width) from 0 to 1: a Gaussian around the middle of each cell, the largest where several meet."""
    batch, place = torch.nonzero(cells[..., 2] > -2, as_tuple=True)
    x, y, _, radius = cells[batch, place].unbind(1)
    spread = (_PEAK * torch.where(radius > 0, radius, torch.full_like(radius, size))).clamp(_LEAST_PEAK, _MOST_PEAK)
    largest = float(spread.max()) if len(spread) else _LEAST_PEAK
    reach = math.ceil(3 * largest / stride)
    offsets = torch.arange(-reach, reach + 1)
    middle_x, middle_y = (x - (stride - 1) / 2) / stride, (y - (stride - 1) / 2) / stride
    column = middle_x.round().long()[:, None, None] + offsets[None, None, :]
    row = middle_y.round().long()[:, None, None] + offsets[None, :, None]
    squares = (column - middle_x[:, None, None]) ** 2 + (row - middle_y[:, None, None]) ** 2
    value = torch.exp(-squares * stride**2 / (2 * spread[:, None, None] ** 2))
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    place = (batch[:, None, None] * height + row) * width + column
    found = torch.zeros(len(cells) * height * width)
    found.scatter_reduce_(0, place[inside], value[inside], "amax")
    return found.view(len(cells), height, width)


def _focal(logits: Tensor, wanted: Tensor) -> Tensor:
    """The quality focal loss of Li et al. (2020): cross-entropy, weighted by the square of the error."""
    error = (logits.sigmoid() - wanted) ** 2
    return functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * error


def _kind_losses(kind: Tensor, cells: Tensor, stride: int, smoothing: float) -> Tensor:
    """(B,) the sum of the cross-entropies of the cells whose class is known."""
    height, width = kind.shape[2:]
    known = cells[..., 2] >= 0
    middle = ((cells[..., :2] - (stride - 1) / 2) / stride).round().long()
    column, row = middle[..., 0].clamp(0, width - 1), middle[..., 1].clamp(0, height - 1)
    batch = torch.arange(len(cells))[:, None]
    logits = kind[batch, :, row, column]
    label = cells[..., 2].long().clamp(min=0)
    losses = functional.cross_entropy(
        logits.flatten(0, 1), label.flatten(), reduction="none", label_smoothing=smoothing
    )
    return (losses.view(label.shape) * known).sum(dim=1)


def _outline_losses(maps: CellMaps, depth: Tensor, asked: Tensor) -> Tensor:
    """(B,) of what is cell (cross-entropy and Dice) and of how deep in it."""
    stride, (height, width) = maps.stride, maps.middle.shape[1:]
    whole = depth.float()[:, None] / 255
    small = functional.avg_pool2d(whole, stride, ceil_mode=True)[:, 0] if stride > 1 else whole[:, 0]
    share = (
        functional.avg_pool2d((whole > 0).float(), stride, ceil_mode=True)[:, 0]
        if stride > 1
        else (whole[:, 0] > 0).float()
    )
    small, share = small[:, :height, :width], share[:, :height, :width]
    count = asked.sum(dim=(1, 2)).clamp(min=1)
    if maps.inside is None or maps.depth is None:
        raise ValueError("the network has no outlines")
    crossed = functional.binary_cross_entropy_with_logits(maps.inside, share, reduction="none")
    predicted = maps.inside.sigmoid() * asked
    shared = 2 * (predicted * share).sum(dim=(1, 2)) + 1
    dice = 1 - shared / (predicted.sum(dim=(1, 2)) + (share * asked).sum(dim=(1, 2)) + 1)
    off = (maps.depth.sigmoid() - small).abs() * asked * (0.2 + share)
    return _INSIDE * ((crossed * asked).sum(dim=(1, 2)) / count + dice) + _DEPTH * off.sum(dim=(1, 2)) / count
