"""Muon's orthogonalisation against its definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from assay.training.optimisers import Muon, orthogonalise


def defined(matrices: Tensor, rounds: int) -> Tensor:
    """The iteration as published: a X + b (X X^T) X + c (X X^T)^2 X, on matrices wider than high."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices / matrices.norm(dim=(1, 2), keepdim=True)
    for _ in range(rounds):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 16, 40), (2, 128, 1152), (1, 10, 300)])
def test_products_of_gram_matrices_are_the_published_iteration(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
    expected = defined(matrices.double(), 5)
    assert torch.allclose(orthogonalise(matrices).double(), expected, atol=2e-4)
    assert torch.allclose(orthogonalise(matrices.mT).double(), expected.mT, atol=2e-4)


@pytest.mark.parametrize("rank", [1, 5])
def test_matrices_of_low_rank_stay_bounded(rank: int) -> None:
    draw = torch.Generator().manual_seed(1)
    low = torch.randn(2, 64, rank, generator=draw) @ torch.randn(2, rank, 200, generator=draw)
    found = torch.linalg.svdvals(orthogonalise(low))
    assert found.max() < 1.3 and found[:, :rank].min() > 0.5 and found[:, rank:].max() < 0.05


def test_nothing_comes_of_nothing() -> None:
    assert not orthogonalise(torch.zeros(1, 4, 6)).any()


@pytest.mark.parametrize(("shape", "block"), [((12, 8), (4, 8)), ((8, 8), (8, 2)), ((6, 9), None), ((9, 6), None)])
def test_each_block_moves_as_a_matrix_by_itself_and_the_whole_as_far_as_its_rows_say(
    shape: tuple[int, int], block: tuple[int, int] | None
) -> None:
    parameter = nn.Parameter(torch.zeros(shape))
    if block:
        parameter.block = block  # type: ignore[attr-defined]
    parameter.grad = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    optimizer = Muon([{"params": [parameter], "matrix": True}], lr=1.0, momentum=0.0)
    optimizer.step()
    rows, columns = block or shape
    expected = torch.zeros(shape)
    for top in range(0, shape[0], rows):
        for left in range(0, shape[1], columns):
            part = (slice(top, top + rows), slice(left, left + columns))
            expected[part] = orthogonalise(parameter.grad[None, part[0], part[1]])[0]
    singular = (shape[0] // rows) * (shape[1] // columns) * min(rows, columns)
    found = parameter.detach()
    assert torch.allclose(found, -expected * (shape[0] / singular) ** 0.5, atol=1e-5)
    assert float(found.norm()) == pytest.approx(shape[0] ** 0.5, rel=0.3)
