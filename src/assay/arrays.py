"""Small functions of arrays that answers need wherever they come from: a network of torch or an export.

Shapes: B windows, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def array_of(values: Any) -> Array:
    """A tensor or an array as an array; floats of a tensor become float32."""
    if not isinstance(values, np.ndarray) and hasattr(values, "detach"):
        values = (values.float() if values.dtype.is_floating_point and values.dtype.itemsize < 4 else values).detach()
        values = values.cpu().numpy()
    return np.asarray(values)


def softmax(logits: Array, axis: int = -1) -> Array:
    """Shares that sum to one along an axis."""
    raised = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return np.asarray(raised / raised.sum(axis=axis, keepdims=True))


def log_softmax(logits: Array, axis: int = -1) -> Array:
    """Their logarithms."""
    shifted = logits - logits.max(axis=axis, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True)))


def sigmoid(logits: Array) -> Array:
    """From 0 to 1, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))


def largest(values: Array, count: int) -> Array:
    """(K,) the places of the K largest of (N,) values, the largest first; all of them where there are fewer."""
    if len(values) > count:
        some = np.argpartition(-values, count - 1)[:count]
        return np.asarray(some[np.argsort(-values[some], kind="stable")])
    return np.argsort(-values, kind="stable")
