"""Sums do not depend on the threads."""

from __future__ import annotations

import torch

from assay.training.repeatable import repeatable


def test_gradients_of_an_index_are_the_same_each_time() -> None:
    random = torch.Generator().manual_seed(0)
    index = torch.randint(0, 50, (300_000,), generator=random)
    weights = torch.randn(300_000, 4, generator=random)

    def gradient() -> torch.Tensor:
        table = torch.zeros(50, 4, requires_grad=True)
        (table[index] * weights).sum().backward()
        assert table.grad is not None
        return table.grad

    with repeatable():
        first = gradient()
        assert all(torch.equal(first, gradient()) for _ in range(8))


def test_what_was_set_before_holds_again() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    try:
        with repeatable():
            assert torch.are_deterministic_algorithms_enabled()
            raise KeyError
    except KeyError:
        pass
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
