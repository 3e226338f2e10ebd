"""How gradients flow back through the layers, read from the norms that the training noted.

A gradient is a product over the layers that it has come through, so that it shrinks or grows with each of them: towards
the first layers it vanishes or explodes (S. Hochreiter, diploma thesis, 1991; Y. Bengio, P. Simard and P. Frasconi,
"Learning long-term dependencies with gradient descent is difficult", IEEE Transactions on Neural Networks 5, 1994).
Over the steps it explodes where they are too large for the loss to settle (R. Pascanu, T. Mikolov and Y. Bengio, "On
the difficulty of training recurrent neural networks", ICML 2013); that it fades over the steps is what learning ends
with, and tells nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

#: How many times the first layers' gradients may be the last ones', or the other way round.
_STEADY = 1e3
#: How many times the gradients at the end may be those at the start.
_GROWN = 100.0
#: The share of steps whose gradients may be beyond all numbers.
_BROKEN = 0.05
_LEAST = 1e-30
_FEWEST_LINES = 8


@dataclass(frozen=True)
class Gradients:
    """How gradients flow.

    Attributes:
        layers: the layers that own matrices or kernels, from the input on.
        unreached: those of them that no gradient ever reached.
        ratio: how many times the larger end's gradients are the smaller end's; 1 with fewer than two layers.
        towards_input: what gradients do from the last layers to the first.
        grown: how many times the whole gradient is at the end what it was at the start; None with too few notes.
        broken: the share of noted steps at which a gradient was not finite; 0 with too few notes.
    """

    layers: tuple[str, ...]
    unreached: tuple[str, ...]
    ratio: float
    towards_input: Literal["", "vanishing", "exploding"]
    grown: float | None
    broken: float

    @property
    def wild(self) -> bool:
        """Whether they explode over the steps."""
        return self.broken > _BROKEN or (self.grown is not None and self.grown > _GROWN)


def read_gradients(history: Sequence[Mapping[str, Any]]) -> Gradients | None:
    """The norms by layer over the noted steps, compared; None where none were noted."""
    lines = [line["gradient_norms"] for line in history if line.get("gradient_norms")]
    if not lines:
        return None
    names = tuple(lines[0])
    norms = np.asarray([[_number(line.get(name)) for name in names] for line in lines])  # (lines, layers)
    reached = np.asarray([bool(np.any(column[np.isfinite(column)])) for column in norms.T])
    middle = np.asarray([_middle(column) for column in norms.T[reached]])
    third = max(1, len(middle) // 3)
    ends = (float(np.median(middle[:third])), float(np.median(middle[-third:]))) if len(middle) > 1 else (1.0, 1.0)
    ratio = max(ends[0], _LEAST) / max(ends[1], _LEAST)
    trend: Literal["", "vanishing", "exploding"] = ""
    if not 1 / _STEADY <= ratio <= _STEADY:
        trend = "vanishing" if ratio < 1 else "exploding"
    several = len(lines) > 1  # a branch that starts at zero lets no gradient through at the first step
    unreached = tuple(name for name, met in zip(names, reached, strict=True) if several and not met)
    broken = float(np.mean(~np.isfinite(norms).all(axis=1))) if len(lines) >= _FEWEST_LINES else 0.0
    return Gradients(names, unreached, max(ratio, 1 / ratio), trend, _grown(norms), broken)


def _number(value: Any) -> float:
    """A norm that was not finite is noted as null."""
    return math.nan if value is None else float(value)


def _middle(column: np.ndarray[Any, Any]) -> float:
    return float(np.median(column[np.isfinite(column)]))


def _grown(norms: np.ndarray[Any, Any]) -> float | None:
    """The median of the whole gradient's norm over the last quarter of the notes beside that over the first."""
    whole = np.sqrt((norms**2).sum(axis=1))
    quarter = len(whole) // 4
    if len(whole) < _FEWEST_LINES:
        return None
    first, last = (part[np.isfinite(part)] for part in (whole[:quarter], whole[-quarter:]))
    if not len(first) or not len(last) or not np.median(first):
        return None
    return float(np.median(last) / np.median(first))
