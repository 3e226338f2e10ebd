"""Networks for tables: an ensemble of perceptrons that share most of their weights, and a plain perceptron.

Both take rows as they are, numbers with NaN where a value is missing, and bring them to a common scale themselves, so
that an exported network needs nothing besides.

Sources: Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM: Advancing tabular deep learning with parameter-efficient
ensembling", ICLR 2025; D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and
boosted trees on tabular data", NeurIPS 2024; Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical
features in tabular deep learning", NeurIPS 2022.

Shapes: B rows, P columns of numbers, Q columns of categories, K members of the ensemble, F features, O outputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from assay.networks.activations import activation
from assay.networks.mlp import Mlp, MlpSettings
from assay.training.plan import Plan

if TYPE_CHECKING:
    from assay.samples.table_spec import CategoryColumn, NumberColumn, TableSpec
    from assay.task import Situation

_LARGEST, _LARGEST_SCALED = 1e30, 1e6
_WIDEST_ONE_HOT = 16
_CATEGORY_WIDTH = 8

#: The most passes over the training rows, unless they make fewer than `_FEWEST_STEPS` steps.
MOST_EPOCHS = 60
_FEWEST_STEPS = 400
_ENOUGH_EPOCHS = 10


@dataclass(frozen=True)
class TabularSettings:
    """Hyper-parameters of `Tabular`.

    Attributes:
        depth: hidden layers; 0 gives an ensemble of linear models.
        width: neurons of a hidden layer.
        members: networks in the ensemble; each sees the row through weights of its own and has a head of its own.
        activation: `relu`, `gelu`, `silu`, `mish`, `selu`, `tanh`, `leaky-relu`.
        dropout: the share of neurons silenced at each training step, the same ones in all members.
        embedding: what a number is turned into besides its scaled value: `piecewise` (how far it lies within each
            quarter of the training rows, then a layer of its own), `periodic` (cosines of learned frequencies, then a
            layer of its own) or `none`.
        embedding_width: how many features a number becomes, its scaled value included.
    """

    depth: int = 2
    width: int = 192
    members: int = 16
    activation: str = "relu"
    dropout: float = 0.1
    embedding: Literal["piecewise", "periodic", "none"] = "piecewise"
    embedding_width: int = 4


#: From the largest that a recipe proposes to the smallest.
_SIZES = (TabularSettings(), TabularSettings(members=8, width=128), TabularSettings(members=4, width=96))


class NumberScale(nn.Module):
    """Numbers (B, P) to (B, P) of a size near one; a missing value becomes the median's 0.

    The median goes to 0 and the middle half of the training rows to a width of 1, then z / sqrt(1 + (z / 3)²) holds
    extreme values within (-3, 3) (Holzmüller et al. 2024). A column whose middle half is a single value is scaled by
    its range instead, a constant one by 0.
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
        self.weight = nn.Parameter(_uniform(columns, inputs, outputs, fan_in=inputs))
        self.bias = nn.Parameter(_uniform(columns, outputs, fan_in=inputs))

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


class SharedDropout(nn.Module):
    """Dropout of the same neurons in all members: K times fewer random numbers, which are dear."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, F) to (B, K, F)."""
        if not self.training or self.share <= 0:
            return x
        kept = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) >= self.share
        return x * (kept / (1 - self.share))


