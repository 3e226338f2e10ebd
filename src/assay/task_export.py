"""What an export asks of an application: the third part of the contract, see `assay.task`.

An export holds one step of a network, or a few, each a graph of ONNX; `predict` stays what it is, with a `StandIn` in
the network's place that runs the graphs, and batches of NumPy arrays. So `predict` and all that it calls work on arrays
as well as on tensors, and import no torch for arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from torch import Tensor, nn

    from assay.serving.stand_in import Graph, StandIn
    from assay.task_parts import Spec, Traits


@dataclass(frozen=True)
class Step:
    """One graph of an export.

    Attributes:
        name: of the graph; "model" where there is no other.
        module: takes the inputs in their order, and gives a tensor or a tuple of them.
        inputs: by name an example of each, of at least two rows, since exporters take a size of one for a constant.
        axes: by an input's name, which of its axes differ in size from call to call, and what that size is called.
        outputs: the names of what it gives.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Tensor]
    axes: Mapping[str, Mapping[int, str]]
    outputs: tuple[str, ...]

    @property
    def fixed(self) -> frozenset[str]:
        """The names of the module's numbers that are no learned weights, by which the graph calls them, too."""
        return frozenset(name for name, _ in self.module.named_buffers(remove_duplicate=False))


@dataclass(frozen=True)
class Preparation:
    """What becomes of an input before the network's first layer, each in a few words.

    Attributes:
        inside: what an export's graph does.
        outside: what a program has to do before, as `Task.encode` does; behind "after it: " and "around it: ", what it
            has to do there.
    """

    inside: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


class TaskExport:
    """How an application's network becomes graphs, and what takes its place; every method has a default.

    Where the default does not suit, `Traits.exported_by` names a module with `steps(network, batches)`,
    `stand_in(graphs, asked)` and `ASKED` (as `Traits.asked`), which is imported for an export alone, without torch.
    """

    traits: ClassVar[Traits]

    def steps(self, network: nn.Module, batches: Sequence[Any], spec: Spec) -> Sequence[Step]:
        """The graphs of an export; by default one, of `forward` as `predict` calls it.

        Args:
            network: in evaluation mode.
            batches: two, which differ in all sizes that may differ: the number of windows, and their length.
            spec: the sample spec.

        Raises:
            SettingError: this network cannot be exported.
        """
        if self.traits.exported_by:
            steps: Sequence[Step] = import_module(self.traits.exported_by).steps(network, batches)
            return steps
        from assay.serving.steps import called_step

        return [called_step(self, network, batches, spec)]

    def stand_in(self, graphs: Mapping[str, Graph], asked: Mapping[str, Any], spec: Spec) -> StandIn:
        """What takes the network's place in `predict`; by default it is called as `forward` is.

        Args:
            graphs: by name, what runs each of the `steps`.
            asked: the values of the network's attributes that `Traits.asked` names.
            spec: the sample spec.
        """
        if self.traits.exported_by:
            found: StandIn = import_module(self.traits.exported_by).stand_in(graphs, asked)
            return found
        from assay.serving.stand_in import StandIn

        return StandIn(graphs, asked)

    def asked(self, network: nn.Module) -> dict[str, Any]:
        """By name, the values of the network's attributes that `predict` asks for beside calling it, JSON-able."""
        from assay.run import to_json

        more = import_module(self.traits.exported_by).ASKED if self.traits.exported_by else ()
        found = {name: getattr(network, name) for name in (*self.traits.asked, *more) if hasattr(network, name)}
        plain: dict[str, Any] = to_json({name: value() if callable(value) else value for name, value in found.items()})
        return plain

    def preparation(self, spec: Spec) -> Preparation:
        """What becomes of an input before the network, for those who use an export without Assay.

        By default what the spec's own method `preparation` says, where it has one.
        """
        told = getattr(spec, "preparation", None)
        unknown = Preparation((), ("everything that turns an input into the graph's inputs",))
        found: Preparation = unknown if told is None else told()
        return found

    def agree(self, one: Any, other: Any, spec: Spec, tolerance: float) -> bool:
        """Whether two outputs are the same answer: equal in words and counts, and within a tolerance in numbers.

        Args:
            one: an output.
            other: that of the same input by an export.
            spec: the sample spec.
            tolerance: of a number, as a share of it, or of one where it is less than one.
        """
        from assay.evaluation.agreement import same_answer
        from assay.run import to_json

        task: Any = self
        return same_answer(to_json(task.answer(one, spec)), to_json(task.answer(other, spec)), tolerance)
