"""Computing a block's values twice instead of keeping them: more time, less memory.

Source: T. Chen et al., "Training deep nets with sublinear memory cost", 2016.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from assay.training.parts import Part


def repeated_blocks(network: nn.Module) -> list[nn.Module]:
    """The blocks of which a network is a stack: members of a list or sequence that holds several of their kind.

    The outermost alone, and none without a layer inside it.
    """
    found: list[nn.Module] = []
    children = list(network.children())
    kinds = Counter(type(child) for child in children)
    stacked = isinstance(network, nn.ModuleList | nn.Sequential)
    for child in children:
        if stacked and kinds[type(child)] > 1 and any(True for _ in child.children()) and _learns(child):
            found.append(child)
        else:
            found.extend(repeated_blocks(child))
    return found


def _learns(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


@contextmanager
def recomputed(blocks: Sequence[nn.Module]) -> Iterator[None]:
    """Within it, these blocks keep only what goes into them for the backward pass."""
    for block in blocks:
        block.forward = _Twice(block)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


class _Twice:
    """A block's forward pass whose inner values are computed once more when the gradient needs them."""

    def __init__(self, block: nn.Module) -> None:
        self._block, self._forward = block, block.forward

    def __call__(self, *values: Any, **named: Any) -> Any:
        from torch.utils.checkpoint import checkpoint

        if not (self._block.training and torch.is_grad_enabled()):
            return self._forward(*values, **named)
        part = Part.current()

        def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
            return nullcontext(), _again(self._block, part)

        return checkpoint(self._forward, *values, use_reentrant=False, context_fn=contexts, **named)


@contextmanager
def _again(block: nn.Module, part: Part | None) -> Iterator[None]:
    """The second time: the same part of the step, and running means that are not moved twice."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        norm.num_batches_tracked = None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()
    try:
        with part or nullcontext():
            yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
