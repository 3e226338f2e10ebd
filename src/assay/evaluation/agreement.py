"""Whether two answers, as JSON, say the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def same_answer(one: Any, other: Any, tolerance: float) -> bool:
    """Equal in words, counts and whole numbers; numbers may differ by a share of themselves, or of one.

    Where one mapping has keys that the other lacks, their values have to be next to nothing: of many classes only the
    most probable are told.

    >>> same_answer({"label": "cat", "confidence": 0.9}, {"label": "cat", "confidence": 0.9001}, 1e-3)
    True
    >>> same_answer({"label": "cat"}, {"label": "dog"}, 1e-3)
    False
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(_same_under(one, other, key, tolerance) for key in {**one, **other})
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same_answer(*both, tolerance) for both in zip(one, other, strict=True))
    if _is_number(one) and _is_number(other) and float in (type(one), type(other)):
        allowed = tolerance * max(1.0, abs(one), abs(other))
        return bool(abs(one - other) <= allowed) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


def _same_under(one: Mapping[Any, Any], other: Mapping[Any, Any], key: Any, tolerance: float) -> bool:
    if key in one and key in other:
        return same_answer(one[key], other[key], tolerance)
    value = one.get(key, other.get(key))
    # The 20 classes that are told can differ by the last of them, whose share is small.
    return _is_number(value) and len(one) == len(other) and abs(value) <= max(tolerance, 1 / max(1, len(one)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