class Tabular(nn.Module):
    """An ensemble of perceptrons that share their hidden layers: TabM-mini (Gorishniy et al. 2025).

    Each member multiplies the row's features with weights of its own, sends them through the hidden layers that all
    share, and ends in a head of its own. Each is trained on its own loss; their predictions are averaged.
    """

    def __init__(self, spec: TableSpec, settings: TabularSettings) -> None:
        super().__init__()
        self.kind, members = spec.target.kind, settings.members
        self.encoder = RowEncoder(spec, settings.embedding, settings.embedding_width)
        self.views = nn.Parameter(_member_views(self.encoder.columns, members, self.encoder.embedding is not None))
        layers: list[nn.Module] = []
        width = len(self.encoder.columns)
        for _ in range(settings.depth):
            layers += [nn.Linear(width, settings.width), activation(settings.activation)]
            layers += [SharedDropout(settings.dropout)]
            width = settings.width
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Parameter(_uniform(members, width, spec.target.outputs, fan_in=width))
        self.head_bias = nn.Parameter(_uniform(members, spec.target.outputs, fan_in=width))

    def features(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """(B, width): what the last hidden layer says, the mean over members."""
        return self._hidden(numbers, categories).mean(dim=1)

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """Raw numbers (B, P) and codes (B, Q) to each member's logits (B, K, O); in eval mode to the mean's (B, O)."""
        logits = torch.einsum("bkf,kfo->bko", self._hidden(numbers, categories), self.head) + self.head_bias
        return logits if self.training else mean_prediction(logits, self.kind)

    def _hidden(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """(B, K, F)."""
        hidden: Tensor = self.hidden(self.encoder(numbers, categories)[:, None] * self.views)
        return hidden


class TableMlp(nn.Module):
    """A perceptron over the scaled row: raw numbers (B, P) and codes (B, Q) to logits (B, O)."""

    def __init__(self, spec: TableSpec, settings: MlpSettings) -> None:
        super().__init__()
        self.encoder = RowEncoder(spec)
        self.mlp = Mlp(len(self.encoder.columns), spec.target.outputs, settings)

    def features(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """(B, width): what the last hidden layer says."""
        return self.mlp.features(self.encoder(numbers, categories))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """(B, P) and (B, Q) to (B, O)."""
        logits: Tensor = self.mlp(self.encoder(numbers, categories))
        return logits


def mean_prediction(logits: Tensor, kind: str) -> Tensor:
    """Logits (B, O) whose prediction is the mean of the members' predictions, from theirs (B, K, O).

    Args:
        logits: (B, K, O).
        kind: of the target: the mean of probabilities for `class` (softmax) and `labels` (sigmoid), of the numbers
            themselves for `number`.
    """
    if kind == "class":
        return logits.log_softmax(dim=2).logsumexp(dim=1) - math.log(logits.shape[1])
    if kind == "labels":
        return logsigmoid(logits).logsumexp(dim=1) - logsigmoid(-logits).logsumexp(dim=1)
    return logits.mean(dim=1)


def _member_views(columns: Tensor, members: int, embedded: bool) -> Tensor:
    """The weights (K, F) through which members see the row, as Gorishniy et al. (2025) draw them.

    Random signs; where numbers are embedded, normal and the same for all features of a column.
    """
    if not embedded:
        return torch.randint(0, 2, (members, len(columns))).float() * 2 - 1
    return torch.randn(members, int(columns.max()) + 1)[:, columns]


def _uniform(*shape: int, fan_in: int) -> Tensor:
    return (torch.rand(*shape) * 2 - 1) / math.sqrt(max(1, fan_in))


def recipe(situation: Situation) -> tuple[TabularSettings, Plan]:
    """An ensemble as large as the time allows for, AdamW, one cycle, and the best weights on the validation side.

    The batch is about an eighth of the rows, 32 to 256. On the tables that scikit-learn ships, the best weights came
    after 20 to 80 % of the steps of `MOST_EPOCHS` passes.
    """
    batch_size = _batch_size(situation.samples)
    steps = max(_FEWEST_STEPS, math.ceil(MOST_EPOCHS * situation.samples / batch_size))
    plan = Plan(steps=steps, batch_size=batch_size, learning_rate=4e-3, weight_decay=3e-4, keep="best", checks=25)
    for settings in _SIZES[:-1]:
        if _epochs_in_time(situation, settings, plan) >= _ENOUGH_EPOCHS:
            return settings, plan
    return _SIZES[-1], plan


def mlp_recipe(situation: Situation) -> tuple[MlpSettings, Plan]:
    """A perceptron with dropout, AdamW and one cycle, keeping the best weights on the validation side."""
    _, plan = recipe(replace(situation, budget_s=None))
    return MlpSettings(depth=2, width=256, dropout=0.2), replace(plan, learning_rate=2e-3, weight_decay=1e-2)


def _batch_size(samples: int) -> int:
    """The power of two nearest to an eighth of the samples, from 32 to 256."""
    return int(min(256, max(32, 2 ** round(math.log2(max(1, samples) / 8)))))


def _epochs_in_time(situation: Situation, settings: TabularSettings, plan: Plan) -> float:
    if situation.budget_s is None:
        return math.inf
    return situation.budget_s / max(1e-12, situation.seconds_per_sample(settings, plan) * situation.samples)
