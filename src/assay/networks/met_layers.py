"""The layers of a network as a forward pass meets them: what each one gives when it is first called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor, nn

#: Takes a layer's name, the layer, and what it gives for a batch: (B, ...), floating, of two dimensions at least.
Noting = Callable[[str, "nn.Module", "Tensor"], None]


@contextmanager
def layers_met(network: nn.Module, wanted: Callable[[nn.Module], bool], note: Noting) -> Iterator[None]:
    """While this lasts, `note` is told of each wanted layer at its first call, in the order of the calls.

    Calls in other threads are none of this pass. Of a layer that gives several tensors, such as an attention or a
    recurrent one, the first counts.

    Args:
        network: whose layers.
        wanted: which of them.
        note: is called in the middle of the pass; what follows may work in place, so that it copies what it keeps.
    """
    seen: set[str] = set()
    hooks = [module.register_forward_hook(_hook(name or "network", seen, note, threading.get_ident()))
             for name, module in network.named_modules() if wanted(module)]  # fmt: skip
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _hook(name: str, seen: set[str], note: Noting, thread: int) -> Callable[[nn.Module, Any, Any], None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        import torch

        found = output[0] if isinstance(output, tuple | list) and len(output) else output
        if name in seen or threading.get_ident() != thread or not isinstance(found, torch.Tensor):
            return
        if found.is_floating_point() and found.dim() >= 2 and found.numel():
            seen.add(name)
            note(name, module, found)

    return hook


def liveliest(maps: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """The numbers, ascending, of the channels of (C, H, W) whose values differ most over their places."""
    spread = maps.std(axis=(1, 2))
    return np.sort(np.argsort(-spread, kind="stable")[:count])
