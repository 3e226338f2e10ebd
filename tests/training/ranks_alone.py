"""Several processes against one: the same losses and weights, whatever a network and its loss do across a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import PointBatch, Points, job, points
from together import together
from torch import Tensor, nn

from assay.networks.dropout import Dropout
from assay.networks.stochastic_depth import skipped_branch
from assay.networks.token_loss import per_text
from assay.samples.samples import Samples
from assay.training.loop import Interrupted, fit
from assay.training.plan import Plan
from assay.training.ranks import Ranks
from assay.training.recompute import repeated_blocks
from assay.training.state import whole

PLAN = Plan(steps=12, batch_size=9, learning_rate=0.02, optimizer="sgd", checks=3, seed=3)


class Random(nn.Module):
    """Every kind of random number that a network draws, and a layer that is used now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last, self.idle = nn.Linear(5, 12), nn.Linear(12, 3), nn.Linear(3, 3)
        self.quick, self.channels = Dropout(0.3), nn.Dropout2d(0.2)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.quick(nn.functional.dropout(self.first(x).relu(), 0.2, self.training))
        hidden = hidden + skipped_branch(hidden.tanh(), 0.4, self.training)
        maps: Tensor = self.channels(hidden.view(-1, 3, 2, 2))
        answer: Tensor = self.last(maps.flatten(1))
        return answer


def normalised() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


class Counted(Points):
    """Divides its loss by what the whole batch holds, as the loss of a token does."""

    def objective(self, network: nn.Module, batch: PointBatch, plan: Any, spec: Any) -> Tensor:
        losses = nn.functional.cross_entropy(network(batch.point), batch.target, reduction="none")
        real = torch.arange(3)[None] <= batch.target[:, None]  # one to three tokens each
        return per_text(losses[:, None].expand(-1, 3)[real], real)


def fitted(make: Callable[[], nn.Module], samples: Samples, plan: Plan, task: Any, ranks: Ranks) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    torch.manual_seed(5)
    network = make()
    fit(network, job(samples, plan, task=task, record=lines.append, ranks=ranks))
    found = {name: [line[name] for line in lines if name in line] for name in ("train_loss", "validation_loss")}
    return found | {"weights": [value.tolist() for value in network.state_dict().values()]}


def flat(value: Any) -> list[float]:
    return [item for part in value for item in flat(part)] if isinstance(value, list) else [float(value)]


@pytest.mark.parametrize("size, accumulate", [(2, 1), (3, 1), (2, 2)])
def test_several_processes_train_as_one(tmp_path: Path, size: int, accumulate: int) -> None:
    samples = points(tmp_path)
    cases: list[tuple[Callable[[], nn.Module], Any]] = [(Random, Points()), (Random, Counted())]
    if accumulate == 1:
        cases.append((normalised, Points()))
    one = [fitted(make, samples, PLAN, task, Ranks()) for make, task in cases]
    plan = replace(PLAN, accumulate=accumulate)
    several = together(tmp_path / "several", size, lambda ranks: [fitted(m, samples, plan, t, ranks) for m, t in cases])
    for rank in range(1, size):
        assert [case["weights"] for case in several[rank]] == [case["weights"] for case in several[0]], "bit for bit"
    for alone, shared in zip(one, several[0], strict=True):
        for name in ("train_loss", "validation_loss", "weights"):
            assert flat(shared[name]) == pytest.approx(flat(alone[name]), rel=1e-5, abs=1e-6), name


def test_parts_of_one_process_give_the_whole_step(tmp_path: Path) -> None:
    samples = points(tmp_path)
    whole = fitted(Random, samples, PLAN, Counted(), Ranks())
    parts = fitted(Random, samples, replace(PLAN, accumulate=4), Counted(), Ranks())
    assert parts["train_loss"] == pytest.approx(whole["train_loss"], rel=1e-5)


def test_processes_that_normalise_by_themselves_hold_the_same_state(tmp_path: Path) -> None:
    samples, plan = points(tmp_path), replace(PLAN, batch_norm="each", averaging=0.5)
    found = together(tmp_path / "each", 2, lambda ranks: fitted(normalised, samples, plan, Points(), ranks))
    assert found[0]["weights"] == found[1]["weights"] and found[0]["validation_loss"] == found[1]["validation_loss"]
    alone = fitted(normalised, samples, plan, Points(), Ranks())
    assert found[0]["train_loss"] != pytest.approx(alone["train_loss"], rel=1e-5)


