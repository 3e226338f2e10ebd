"""The same sums in the same order, whatever the threads do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic


@contextmanager
def repeatable() -> Iterator[None]:
    """Within it, what PyTorch computes does not depend on which thread comes first.

    Without it, the gradients of `table[index]` are summed as the threads come: the last bits of a loss differ from one
    training to the next. What has no such form is computed as ever, with a warning.
    """
    filling: Any = torch.utils.deterministic  # its types do not know what it has
    before, filled = torch.get_deterministic_debug_mode(), filling.fill_uninitialized_memory
    # `torch.use_deterministic_algorithms` does the same, but imports the compiler first: 2 s.
    torch.set_deterministic_debug_mode("warn")
    filling.fill_uninitialized_memory = False  # it would fill what is about to be written anyway
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)
        filling.fill_uninitialized_memory = filled
