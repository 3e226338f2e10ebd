"""A row of a table as features: numbers brought to a common scale and embedded, missing values marked, categories.

All of it is part of the network, which takes rows as they are, numbers with NaN where a value is missing, so that an
exported network needs nothing besides.

Sources: D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
tabular data", NeurIPS 2024; Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular
deep learning", NeurIPS 2022.

Shapes: B rows, P columns of numbers, Q columns of categories, F features.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from assay.samples.table_spec import CategoryColumn, NumberColumn, TableSpec

_LARGEST, _LARGEST_SCALED = 1e30, 1e6
_WIDEST_ONE_HOT = 16
_CATEGORY_WIDTH = 8


class NumberScale(nn.Module):
    """Numbers (B, P) to (B, P) of a size near one; a missing value becomes the median's 0.

    The median goes to 0 and the middle half of the training rows to a width of 1, then z / sqrt(1 + (z / 3)²) holds
    extreme values within (-3, 3) (Holzmüller et al. 2024). A column whose middle half is a single value is scaled by
    half its range instead; a constant one is 0.
    """

    middle: Tensor
    factor: Tensor

    def __init__(self, columns: Sequence[NumberColumn]) -> None:
        super().__init__()
        quantiles = torch.tensor([column.quantiles for column in columns], dtype=torch.float64).view(-1, 5)
        half, whole = quantiles[:, 3] - quantiles[:, 1], quantiles[:, 4] - quantiles[:, 0]
        spread = torch.where(half > 0, half, whole / 2)
        self.register_buffer("middle", quantiles[:, 2].float())
        self.register_buffer("factor", torch.where(spread > 0, 1 / spread, 0.0).float())

    def forward(self, numbers: Tensor) -> Tensor:
        """(B, P) to (B, P)."""
        known = torch.where(numbers.isnan(), self.middle, numbers).clamp(-_LARGEST, _LARGEST)
        scaled = ((known - self.middle) * self.factor).clamp(-_LARGEST_SCALED, _LARGEST_SCALED)
        return scaled / (1 + (scaled / 3).square()).sqrt()


class PiecewiseEmbedding(nn.Module):
    """Scaled numbers (B, P) to (B, P, width): how far each lies within each quarter of the training rows, then a layer.

    Source: piecewise linear encoding of Gorishniy et al. 2022, with the quartiles as its bins.
    """

    low: Tensor
    length: Tensor

    def __init__(self, knots: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("low", knots[:, :-1].clone())
        self.register_buffer("length", (knots[:, 1:] - knots[:, :-1]).clamp(min=1e-3))
        self.layer = ColumnLayer(len(knots), knots.shape[1] - 1, width)

    def within(self, scaled: Tensor) -> Tensor:
        """(B, P) to (B, P, 4): 0 below a quarter of the training rows, 1 above it, linear inside."""
        return ((scaled[:, :, None] - self.low) / self.length).clamp(0, 1)

    def forward(self, scaled: Tensor) -> Tensor:
        """(B, P) to (B, P, width)."""
        embedded: Tensor = self.layer(self.within(scaled))
        return embedded.relu()


class PeriodicEmbedding(nn.Module):
    """Scaled numbers (B, P) to (B, P, width): cosines of learned frequencies and phases, then a layer.

    Source: "PBLD" of Holzmüller et al. 2024, after Gorishniy et al. 2022.
    """

    def __init__(self, columns: int, width: int, waves: int = 16, frequency: float = 0.1) -> None:
        super().__init__()
        self.frequency = nn.Parameter(torch.randn(columns, waves) * frequency * 2 * math.pi)
        self.phase = nn.Parameter((torch.rand(columns, waves) * 2 - 1) * math.pi)
        self.layer = ColumnLayer(columns, waves, width)

    def forward(self, scaled: Tensor) -> Tensor:
        """(B, P) to (B, P, width)."""
        embedded: Tensor = self.layer(torch.cos(scaled[:, :, None] * self.frequency + self.phase))
        return embedded


class ColumnLayer(nn.Module):
    """A linear layer for each column: (B, P, inputs) to (B, P, outputs)."""

    def __init__(self, columns: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(uniform(columns, inputs, outputs, fan_in=inputs))
        self.bias = nn.Parameter(uniform(columns, outputs, fan_in=inputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, P, inputs) to (B, P, outputs)."""
        return torch.einsum("bpi,pio->bpo", x, self.weight) + self.bias