@pytest.mark.parametrize("count, size, rounds", [(9, 2, 1), (10, 3, 2), (6, 3, 2), (128, 5, 1)])
def test_parts_cover_a_batch_in_order(count: int, size: int, rounds: int) -> None:
    parts = [part for rank in range(size) for part in Ranks(rank, size).parts(count, rounds)]
    rows = [row for part in parts for row in range(count)[part]]
    lengths = [part.stop - part.start for part in parts]
    assert rows == list(range(count)) and max(lengths) - min(lengths) <= 1 and min(lengths) > 0


def stacked() -> nn.Module:
    """A stack of blocks with dropout and batch normalisation inside."""
    blocks = [nn.Sequential(nn.Linear(6, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.2)) for _ in range(3)]
    return nn.Sequential(nn.Linear(5, 6), nn.Sequential(*blocks), nn.Linear(6, 3))


def test_values_that_are_computed_twice_are_the_same(tmp_path: Path) -> None:
    samples = points(tmp_path)
    assert len(repeated_blocks(stacked())) == 3
    kept = fitted(stacked, samples, PLAN, Points(), Ranks())
    twice = fitted(stacked, samples, replace(PLAN, recompute=True), Points(), Ranks())
    assert flat(twice["weights"]) == pytest.approx(flat(kept["weights"]), rel=1e-6)
    shared = together(
        tmp_path / "twice", 2, lambda ranks: fitted(stacked, samples, replace(PLAN, recompute=True), Points(), ranks)
    )
    assert shared[0]["train_loss"] == pytest.approx(kept["train_loss"], rel=1e-5)


def piecewise() -> nn.Module:
    blocks = [nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Dropout(0.2)) for _ in range(2)]
    return nn.Sequential(nn.Linear(5, 6), nn.Sequential(*blocks), nn.Linear(6, 3))


def test_divided_weights_train_as_one_and_go_on_by_another_number(tmp_path: Path) -> None:
    samples, plan = points(tmp_path), replace(PLAN, optimizer="adamw", averaging=0.8, gradient_clip=1.0, shards=True)
    alone = fitted(piecewise, samples, plan, Points(), Ranks())

    def divided(ranks: Ranks, folder: Path, stop_at: int | None) -> dict[str, Any]:
        lines: list[dict[str, Any]] = []
        stop = threading.Event()

        def record(line: dict[str, Any]) -> None:
            lines.append(line)
            if stop_at is not None and line["step"] >= stop_at:
                stop.set()

        torch.manual_seed(5)
        network, norms = piecewise(), "gradient_norms"
        about = job(samples, plan, folder, record=record, ranks=ranks, stop=stop)
        try:
            state = fit(network, about)
        except Interrupted:
            return {"train_loss": [line["train_loss"] for line in lines if "train_loss" in line], "weights": []}
        weights = [whole(value).tolist() for value in state.network.state_dict().values()]
        losses = [line["train_loss"] for line in lines if "train_loss" in line]
        return {"train_loss": losses, "weights": weights, norms: [line[norms] for line in lines if norms in line]}

    found = together(tmp_path / "divided", 2, lambda ranks: divided(ranks, tmp_path / "run", None))
    assert found[0]["train_loss"] == pytest.approx(alone["train_loss"], rel=1e-5)
    assert flat(found[0]["weights"]) == pytest.approx(flat(alone["weights"]), rel=1e-4, abs=1e-6)
    first = together(tmp_path / "begun", 2, lambda ranks: divided(ranks, tmp_path / "stopped", 5))
    assert 5 <= len(first[0]["train_loss"]) < 12 and len(list((tmp_path / "stopped").glob("*-of-00002.*"))) == 2
    rest = together(tmp_path / "other", 3, lambda ranks: divided(ranks, tmp_path / "stopped", None))
    losses = first[0]["train_loss"] + rest[0]["train_loss"]
    assert losses == pytest.approx(alone["train_loss"], rel=1e-5)


def test_a_compiled_network_makes_the_training_steps_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[bool] = []

    class Compiled(nn.Module):
        def __init__(self, network: nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            steps.append(self.network.training)
            answer: Tensor = self.network(x)
            return answer

    monkeypatch.setattr(torch, "compile", Compiled)
    samples = points(tmp_path)
    compiled = fitted(Random, samples, replace(PLAN, compile=True), Points(), Ranks())
    assert compiled == fitted(Random, samples, PLAN, Points(), Ranks())
    assert steps == [True] * PLAN.steps
