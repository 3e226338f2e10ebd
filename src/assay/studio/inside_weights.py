"""The weights of a network: the first layer's filters as pictures, and how large each layer's weights are."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.studio.inside_planes import encoded, plane, shrunk, tidy

if TYPE_CHECKING:
    from torch import nn

Array = np.ndarray[Any, Any]
_FILTERS, _SIDE = 64, 32
#: Of a matrix that is shown as a whole, such as word vectors.
_ROWS, _COLUMNS = 96, 192
_BINS = 41
#: Weights of a layer that a histogram looks at, evenly spread, as all of a large one take seconds.
_LOOKED_AT = 2_000_000


def weights_told(network: nn.Module, pictures: Collection[tuple[int, int, int]] = ()) -> dict[str, Any]:
    """Histograms of all layers that own matrices or kernels, and the filters of the first.

    Args:
        network: the network.
        pictures: the shapes (C, H, W) of pictures that it is known to take, so that a matrix over pixels is seen as
            pictures, too.
    """
    from assay.training.loop import layers_with_parameters

    layers, filters = [], None
    for name, owned in layers_with_parameters(network):
        values = np.concatenate([_thinned(one.detach().float().cpu().numpy()) for one in owned])
        layers.append({"name": name, "count": sum(one.numel() for one in owned), **_histogram(values)})
        if filters is None:
            kind = type(network.get_submodule("" if name == "network" else name)).__name__
            filters = {"name": name, "kind": kind, **filters_of(owned[0].detach().float().cpu().numpy(), pictures)}
    return {"layers": layers, "filters": filters}


def filters_of(weight: Array, pictures: Collection[tuple[int, int, int]] = ()) -> dict[str, Any]:
    """What the units of a layer look for, one picture each, or the matrix as a whole.

    Args:
        weight: (O, I, h, w), (O, I, k), or (O, I) of O units; (O, I, d, h, w), of which the middle slice is shown.
        pictures: see `weights_told`.
    """
    if weight.ndim == 2:
        fitting = next((shape for shape in pictures if int(np.prod(shape)) == weight.shape[1]), None)
        if fitting is None:
            return {"form": "matrix", "of": len(weight), "shape": list(weight.shape), **_signed([weight], matrix=True)}
        weight = weight.reshape(len(weight), *fitting)
    while weight.ndim > 4:
        weight = weight[:, :, weight.shape[2] // 2]
    shape, some = list(weight.shape), weight[:_FILTERS]
    if weight.ndim == 3:  # over bands or channels (I) and time (k)
        return {"form": "filters", "of": len(weight), "shape": shape, **_signed(list(some))}
    if weight.shape[1] == 3:
        return {"form": "colours", "of": len(weight), "shape": shape, "planes": [_coloured(one) for one in some]}
    return {"form": "filters", "of": len(weight), "shape": shape, **_signed(list(some.mean(axis=1)))}


def _signed(maps: list[Array], matrix: bool = False) -> dict[str, Any]:
    """Maps whose middle colour is zero, all on one scale."""
    most = (_ROWS, _COLUMNS) if matrix else (_SIDE, _SIDE)
    small = [shrunk(np.nan_to_num(one.astype(np.float64)), most) for one in maps]
    size = max((float(np.abs(one).max()) for one in small), default=0.0)
    return {"planes": [plane(one, -size, size, most) for one in small], "low": tidy(-size), "high": tidy(size)}


def _coloured(weight: Array) -> dict[str, Any]:
    """A filter (3, h, w) over red, green and blue; grey is zero, and each has a scale of its own."""
    small = np.stack([shrunk(np.nan_to_num(one.astype(np.float64)), (_SIDE, _SIDE)) for one in weight])
    size = float(np.abs(small).max()) or 1.0
    return {"rows": small.shape[1], "columns": small.shape[2], "cells": encoded((small / size + 1) / 2)}


def _thinned(values: Array) -> Array:
    flat = values.reshape(-1)
    return flat[:: max(1, len(flat) // _LOOKED_AT)]


def _histogram(values: Array) -> dict[str, Any]:
    """Counts between two ends as far on both sides of zero, beyond which one in a thousand lies."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {"bins": [], "end": None, "mean": None, "deviation": None}
    end = float(np.quantile(np.abs(known), 0.999)) or 1e-9
    counts, _ = np.histogram(np.clip(known, -end, end), _BINS, (-end, end))
    return {"bins": counts.tolist(), "end": tidy(end), "mean": tidy(float(known.mean())),
            "deviation": tidy(float(known.std()))}  # fmt: skip
