"""Networks for tables: an ensemble of perceptrons that share most of their weights, and a plain perceptron.

Both take rows as they are, numbers with NaN where a value is missing (`row_encoder.py`).

Source: Y. Gorishniy, A. Kotelnikov, A. Babenko, "TabM: Advancing tabular deep learning with parameter-efficient
ensembling", ICLR 2025.

Shapes: B rows, P columns of numbers, Q columns of categories, K members of the ensemble, F features, O outputs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from assay.networks.activations import activation
from assay.networks.mlp import Mlp, MlpSettings
from assay.networks.row_encoder import (
    CategoryCode,
    ColumnLayer,
    NumberScale,
    PeriodicEmbedding,
    PiecewiseEmbedding,
    RowEncoder,
    uniform,
)
from assay.training.plan import Plan
from assay.training.ranges import SHARE, WIDTH, Choice, Range, searched

if TYPE_CHECKING:
    from assay.samples.table_spec import TableSpec
    from assay.task import Situation

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

    depth: int = searched(2, Range(1, 4, step=1))
    width: int = searched(192, WIDTH)
    members: int = 16
    activation: str = "relu"
    dropout: float = searched(0.1, SHARE)
    embedding: Literal["piecewise", "periodic", "none"] = searched(
        "piecewise", Choice(("piecewise", "periodic", "none"))
    )
    embedding_width: int = 4


#: From the largest that a recipe proposes to the smallest.
_SIZES = (TabularSettings(), TabularSettings(members=8, width=128), TabularSettings(members=4, width=96))


class SharedDropout(nn.Module):
    """Dropout of the same neurons in all members: K times fewer random numbers, which are dear.

    Raises:
        ValueError: `share` is not from 0 to below 1.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ValueError(f"dropout is a share from 0 to below 1, not {share:g}")
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, F) to (B, K, F)."""
        if not self.training or not self.share:
            return x
        kept = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) >= self.share
        return x * (kept / (1 - self.share))


class Tabular(nn.Module):
    """An ensemble of perceptrons that share their hidden layers: TabM-mini (Gorishniy et al. 2025).

    Each member multiplies the row's features with weights of its own, sends them through the hidden layers that all
    share, and ends in a head of its own. Each is trained on its own loss; their predictions are averaged.

    Raises:
        ValueError: there are no members, or the dropout is no share.
    """

    def __init__(self, spec: TableSpec, settings: TabularSettings) -> None:
        super().__init__()
        if settings.members < 1:
            raise ValueError(f"an ensemble has at least one member, not {settings.members}")
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
        self.head = nn.Parameter(uniform(members, width, spec.target.outputs, fan_in=width))
        self.head_bias = nn.Parameter(uniform(members, spec.target.outputs, fan_in=width))

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


__all__ = [
    "MOST_EPOCHS",
    "CategoryCode",
    "ColumnLayer",
    "NumberScale",
    "PeriodicEmbedding",
    "PiecewiseEmbedding",
    "RowEncoder",
    "SharedDropout",
    "TableMlp",
    "Tabular",
    "TabularSettings",
    "mean_prediction",
    "mlp_recipe",
    "recipe",
]
