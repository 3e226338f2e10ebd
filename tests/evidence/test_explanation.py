"""Why it answers so: verdicts from known networks, the figures, and what is unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from evidence_examples import Application, context, evaluation
from torch import Tensor, nn

from assay.errors import SettingError
from assay.evaluation.intervals import Estimate
from assay.evaluation.metrics import Accuracy
from assay.evidence import explanation
from assay.evidence.context import Context
from assay.evidence.explanation import _judge, _planned, find
from assay.report.figures import draw
from assay.samples.table_places import mask_rows, table_parts
from assay.samples.table_spec import NumberColumn, TableSpec
from assay.serving.predictor import Predictor
from assay.targets.class_target import ClassTarget
from assay.targets.number_target import NumberTarget
from assay.targets.target import Target
from assay.task import Drawing, Traits

COLUMNS = 8


@dataclass(frozen=True)
class Rows:
    index: Tensor
    numbers: Tensor
    categories: Tensor
    target: Any = None


class Linear(nn.Module):
    """Logits (B, C) out of the columns (B, P), the first the heaviest; the last four say nothing."""

    def __init__(self, outputs: int, weights: tuple[float, ...] = (4.0, 2.0, 1.0, 0.5, 0, 0, 0, 0)) -> None:
        super().__init__()
        signs = torch.tensor([[1.0], [-1.0]])[:outputs]
        self.weight = nn.Parameter(signs * torch.tensor(weights))

    def forward(self, rows: Rows) -> Tensor:
        return rows.numbers @ self.weight.T


class Columns(Application):
    """A task of number columns, explained as tables are."""

    traits = Traits("rows", "rows", "table")
    name = "columns"

    def predict(self, network: nn.Module, batch: Rows, spec: TableSpec, options: Any) -> Any:
        return spec.target.output(network(batch))

    def support(self, outputs: Any, answered: Any, spec: TableSpec) -> Any:
        return spec.target.support(outputs, answered)

    def parts(self, spec: TableSpec) -> Any:
        return table_parts(spec)

    def masked(self, batch: Rows, kept: Tensor, spec: TableSpec) -> Any:
        return mask_rows(batch, kept, spec)

    def explain(self, predictor: Any, batch: Rows) -> Any:
        from assay.evidence.table_attribution import explain_rows

        return explain_rows(predictor, batch)

    def mistakes(self, outputs: Any, truths: Any, spec: TableSpec) -> Any:
        return spec.target.mistakes(outputs, truths)

    def draw_explained(self, samples: Any, unit: int, weights: Any, spec: TableSpec, window: Any = None) -> Drawing:
        return Drawing(lines=(str(unit), f"heaviest: {int(np.abs(weights).argmax())}"))


def asked(count: int, target: Target, weights: Any = None, task: Any = None, **more: Any) -> Context:
    """A finished training of a linear network, asked about `count` rows."""
    random = np.random.default_rng(0)
    numbers = torch.from_numpy(random.normal(0, 1, (count, COLUMNS)).astype(np.float32))
    spec = TableSpec(tuple(NumberColumn(f"x{place}", (-3, -1, 0, 1, 3)) for place in range(COLUMNS)), (), target)
    network = Linear(target.outputs, *(() if weights is None else (weights,)))
    task = task or Columns(Accuracy())
    predictor = Predictor(task, spec, network)

    def batch(windows: Any) -> Rows:
        index = torch.from_numpy(np.asarray(windows))
        return Rows(index, numbers[index], torch.zeros(len(index), 0, dtype=torch.int64))

    samples = SimpleNamespace(
        unit=np.arange(count), batch=batch, id=str, view_of=lambda units: SimpleNamespace(units=units, windows=units)
    )
    outputs = predictor.respond(batch(np.arange(count))) if count else np.zeros((0, 2))
    truths = np.asarray(outputs).argmax(axis=1) if target.kind == "class" else np.asarray(outputs)
    side = evaluation(outputs, truths)
    return context(side, side, side, samples=samples, predictor=predictor, spec=spec, task=task, **more)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock on which each look takes a tenth of a millisecond, however busy the machine is."""
    clock = iter(range(10_000))
    monkeypatch.setattr(explanation.time, "monotonic", lambda: next(clock) / 10_000)


CLASS, NUMBER = ClassTarget(("a", "b")), NumberTarget(0.0, 2.0)


def test_a_network_whose_columns_are_known(fast: None) -> None:
    found = find(asked(60, CLASS))
    assert found.status == "good" and "are faithful: taking away what they mark costs" in found.verdict
    for name in ("deletion gain over chance", "insertion gain over chance"):
        number = found.numbers[name]
        assert number.low is not None and 0.02 < number.low < number.value < number.high
        assert number.unit == "points"
    alike = found.numbers["correlation with a network of random weights"]
    assert alike.low is not None and alike.value < 0.5
    assert "60 test samples in 8 parts" in found.certainty
    bars, gallery, lines = found.figures
    assert [row["label"] for row in bars.data["rows"]][:4] == ["x0", "x1", "x2", "x3"]
    assert {row["value"] for row in bars.data["rows"][4:]} == {0.0}
    assert gallery.kind == "gallery" and len(gallery.data["items"]) == 6
    assert any("heaviest: 0" in item["lines"] for item in gallery.data["items"])
    first, least, random = lines.data["series"]
    assert first["y"][0] == least["y"][0] and first["y"][-1] == least["y"][-1]
    assert first["y"][3] < random["y"][3] < least["y"][3]
    for figure in found.figures:
        assert draw(figure)


