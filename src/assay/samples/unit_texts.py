"""The text of each unit, as baselines and the findings about text read it: whole, whatever the windows of a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import DataError
from assay.samples.samples import View

if TYPE_CHECKING:
    from assay.sources.records import Records
    from assay.task import Batch

Array = np.ndarray[Any, Any]
_WINDOWS_AT_ONCE = 1024


def unit_bytes(view: View, name: str = "text") -> list[bytes]:
    """The bytes of a ragged uint8 field of each unit of a view, in its order.

    A unit of several windows holds its whole text in the first and nothing in the others, so that joining them in their
    order gives the text.

    Args:
        view: some units; where it changes its batches, what comes out is the changed text.
        name: of the field.
    """
    return [b"".join(values) for values in window_bytes(view, name)]


def window_bytes(view: View, name: str) -> list[list[bytes]]:
    """As `unit_bytes`, the bytes of each of a unit's windows by themselves."""
    lengths = np.bincount(view.samples.unit, minlength=len(view.samples.side))[view.units]
    pieces = _pieces(view, name)
    return [[next(pieces) for _ in range(count)] for count in lengths.tolist()]


def unit_texts(view: View, name: str = "text") -> list[str]:
    """As `unit_bytes`, decoded as UTF-8; what is no UTF-8, such as after a change of bytes, becomes U+FFFD."""
    return [text.decode("utf-8", errors="replace") for text in unit_bytes(view, name)]


def _pieces(view: View, name: str) -> Iterator[bytes]:
    """The bytes of each window, in the view's order."""
    if view._change is not None:  # the cache holds what was there before the change
        for batch in view.batches(_WINDOWS_AT_ONCE):
            yield from _rows(batch, name)
        return
    for start in range(0, len(view.windows), _WINDOWS_AT_ONCE):
        for value in view.samples.field(name, view.windows[start : start + _WINDOWS_AT_ONCE]):
            yield np.asarray(value, np.uint8).tobytes()


def _rows(batch: Batch, name: str) -> Iterator[bytes]:
    """The bytes of each window of a batch, without what padding added."""
    own = f"{name}_mask"
    mask = getattr(batch, own if own in {item.name for item in fields(batch)} else "mask")
    for row, real in zip(getattr(batch, name).numpy(), mask.numpy(), strict=True):
        yield np.asarray(row[real], np.uint8).tobytes()


def training_texts(records: Records, train: np.ndarray[Any, Any], column: str, most: int) -> list[str]:
    """At most `most` training texts of some records, evenly spread.

    Args:
        records: all samples.
        train: (rows,) bool, the rows of the training side.
        column: of text.
        most: how many are wanted at most.

    Raises:
        DataError: there are none.
    """
    chosen = np.flatnonzero(train)
    chosen = chosen[:: max(1, -(-len(chosen) // most))]
    texts: list[str] = []
    first = 0
    for batch in records.batches():
        low, high = np.searchsorted(chosen, [first, first + batch.num_rows])
        texts += [text for text in batch.column(column).take(chosen[low:high] - first).to_pylist() if text]
        first += batch.num_rows
    if not texts:
        raise DataError("no training text is left", "See the problems that assay inspect lists.")
    return texts
