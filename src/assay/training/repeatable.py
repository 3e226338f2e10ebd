"""The same sums in the same order, whatever the threads do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.utils.deterministic as filling


@contextmanager
def repeatable() -> Iterator[None]:
    """Within it, what PyTorch computes does not depend on which thread comes first.

    Without it, the gradients of `table[index]` are summed as the threads come: the last bits of a loss differ from one
    training to the next. What has no such form is computed as ever, with a warning.
    """
    before, warned = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filled = filling.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    filling.fill_uninitialized_memory = False  # it would fill what is about to be written anyway
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warned)
        filling.fill_uninitialized_memory = filled
