"""One step of a network for its export: `forward`, as a task's `predict` calls it.

What it takes is seen in two calls with batches of different sizes: the sizes that differ are free in the graph.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.errors import SettingError
from assay.serving.features import OUTPUT, last_linear
from assay.task_export import Step

if TYPE_CHECKING:
    from assay.samples.samples import Samples, View
    from assay.task import Spec

Array = np.ndarray[Any, Any]


class Called(nn.Module):
    """A network called by the names of its parameters, which gives a tensor or a tuple of them.

    Args:
        network: what is called.
        names: of what it is called with, in the order of this module's inputs.
        constants: values of its other parameters.
        method: what is called, if not the network itself.
    """

    def __init__(
        self, network: nn.Module, names: Sequence[str], constants: Mapping[str, Any], method: str = "forward"
    ) -> None:
        super().__init__()
        self.network, self.names, self.constants, self.method = network, tuple(names), dict(constants), method

    def forward(self, *values: Tensor) -> Any:
        """See the class."""
        given = {**self.constants, **dict(zip(self.names, values, strict=True))}
        found = self.network(**given) if self.method == "forward" else getattr(self.network, self.method)(**given)
        return flat(found)


def called_step(task: Any, network: nn.Module, batches: Sequence[Any], spec: Spec, name: str = "model") -> Step:
    """The step that is `forward` as `predict` calls it; raises `SettingError` where it does not call it."""
    first, second = (_call(task, network, batch, spec) for batch in batches)
    tensors = {key: value for key, value in first.items() if isinstance(value, Tensor)}
    constants = {key: value for key, value in first.items() if key not in tensors}
    with torch.no_grad():
        module = Called(network, tuple(tensors), constants).eval()
        found = network(**first)
    return Step(name, module, tensors, free_axes(tensors, second), output_names(found))


class WithFeatures(nn.Module):
    """A step that gives, beside what it gives, what the network's last linear layer is given (B, F).

    Args:
        inner: the step's module.
        last: the layer.
    """

    def __init__(self, inner: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.last = [last]  # in a list, so that it is no second name of a part of `inner`

    def forward(self, *values: Tensor) -> Any:
        """See the class."""
        given: list[Tensor] = []
        hook = self.last[0].register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
        try:
            found = self.inner(*values)
        finally:
            hook.remove()
        features = given[0][: values[0].shape[0]].flatten(1)
        return (*(found if isinstance(found, tuple) else (found,)), features)


def with_features(step: Step, network: nn.Module) -> Step:
    """The step with the features beside its outputs."""
    last = last_linear(network)
    if last is None:
        return step
    module = WithFeatures(step.module, last).eval()
    return dataclasses.replace(step, module=module, outputs=(*step.outputs, OUTPUT))


def _call(task: Any, network: nn.Module, batch: Any, spec: Spec) -> dict[str, Any]:
    """By its parameters' names what `forward` was first called with."""
    calls: list[dict[str, Any]] = []
    signature = inspect.signature(network.forward)

    def note(_: nn.Module, values: tuple[Any, ...], named: dict[str, Any]) -> None:
        calls.append(dict(signature.bind(*values, **named).arguments))

    handle = network.register_forward_pre_hook(note, with_kwargs=True)
    try:
        with torch.no_grad():
            task.predict(network, batch, spec, {})
    finally:
        handle.remove()
    if not calls:
        raise SettingError(
            f"the network of {task.name} is not called as a whole", "Say in `Task.steps` what its graphs are."
        )
    return calls[0]


def free_axes(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> dict[str, dict[int, str]]:
    """By name, the axes whose sizes differ between two calls; those that go together have one name."""
    names: dict[tuple[int, int], str] = {}
    found: dict[str, dict[int, str]] = {}
    for key, value in first.items():
        both = list(enumerate(zip(value.shape, second[key].shape, strict=True)))
        for axis, sizes in both:
            if sizes[0] != sizes[1]:
                number = len(names)
                fresh = "batch" if axis == 0 and number == 0 else f"length_{number}" if number > 1 else "length"
                found.setdefault(key, {})[axis] = names.setdefault(sizes, fresh)
    return found


def flat(found: Any) -> Any:
    """What a network gives as a tensor, or a tuple of tensors."""
    if isinstance(found, Tensor):
        return found
    values = [value for _, value in _named(found)]
    return values[0] if len(values) == 1 else tuple(values)


def output_names(found: Any) -> tuple[str, ...]:
    """The names of what a network gives."""
    return ("output",) if isinstance(found, Tensor) else tuple(name for name, _ in _named(found))


def _named(found: Any) -> list[tuple[str, Tensor]]:
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        pairs = [(item.name, getattr(found, item.name)) for item in dataclasses.fields(found)]
    else:
        pairs = [(f"output_{number}", value) for number, value in enumerate(found)]
    return [(name, value) for name, value in pairs if isinstance(value, Tensor)]


def example_batches(samples: Samples, view: View) -> list[Any]:
    """Two batches that differ in all sizes that may differ: of the two longest windows, and of the three shortest."""
    windows = view.windows
    if not len(windows):
        raise SettingError("there is no sample to export the network with", "Train with a larger test side.")
    places = view.by_length()
    ordered = windows if places is None else windows[places]
    longest = samples.batch(np.resize(ordered[:2], 2))
    shortest = samples.batch(np.resize(ordered[::-1][:3], 3))
    return [longest, _shorter(shortest, longest, samples.ragged)]


def _shorter(batch: Any, than: Any, ragged: Sequence[str]) -> Any:
    """The batch, cut by one along what is ragged where it is as long as the other."""
    known = {item.name for item in dataclasses.fields(batch)}
    changed: dict[str, Any] = {}
    for name in ragged:
        value, other = getattr(batch, name), getattr(than, name)
        if value is None or value.shape[1] != other.shape[1] or value.shape[1] < 2:
            continue
        mask = f"{name}_mask" if f"{name}_mask" in known else "mask"
        changed |= {one: getattr(batch, one)[:, :-1] for one in (name, mask)}
    return dataclasses.replace(batch, **changed) if changed else batch
