"""Masks as COCO writes them: run lengths column by column, as a text (`pycocotools.mask`, "counts").

Each run length is a number of 5-bit digits, the lowest first, in characters from "0" on; from the third run on, the
difference from the run two before stands in its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from assay.errors import DataError

Array = np.ndarray[Any, Any]


def encode_rle(mask: Array) -> str:
    """The counts of a mask (H, W) of bool.

    >>> encode_rle(np.asarray([[False, True], [True, True]]))
    '13'
    """
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]]) if flat.size else np.zeros(0, np.int64)
    lengths = np.diff(np.r_[edges, flat.size]).tolist()
    if flat.size and flat[0]:
        lengths.insert(0, 0)
    return "".join(_digits(length - lengths[place - 2] if place > 2 else length)
                   for place, length in enumerate(lengths))  # fmt: skip


def _digits(number: int) -> str:
    found = []
    more = True
    while more:
        digit = number & 0x1F
        number >>= 5
        more = number != -1 if digit & 0x10 else number != 0
        found.append(chr((digit | 0x20 if more else digit) + 48))
    return "".join(found)


def decode_rle(counts: str, height: int, width: int) -> Array:
    """(H, W) bool out of counts; raises `DataError` where they do not fill the mask."""
    lengths: list[int] = []
    number = shift = 0
    for sign in counts:
        digit = ord(sign) - 48
        if not 0 <= digit < 64:
            raise DataError(f"a run length holds {sign!r}, which stands for no number", "Export the annotations again.")
        number |= (digit & 0x1F) << shift
        shift += 5
        if digit & 0x20:
            continue
        if digit & 0x10:
            number -= 1 << shift
        lengths.append(number + lengths[-2] if len(lengths) > 2 else number)
        number = shift = 0
    if sum(lengths) != height * width or min(lengths, default=0) < 0:
        raise DataError(
            f"run lengths of {sum(lengths)} pixels do not fill a mask of {width} x {height}",
            "Export the annotations again.",
        )
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.asarray(flat.reshape((height, width), order="F"))
