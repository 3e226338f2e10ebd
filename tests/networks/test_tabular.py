"""The networks for tables: any mixture of columns, missing and extreme values, the ensemble's mean, and learning."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from assay.networks.mlp import MlpSettings
from assay.networks.tabular import (
    MOST_EPOCHS,
    NumberScale,
    PiecewiseEmbedding,
    RowEncoder,
    TableMlp,
    Tabular,
    TabularSettings,
    mean_prediction,
    mlp_recipe,
    recipe,
)
from assay.samples.table_spec import CategoryColumn, NumberColumn, TableSpec
from assay.targets.class_target import ClassTarget
from assay.targets.labels_target import LabelsTarget
from assay.targets.number_target import NumberTarget
from assay.targets.target import Target
from assay.task import Situation
from assay.training.plan import Plan

SMALL = TabularSettings(width=16, members=4)
TARGETS: tuple[Target, ...] = (ClassTarget(("a", "b", "c")), LabelsTarget(("a", "b")), NumberTarget(3.0, 2.0))
NAN = math.nan


def table_spec(numbers: int = 3, categories: int = 2, target: Target = TARGETS[0]) -> TableSpec:
    columns = [NumberColumn(f"n{i}", (-2.0, -1.0, 0.0, 1.0, 2.0), missing=i == 0) for i in range(numbers)]
    kinds = [CategoryColumn(f"c{i}", tuple(map(str, range(3 if i else 20)))) for i in range(categories)]
    return TableSpec(tuple(columns), tuple(kinds), target)


def rows(spec: TableSpec, count: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(count, len(spec.numbers), generator=generator)
    codes = [torch.randint(0, size, (count,), generator=generator) for size in spec.category_sizes]
    return numbers, torch.stack(codes, 1) if codes else torch.zeros(count, 0, dtype=torch.int64)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.kind)
@pytest.mark.parametrize(("numbers", "categories"), [(3, 2), (3, 0), (0, 2), (1, 1)])
@pytest.mark.parametrize("embedding", ["piecewise", "periodic", "none"])
def test_any_mixture_of_columns(numbers: int, categories: int, target: Target, embedding: str) -> None:
    spec = table_spec(numbers, categories, target)
    network = Tabular(spec, replace(SMALL, embedding=embedding))
    assert network.train()(*rows(spec)).shape == (5, 4, target.outputs)
    assert network.eval()(*rows(spec)).shape == (5, target.outputs)
    assert network.features(*rows(spec)).shape == (5, 16)
    plain = TableMlp(spec, MlpSettings(width=16))
    assert plain(*rows(spec)).shape == (5, target.outputs)
    assert plain.features(*rows(spec)).shape == (5, 16)


@pytest.mark.parametrize("depth", [0, 1, 3])
def test_depth_counts_the_hidden_layers(depth: int) -> None:
    network = Tabular(table_spec(), replace(SMALL, depth=depth))
    assert sum(isinstance(module, nn.Linear) for module in network.modules()) == depth
    assert network(*rows(table_spec())).shape == (5, 4, 3)


def test_the_middle_half_is_one_wide_and_the_rest_stays_within_three() -> None:
    scale = NumberScale([NumberColumn("x", (0.0, 10.0, 20.0, 30.0, 1e6))])
    middle = scale(torch.tensor([[20.0], [NAN]]))
    assert middle.tolist() == [[0.0], [0.0]]
    assert scale(torch.tensor([[20.2]])).item() == pytest.approx(0.01, rel=1e-3)
    extreme = scale(torch.tensor([[1e30], [-1e30], [math.inf], [-math.inf]])).flatten()
    assert extreme.tolist() == pytest.approx([3.0, -3.0, 3.0, -3.0], abs=1e-4)


def test_columns_with_few_values_are_scaled_too() -> None:
    rare = NumberScale([NumberColumn("rare", (0.0, 0.0, 0.0, 0.0, 4.0)), NumberColumn("constant", (7.0,) * 5)])
    scaled = rare(torch.tensor([[0.0, math.inf], [4.0, 9.0]]))
    assert scaled[0].tolist() == [0.0, 0.0]
    assert scaled[1, 0].item() == pytest.approx(2 / math.sqrt(1 + 4 / 9))
    assert scaled[1, 1].item() == 0.0


def test_a_missing_value_is_marked_where_training_rows_lack_some() -> None:
    encoder = RowEncoder(table_spec(2, 0))
    assert encoder(torch.tensor([[NAN, NAN]]), torch.zeros(1, 0, dtype=torch.int64)).tolist() == [[0.0, 0.0, 1.0]]
    assert encoder.columns.tolist() == [0, 1, 2]


def test_few_categories_are_one_hot_and_an_unseen_one_is_zeros() -> None:
    columns = (CategoryColumn("a", ("x", "y")), CategoryColumn("b", ("u", "v", "w")))
    encoder = RowEncoder(TableSpec((), columns, TARGETS[0]))
    encoded = encoder(torch.zeros(3, 0), torch.tensor([[1, 3], [2, 0], [0, 0]]))
    assert encoded.tolist() == [[1.0, 0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0, 0.0], [0.0] * 5]
    assert encoder.columns.tolist() == [0, 0, 1, 1, 1]


def test_the_unseen_among_many_categories_is_zeros() -> None:
    encoder = RowEncoder(table_spec(0, 1))
    seen, unseen = encoder(torch.zeros(2, 0), torch.tensor([[20], [0]]))
    assert seen.abs().sum() > 0
    assert unseen.abs().sum() == 0


def test_a_piecewise_embedding_tells_the_quarter() -> None:
    encoder = RowEncoder(table_spec(1, 0), "piecewise", 4)
    quartiles = torch.tensor([[-9.0], [-2.0], [-1.0], [0.0], [1.0], [2.0], [9.0]])
    assert isinstance(encoder.embedding, PiecewiseEmbedding)
    within = encoder.embedding.within(encoder.scale(quartiles)).sum(dim=(1, 2))
    assert within.tolist() == pytest.approx([0, 0, 1, 2, 3, 4, 4], abs=1e-5)


@pytest.mark.parametrize("kind", ["class", "labels", "number"])
def test_the_ensemble_predicts_the_mean_of_its_members(kind: str) -> None:
    logits = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(1)) * 3
    predict = {"class": lambda x: x.softmax(-1), "labels": torch.sigmoid, "number": lambda x: x}[kind]
    torch.testing.assert_close(predict(mean_prediction(logits, kind)), predict(logits).mean(dim=1))


def test_extreme_logits_stay_finite() -> None:
    logits = torch.tensor([[[200.0, -200.0], [300.0, -300.0]]])
    assert mean_prediction(logits, "class").isfinite().all()
    assert mean_prediction(logits, "labels").isfinite().all()


def test_members_differ_and_every_weight_learns() -> None:
    spec = table_spec()
    network = Tabular(spec, replace(SMALL, dropout=0.0)).train()
    logits = network(*rows(spec, 40))
    assert logits.std(dim=1).min() > 0
    logits.square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_dropout_silences_the_same_neurons_in_all_members() -> None:
    network = Tabular(table_spec(), replace(SMALL, dropout=0.5, activation="tanh")).train()
    dropped = network.hidden[:3](torch.randn(7, 4, network.hidden[0].in_features)) == 0
    assert 0 < dropped.float().mean() < 1
    assert (dropped == dropped[:, :1]).all()
    assert not (network.eval().hidden[:3](torch.randn(7, 4, network.hidden[0].in_features)) == 0).any()


@pytest.mark.parametrize("impossible", [{"members": 0}, {"dropout": 1.0}, {"dropout": -0.1}])
def test_settings_that_make_no_ensemble_are_refused(impossible: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"member|dropout"):
        Tabular(table_spec(), replace(SMALL, **impossible))


def test_a_threshold_in_one_column_and_a_category_are_learned() -> None:
    torch.manual_seed(0)
    spec = table_spec(2, 2, ClassTarget(("no", "yes")))
    numbers, codes = rows(spec, 400)
    truth = ((numbers[:, 1].abs() > 0.7) ^ (codes[:, 1] == 2)).long()
    network = Tabular(spec, replace(SMALL, width=32)).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(200):
        logits = network(numbers, codes)
        loss = spec.target.loss(logits.flatten(0, 1), truth.repeat_interleave(4, 0), 0.0).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    accuracy = (network.eval()(numbers, codes).argmax(1) == truth).float().mean()
    assert accuracy > 0.95


def situation(samples: int, budget_s: float | None, seconds_per_sample: float = 1e-4) -> Situation:
    epochs = None if budget_s is not None else 20.0
    return Situation(table_spec(), samples, budget_s, epochs, lambda settings, plan: seconds_per_sample)


def test_the_recipe_makes_the_ensemble_smaller_where_time_is_short() -> None:
    members = [recipe(situation(100_000, budget_s))[0].members for budget_s in (None, 1e4, 60.0, 1.0)]
    assert members == sorted(members, reverse=True)
    assert members[0] > members[-1]


@pytest.mark.parametrize("samples", [1, 10, 150, 1500, 1_000_000])
def test_the_recipe_suits_any_number_of_rows(samples: int) -> None:
    for settings, plan in (recipe(situation(samples, 60.0)), mlp_recipe(situation(samples, None))):
        assert isinstance(settings, TabularSettings | MlpSettings)
        assert isinstance(plan, Plan)
        assert plan.steps >= MOST_EPOCHS * samples / plan.batch_size
        assert 32 <= plan.batch_size <= 256
        assert plan.keep == "best"
