"""What a network's last linear layer is given: the features by which a sample is known to it.

Shapes: W windows, B windows in a batch, F features.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.serving.stand_in import StandIn

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.serving.predictor import Predictor

Array = np.ndarray[Any, Any]
#: The name under which an export's graph gives them beside what the network gives.
OUTPUT = "features"
#: Where only some windows are kept for later, more features of one than this are too many.
MOST_FEATURES = 4096


class Features:
    """What was noted of each call of a network in this thread, in the order of the calls.

    Args:
        kept: (W,) bool, the windows whose features are kept, in the order in which they are answered; None for all.
    """

    def __init__(self, kept: Array | None = None) -> None:
        self._parts: list[Array] = []
        self._kept, self._seen = kept, 0  # how many windows were answered
        self._thread = threading.get_ident()

    @property
    def here(self) -> bool:
        """Whether the call at hand is one of this thread, and none of another request."""
        return threading.get_ident() == self._thread

    def note(self, values: Array) -> None:
        """Take note of one call's features (B, F)."""
        if not self.here:
            return
        first, self._seen = self._seen, self._seen + len(values)
        if self._kept is None:
            self._parts.append(values)
        elif self._seen <= len(self._kept) and values[0].size <= MOST_FEATURES:
            self._parts.append(values[self._kept[first : self._seen]])

    def of(self, windows: int) -> Array | None:
        """(W, F) of those kept of so many windows; None where there are not as many, or they differ in their features.

        Such are networks that give something for each place of an input, and searches that ask more than once.
        """
        if not self._parts or self._seen != windows:
            return None
        return np.concatenate(self._parts) if len({part.shape[1:] for part in self._parts}) == 1 else None


@contextmanager
def noted_features(predictor: Predictor, kept: Array | None = None) -> Iterator[Features]:
    """While this lasts, the features of every call of the network, or of the export in its place, are noted.

    Args:
        predictor: the network or export.
        kept: see `Features`.
    """
    found = Features(kept)
    network = predictor.network
    if isinstance(network, StandIn):
        network.beside.append(found.note)
        try:
            yield found
        finally:
            network.beside.remove(found.note)
        return
    with _hooked(network, predictor.task.traits.variable_length, found):
        yield found


@contextmanager
def _hooked(network: nn.Module, by_place: bool, found: Features) -> Iterator[None]:
    last, given = last_linear(network), list[Any]()
    if last is None:
        yield
        return

    def take(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if found.here:
            given.append(inputs[0])

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        if not found.here:
            return
        values = pooled(given[0], inputs, by_place) if given and inputs else None
        given.clear()
        if values is not None:
            found.note(values.detach().float().cpu().numpy())

    hooks = [last.register_forward_pre_hook(take), network.register_forward_hook(note)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def pooled(given: Tensor, inputs: tuple[Any, ...], by_place: bool) -> Tensor | None:
    """(B, F) the features of a call of the network; None where the last layer is given something for each place.

    Args:
        given: what the last linear layer was given when it was first called: of a network that looks at several views
            of its inputs together, these come first as they are.
        inputs: what the network was called with.
        by_place: inputs differ in length, so that a third axis is one of places.
    """
    count = len(inputs[0])
    if given.dim() < 2 or (by_place and given.dim() > 2) or len(given) % max(1, count):
        return None
    return given[:count].flatten(1)


def last_linear(network: nn.Module) -> nn.Module | None:
    """The last of a network's linear layers; None where it has none."""
    from torch import nn as layers

    found = [module for module in network.modules() if isinstance(module, layers.Linear)]
    return found[-1] if found else None
