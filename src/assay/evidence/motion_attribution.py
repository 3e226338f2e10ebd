"""Which sensor moved a track, and when: how far the track moves away where the sensor says nothing.

Source: M. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014 (occlusion).

Shapes: B drives, R sensors, S stretches of the grid of `assay.samples.route_places`.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.samples.route_places import lengths_of, masked_drives, moved_away, rows_of, stretches

if TYPE_CHECKING:
    from assay.serving.predictor import Answering

Array = np.ndarray[Any, Any]


def explain_tracks(predictor: Answering, batch: Any) -> Array:
    """(B, R, S) metres, in the mean over the track, that it moves without each place; NaN where a drive has none."""
    import torch

    spec = predictor.spec
    count = len(rows_of(spec))
    lengths = lengths_of(batch)
    columns = [stretches(length, spec) for length in lengths]
    found = np.full((len(lengths), count, max(columns, default=0)), np.nan)
    for row, (length, size) in enumerate(zip(lengths, columns, strict=True)):
        if not length:
            continue
        kept = torch.ones(1 + count * size, count * size, dtype=torch.bool)
        kept[1:].fill_diagonal_(False)
        copies = _copies(batch, row, length, len(kept))
        outputs = predictor.respond(masked_drives(copies, kept.view(-1, count, size), spec))
        whole = [outputs[0]] * (len(outputs) - 1)
        found[row, :, :size] = moved_away(list(outputs[1:]), whole).reshape(count, size)
    return found


def _copies(batch: Any, row: int, length: int, count: int) -> Any:
    """A drive of a batch, without its padding, so many times."""
    import torch

    long = ("sensors", "present", "fixes", "moved", "clean")
    values: dict[str, Any] = {}
    for item in fields(batch):
        value = getattr(batch, item.name)
        if isinstance(value, torch.Tensor):
            one = value[row : row + 1]
            one = one[:, :length] if item.name in (*long, "mask") else one
            values[item.name] = one.expand(count, *one.shape[1:])
    return replace(batch, **values)
