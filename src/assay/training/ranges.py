"""Where a search looks for a hyper-parameter: declared in the field of its dataclass, beside its default.

    dropout: float = searched(0.1, SHARE)

`assay tune` searches what is declared so, of the network's settings and of the plan; what augmentations and other
settings of the plan can do is told by `Task.regularisation`. Loads nothing, so that every network can import it.
"""

from __future__ import annotations

from dataclasses import Field, field
from dataclasses import dataclass as _dataclass
from typing import Any

_KEY = "searched"


@_dataclass(frozen=True)
class Range:
    """Numbers between two ends, both included.

    Attributes:
        low: the lower end.
        high: the upper end.
        log: equal ratios count alike, as for learning rates.
        relative: the ends are multiples of what the network's recipe proposes.
        step: whole numbers, so far apart; 0 for any number.
        share: whole numbers, so far apart as a share of what the recipe proposes, for sizes that must stay divisible.
    """

    low: float
    high: float
    log: bool = False
    relative: bool = False
    step: int = 0
    share: float = 0.0


@_dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]


@_dataclass(frozen=True)
class DecayRange:
    """Weight decay between two multiples of what takes two thirds of a weight that nothing else moves; equal ratios.

    How strong a decay is follows from the learning rate and the number of steps, too (see `evidence/remedy.py`). A
    proposal below the lower end does next to nothing, and a search begins at that end.
    """

    low: float
    high: float


Searched = Range | Choice | DecayRange

#: Shares that are silenced or left out at each training step.
SHARE = Range(0.0, 0.5)
#: Shares of a whole network that is skipped.
SKIPPED = Range(0.0, 0.2)
#: Channels and neurons; multiples of 8 are quick.
WIDTH = Range(0.5, 2.0, relative=True, step=8)
#: As many halves of the proposal, so that what divides it divides these, too: heads.
HALVES = Range(0.5, 2.0, relative=True, share=0.5)
#: Layers and blocks.
DEPTH = Range(0.5, 2.0, relative=True, step=1)
#: How much slower what is pretrained learns.
BODY_RATE = Range(0.3, 3.0, log=True, relative=True)


def searched(default: Any, where: Searched) -> Any:
    """A dataclass field with this default, which `assay tune` looks for in that range."""
    return field(default=default, metadata={_KEY: where})


def range_of(item: Field[Any]) -> Searched | None:
    """The range that a dataclass field declares; None where it is not searched."""
    found: Searched | None = item.metadata.get(_KEY)
    return found
