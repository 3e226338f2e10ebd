"""What takes a network's place where an export answers: graphs that take and give NumPy arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from assay.errors import SettingError

Array = np.ndarray[Any, Any]


class Graph(Protocol):
    """One step of a network."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what it takes."""

    def __call__(self, *values: Any, **named: Any) -> tuple[Array, ...]:
        """What it gives for its inputs in their order, or by their names."""


class StandIn:
    """A network's place where an export answers; `Task.predict` is given it as it is given a network.

    Args:
        graphs: by the names of `Task.steps`.
        asked: the network's attributes that `Traits.asked` names.

    Attributes:
        beside: are given what the graph gives beside what the network gives (`assay.serving.features`).
    """

    training = False

    def __init__(self, graphs: Mapping[str, Graph], asked: Mapping[str, Any]) -> None:
        self.graphs = dict(graphs)
        self.asked = dict(asked)
        self.beside: list[Callable[[Array], None]] = []

    def __getattr__(self, name: str) -> Any:
        asked = self.__dict__.get("asked", {})
        if name not in asked:
            raise AttributeError(name)
        value = asked[name]
        return np.asarray(value) if isinstance(value, list) else value

    def __call__(self, *values: Any, **named: Any) -> Any:
        """As `forward`: an array, or a tuple of several."""
        graph = self.graphs["model"]
        found = graph(*values, **named)
        if len(found) > 1 and getattr(graph, "outputs", ())[-1:] == ("features",):
            for listener in self.beside:
                listener(found[-1])
            found = found[:-1]
        return found[0] if len(found) == 1 else found


def arrays_of(batch: Any) -> Any:
    """A batch whose tensors are arrays; one of arrays is given back as it is."""
    changed = {
        item.name: value.numpy()
        for item in dataclasses.fields(batch)
        if hasattr(value := getattr(batch, item.name), "numpy")
    }
    return dataclasses.replace(batch, **changed) if changed else batch


def bind(inputs: tuple[str, ...], values: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """By its inputs' names what a graph is called with; what is None is left out, as the graph was made without it."""
    rest = [name for name in inputs if name not in named]
    given = [value for value in values if value is not None]
    if len(given) != len(rest):
        told = f"the exported graph takes {', '.join(inputs)}, and was given {len(given) + len(named)} values"
        raise SettingError(told, "Export the run again: assay export RUN.")
    return {**dict(zip(rest, given, strict=True)), **{name: value for name, value in named.items() if name in inputs}}