class CategoryCode(nn.Module):
    """Category codes (B, Q) to (B, F): one-hot where a column has few values, else a learned vector.

    Code 0, missing or unseen, becomes zeros.
    """

    narrow: Tensor
    offset: Tensor

    def __init__(self, columns: Sequence[CategoryColumn]) -> None:
        super().__init__()
        counts = [len(column.values) for column in columns]
        narrow = [place for place, count in enumerate(counts) if count <= _WIDEST_ONE_HOT]
        self.wide = [place for place, count in enumerate(counts) if count > _WIDEST_ONE_HOT]
        ends = [sum(counts[place] for place in narrow[:number]) for number in range(len(narrow) + 1)]
        self.one_hot_width = ends[-1]
        self.register_buffer("narrow", torch.tensor(narrow, dtype=torch.int64))
        self.register_buffer("offset", torch.tensor(ends[:-1], dtype=torch.int64))
        self.vectors = nn.ModuleList(
            nn.Embedding(counts[place] + 1, _CATEGORY_WIDTH, padding_idx=0) for place in self.wide
        )
        #: The column that each feature comes from, (F,).
        self.columns = [place for place in narrow for _ in range(counts[place])]
        self.columns += [place for place in self.wide for _ in range(_CATEGORY_WIDTH)]

    def forward(self, codes: Tensor) -> Tensor:
        """(B, Q) to (B, F)."""
        own = codes[:, self.narrow]
        place = torch.where(own > 0, own + self.offset, 0)
        ones = torch.zeros(codes.shape[0], self.one_hot_width + 1, device=codes.device).scatter(1, place, 1.0)
        parts = [vectors(codes[:, place]) for place, vectors in zip(self.wide, self.vectors, strict=True)]
        return torch.cat([ones[:, 1:], *parts], dim=1)


class RowEncoder(nn.Module):
    """A row to features (B, F): scaled (and embedded) numbers, whether they are missing, and categories.

    Attributes:
        columns: (F,) int64, a number for each feature; features that come from one column share it.
    """

    missing: Tensor

    def __init__(self, spec: TableSpec, embedding: str = "none", embedding_width: int = 1) -> None:
        super().__init__()
        count = len(spec.numbers)
        missing = [place for place, column in enumerate(spec.numbers) if column.missing]
        self.register_buffer("missing", torch.tensor(missing, dtype=torch.int64))
        self.scale = NumberScale(spec.numbers)
        self.embedding = self._embedding(spec.numbers, embedding, embedding_width)
        self.categories = CategoryCode(spec.categories)
        width = embedding_width if self.embedding is not None else 1
        columns = [place for place in range(count) for _ in range(width)]
        columns += range(count, count + len(missing))
        columns += [count + len(missing) + place for place in self.categories.columns]
        self.columns = torch.tensor(columns, dtype=torch.int64)

    def _embedding(self, columns: Sequence[NumberColumn], kind: str, width: int) -> nn.Module | None:
        if kind == "none" or width < 2 or not columns:
            return None
        if kind == "periodic":
            return PeriodicEmbedding(len(columns), width - 1)
        quantiles = torch.tensor([column.quantiles for column in columns])
        return PiecewiseEmbedding(self.scale(quantiles.T).T, width - 1)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """(B, P) float32 and (B, Q) int64 to (B, F)."""
        scaled = self.scale(numbers)
        absent = numbers[:, self.missing].isnan().float()
        if self.embedding is not None:
            scaled = torch.cat([scaled[:, :, None], self.embedding(scaled)], dim=2).flatten(1)
        return torch.cat([scaled, absent, self.categories(categories)], dim=1)


def uniform(*shape: int, fan_in: int) -> Tensor:
    """Random weights of any shape, uniform within ±1 / sqrt(fan_in), as PyTorch draws those of a linear layer."""
    return (torch.rand(*shape) * 2 - 1) / math.sqrt(max(1, fan_in))
