"""Tiny networks with what an export takes of them, and graphs that are run by torch instead of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from assay.serving.stand_in import bind
from assay.task_export import Step


class ModuleGraph:
    """A step's own module in the place of its graph: what takes a network's place is tested without an export."""

    def __init__(self, step: Step) -> None:
        self.step, self.outputs = step, step.outputs

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(self.step.inputs)

    @property
    def shapes(self) -> dict[str, tuple[Any, ...]]:
        return {name: tuple(value.shape) for name, value in self.step.inputs.items()}

    def __call__(self, *values: Any, **named: Any) -> tuple[np.ndarray, ...]:
        fed = bind(self.inputs, values, named)
        tensors = [torch.from_numpy(np.array(fed[name])).to(like.dtype) for name, like in self.step.inputs.items()]
        with torch.inference_mode():
            found = self.step.module(*tensors)
        return tuple(one.numpy() for one in (found if isinstance(found, tuple) else (found,)))


def shaken(network: torch.nn.Module) -> torch.nn.Module:
    """With weights that are far from nothing, so that every part has a say."""
    torch.manual_seed(5)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return network.eval()


def grown(step: Step, more: Callable[[str], int] = lambda name: 2) -> dict[str, np.ndarray]:
    """Random inputs of a step whose free sizes are larger than those of its examples."""
    torch.manual_seed(6)
    found: dict[str, np.ndarray] = {}
    for name, like in step.inputs.items():
        shape = [size + more(step.axes.get(name, {}).get(axis, "")) * (axis in step.axes.get(name, {}))
                 for axis, size in enumerate(like.shape)]  # fmt: skip
        if like.dtype.is_floating_point:
            value = torch.randn(shape)
        elif like.dtype == torch.bool:
            value = torch.ones(shape, dtype=torch.bool)
        else:
            value = torch.randint(1, 6, shape).to(like.dtype)
        found[name] = value.numpy()
    return found


def far_before_and_after(run: Path, asked: Path) -> tuple[list[float | None], list[float | None]]:
    """How far inputs are from the training data, as a run says and as an export of it, made beside it, says."""
    import assay
    from assay.exporting import export_run
    from assay.progress import Progress
    from assay.run import RunFolder

    out = run.parent / "exported"
    export_run(RunFolder(run), "onnx", False, out, Progress())
    before, after = ([one.far for one in assay.load(folder).predictions(str(asked))[0]] for folder in (run, out))
    return before, after
