"""What in a picture spoke for cells that were found in it, and how much of the surest is left when it changes.

Shapes: B pictures, T a tile's side, U units.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evidence.attribution import integrated_gradients
from assay.samples.cell_spec import CellSpec
from assay.samples.cell_tiles import Tile

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.evaluation.metrics import Values

Array = np.ndarray[Any, Any]
#: Points on the way from a picture without structure, and the noise at each as a share of the pixels' deviation.
_STEPS, _NOISE, _AT_ONCE = 4, 0.2, 4


def explain_cells(
    network: nn.Module | None, image: Tensor, place: Tensor, spec: CellSpec, only: int | None = None
) -> Array:
    """(B, T, T) how much each pixel weighed in the logits of the cells that were found, of each or of one.

    Smoothed integrated gradients from the mean colour. Pixels between cells that speak for none are near zero.

    Args:
        network: a `CellNetwork`; None where a model without gradients answered, which is an error.
        image: (B, 3, T, T) pixel values.
        place: (B, 10) where each tile lies.
        spec: the sample spec.
        only: the number of the one cell of each tile to explain, the surest being 0; None for all of them.
    """
    import torch

    if network is None:
        raise SettingError("only a network's cells can be explained", "Explain them without --baseline.")
    network.eval()
    mean, deviation = (torch.tensor(values).view(1, -1, 1, 1) for values in (spec.mean, spec.deviation))
    parts = []
    for pixels, places in zip(image.float().split(_AT_ONCE), place.split(_AT_ONCE), strict=True):
        weight = _peaks(network, pixels, places, spec, only)

        def score(other: Tensor, weight: Tensor = weight) -> Tensor:
            maps = network.maps(other)  # type: ignore[operator]
            total: Tensor = (maps.middle * weight).sum(dim=(1, 2))
            return total

        with _one_view(network):
            parts.append(integrated_gradients(score, pixels, mean, _STEPS, _NOISE * deviation).sum(dim=1))
    return torch.cat(parts).double().numpy()


@contextmanager
def _one_view(network: Any) -> Iterator[None]:
    """Where a network averages several views of a picture, the first alone: gradients of the others are much alike."""
    body = getattr(network, "body", network)
    views = getattr(body, "views", 1)
    if views > 1:
        body.views = 1
    try:
        yield
    finally:
        if views > 1:
            body.views = views


def _peaks(network: Any, image: Tensor, place: Tensor, spec: CellSpec, only: int | None) -> Tensor:
    """(B, h, w) float: 1 where a cell's middle was found; where none was, at the likeliest place."""
    import torch

    from assay.networks.cell_decoding import Deciding, tile_cells

    with torch.no_grad():
        maps = network.maps(image)
        found = tile_cells(network, image, place, spec, Deciding.of({}, network))
    weight = torch.zeros_like(maps.middle)
    height, width = weight.shape[1:]
    for row, cells in enumerate(found):
        tile = Tile.of(place[row].tolist())
        kept = cells if only is None else cells.only(np.arange(len(cells)) == only)
        if not len(kept):
            weight[row].view(-1)[int(maps.middle[row].argmax())] = 1.0
            continue
        column, line = (np.clip(np.rint((at - first - (maps.stride - 1) / 2) / maps.stride).astype(int), 0, most - 1)
                        for at, first, most in ((kept.x, tile.left, width), (kept.y, tile.top, height)))  # fmt: skip
        weight[row, line, column] = 1.0
    return weight


def surest_left(outputs: Values, answered: Values, radius: float) -> Array:
    """(U,) the probability of the surest cell of each answer where it is still found within `radius` pixels, else 0."""
    found = []
    for output, answer in zip(outputs, answered, strict=True):
        away = np.hypot(*(output.places - answer.places[:1]).T) if len(answer) else np.zeros(0)
        near = output.probability[: len(away)][away <= radius]
        found.append(float(near.max(initial=0.0)))
    return np.asarray(found)