def test_a_number_moves_in_its_own_deviations(fast: None) -> None:
    found = find(asked(60, NUMBER))
    assert found.status == "good" and "moves the answer" in found.verdict and "standard deviations" in found.verdict
    number = found.numbers["deletion gain over chance"]
    assert number.unit == "" and number.low is not None and number.low > 0.1


def test_a_network_that_answers_always_alike_has_nothing_to_explain() -> None:
    found = find(asked(40, CLASS, (0.0,) * COLUMNS))
    assert found.status == "watch" and "cannot be shown" in found.verdict


class Anyhow(Columns):
    """Marks columns by their places, whatever the network."""

    def explain(self, predictor: Any, batch: Rows) -> Any:
        return np.tile(np.arange(COLUMNS, 0, -1.0), (len(batch.numbers), 1))


def test_explanations_that_do_not_depend_on_the_weights_are_told() -> None:
    found = find(asked(40, CLASS, task=Anyhow(Accuracy())))
    assert found.status == "act" and "hardly depend on what it has learned" in found.verdict
    assert found.numbers["correlation with a network of random weights"].value == pytest.approx(1)


class Unwilling(Columns):
    def explain(self, predictor: Any, batch: Rows) -> Any:
        raise SettingError("nobody knows why")


class Boundless(Columns):
    def support(self, outputs: Any, answered: Any, spec: TableSpec) -> Any:
        return None


@pytest.mark.parametrize(
    ("count", "task", "why"),
    [(5, None, "Too few test samples"), (0, None, "Too few test samples"),
     (40, Unwilling(Accuracy()), "nobody knows why"), (40, Boundless(Accuracy()), "cannot be measured")],
)  # fmt: skip
def test_what_cannot_be_explained_is_unknown(count: int, task: Any, why: str) -> None:
    found = find(asked(count, CLASS, task=task))
    assert found.status == "unknown" and why in found.verdict
    assert not found.numbers and not found.figures


@pytest.mark.parametrize(
    ("budget_s", "orders", "count"),
    [(1000.0, 4, 200), (40.0, 4, 58), (4.0, 2, 18), (1.3, 1, 10), (0.9, 1, 6), (0.25, 1, 6)],
)
def test_the_longer_it_takes_the_fewer_samples_and_steps(budget_s: float, orders: int, count: int) -> None:
    """Where a look takes 10 ms, a whole one takes 0.69 s, a brief one 0.23 s, the briefest 0.12 s."""
    planned = _planned((0.01, 0.01), budget_s)
    assert planned is not None and planned[0]["orders"] == orders and abs(planned[1] - count) <= 3


def test_samples_that_were_planned_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock on which each look takes 10 ms."""
    clock = iter(range(10_000))
    monkeypatch.setattr(explanation.time, "monotonic", lambda: next(clock) / 100)
    made = replace(asked(400, CLASS), fit_seconds=100.0)  # 4 s
    few = find(made)
    more = find(replace(made, fit_seconds=1000.0))
    counts = [int(found.certainty.split()[0]) for found in (few, more)]
    assert 10 <= counts[0] < counts[1] <= 200
    assert "in 2 random orders" in few.certainty and "in 4 random orders" in more.certainty


def test_what_takes_too_long_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1_000_000, 100))
    monkeypatch.setattr(explanation.time, "monotonic", lambda: float(next(clock)))
    found = find(asked(40, CLASS))
    assert found.status == "unknown" and "there was no time" in found.verdict and "assay explain" in found.next


SURE, UNSURE = Estimate(0.2, 0.1, 0.3), Estimate(0.01, -0.1, 0.1)


def test_verdicts() -> None:
    far, near = Estimate(0.02, -0.2, 0.2), Estimate(0.8, 0.7, 0.9)
    assert _judge(SURE, SURE, far, "%")[0] == "good"
    assert _judge(SURE, SURE, None, "%")[0] == "good"
    assert _judge(SURE, SURE, near, "%")[0] == "act"
    status, verdict, _ = _judge(SURE, UNSURE, far, "%")
    assert status == "watch" and "taking away what they mark costs 20.0 points" in verdict
    status, verdict, _ = _judge(UNSURE, SURE, far, "%")
    assert status == "watch" and "showing what they mark brings back 20.0 points" in verdict
    assert _judge(UNSURE, UNSURE, far, "%")[0] == "watch"
    assert "0.2 standard deviations further" in _judge(SURE, SURE, far, "standard deviations")[1]
