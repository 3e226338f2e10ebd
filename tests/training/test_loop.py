"""The loop against a bare one, interrupted and not, and when the loss is no number."""

from __future__ import annotations

import itertools
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import Points, job, network, points, same
from torch import nn
from torch.optim import SGD, AdamW

from assay.errors import RunError, TrainingError
from assay.networks.mlp import Mlp, MlpSettings
from assay.samples.draws import Draws, key_of, order
from assay.training.loop import Interrupted, fit, layers_with_parameters
from assay.training.optimisers import Muon
from assay.training.plan import Plan, learning_rate_at


def bare(net: nn.Module, samples: Any, plan: Plan) -> nn.Module:
    """The same training, written as the tutorials do, with the published optimisers."""
    matrices = [p for p in net.parameters() if p.dim() >= 2]
    vectors = [p for p in net.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": plan.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if plan.optimizer == "adamw":
        optimizer: Any = AdamW(groups, lr=1.0, betas=(plan.momentum, 0.99), fused=True)
    elif plan.optimizer == "sgd":
        optimizer = SGD(groups, lr=1.0, momentum=plan.momentum, nesterov=True)
    else:
        optimizer = Muon(
            [{**groups[0], "matrix": True}, {**groups[1], "matrix": False}], lr=1.0, momentum=plan.momentum
        )
    data = samples.view(0)
    point, target = torch.from_numpy(data.array("point")), torch.from_numpy(data.array("target"))
    per_epoch = len(data) // plan.batch_size
    net.train()
    for step in range(plan.steps):
        epoch, place = divmod(step, per_epoch)
        chosen = order(np.arange(len(data)), "order", plan.seed, epoch)[
            place * plan.batch_size : (place + 1) * plan.batch_size
        ]
        torch.manual_seed(int(key_of(plan.seed, "step", step)) >> 1)
        noise = (Draws(plan.seed, epoch, chosen).uniform("noise", 5) - 0.5) * 0.1
        loss = nn.functional.cross_entropy(net(point[chosen] + noise), target[chosen], reduction="none").mean()
        optimizer.zero_grad()
        loss.backward()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at((step + 0.5) / plan.steps, plan)
        optimizer.step()
    return net


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
def test_a_bare_loop_gives_the_same_weights_bit_for_bit(tmp_path: Path, optimizer: Any) -> None:
    plan = Plan(steps=25, batch_size=8, optimizer=optimizer, learning_rate=0.02, weight_decay=0.05, seed=4)
    samples, ours = points(tmp_path), network()
    fit(ours, job(samples, plan))
    assert same(ours.state_dict().items(), bare(network(), samples, plan).state_dict().items())


FULL = Plan(steps=33, batch_size=8, learning_rate=0.02, weight_decay=0.01, averaging=0.9, keep="best", checks=11,
            l1=1e-4, gradient_clip=1.0)  # fmt: skip


def interrupted(samples: Any, plan: Plan, folder: Path, stops: list[int]) -> tuple[Any, Any]:
    """Stop after each of `stops`, every time in a new network, and finish."""
    for at in [*stops, None]:
        stop = threading.Event()

        def record(line: dict[str, Any], at: int | None = at, stop: threading.Event = stop) -> None:
            if at is not None and line["step"] >= at:
                stop.set()

        net = network(seed=99 if at != stops[0] else 0)
        try:
            return net, fit(net, job(samples, plan, folder, record=record, stop=stop, snapshot_every=7))
        except Interrupted:
            continue
    raise ValueError("never finished")


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
@pytest.mark.parametrize("seed", [0, 1])
def test_interrupted_anywhere_is_as_if_never(tmp_path: Path, optimizer: Any, seed: int) -> None:
    plan = replace(FULL, optimizer=optimizer, seed=seed)
    samples, whole = points(tmp_path), network()
    state = fit(whole, job(samples, plan))
    stops = sorted(np.random.default_rng(seed).choice(np.arange(1, 33), 4, replace=False).tolist())
    again, resumed = interrupted(samples, plan, tmp_path / "run", stops)
    assert same(whole.state_dict().items(), again.state_dict().items())
    assert state.average is not None and resumed.average is not None
    assert same(state.average.items(), resumed.average.items())
    assert (state.position.best_loss, state.position.best_step) == (
        resumed.position.best_loss,
        resumed.position.best_step,
    )


@pytest.mark.parametrize("stop_at", [5, 9, 13])
def test_early_stopping_counts_across_an_interruption(tmp_path: Path, stop_at: int) -> None:
    plan = Plan(steps=60, batch_size=8, learning_rate=0.5, optimizer="sgd", checks=30, early_stopping=3, keep="best")
    samples, whole = points(tmp_path), network()
    state = fit(whole, job(samples, plan))
    assert stop_at < state.position.step < 60 and state.position.waited == 3
    again, resumed = interrupted(samples, plan, tmp_path / "run", [stop_at])
    assert resumed.position.step == state.position.step
    assert same(whole.state_dict().items(), again.state_dict().items())


def test_keep_best_leaves_the_weights_of_the_best_check(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    plan = Plan(steps=40, batch_size=8, learning_rate=0.3, optimizer="sgd", schedule="constant", checks=20, keep="best")
    state = fit(network(), job(points(tmp_path), plan, record=lines.append))
    checks = [(line["validation_loss"], line["step"]) for line in lines if "validation_loss" in line]
    assert (state.position.best_loss, state.position.best_step) == min(checks)
    assert len(checks) == 21 and checks[0][1] == 0


def test_averaging_is_the_exponential_mean_of_the_weights(tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []
    net = network()
    plan = Plan(steps=20, batch_size=8, learning_rate=0.05, averaging=0.7, checks=1)
    state = fit(net, job(points(tmp_path), plan, record=lambda line: seen.append(net.head.weight.detach().clone())))
    mean = seen[0]
    for step, weight in enumerate(seen[1:20], 1):
        keep = min(0.7, (1 + step) / (10 + step))
        mean = keep * mean + (1 - keep) * weight
    assert state.average is not None
    assert torch.allclose(mean, state.average["head.weight"], atol=1e-6)
    assert torch.equal(net.head.weight, state.average["head.weight"]), "the mean is what is kept"


# A loss that is no number --------------------------------------------------------------------------------------------


def spoiled_at(*steps: int) -> Any:
    """Makes the loss of the given calls infinite."""
    return lambda losses, step: losses * (math.inf if step in steps else 1.0)


def test_a_loss_that_is_no_number_goes_back_with_half_the_rate_and_says_so(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    plan = Plan(steps=20, batch_size=8, schedule="constant", learning_rate=0.01)
    state = fit(
        network(), job(points(tmp_path), plan, task=Points(spoiled_at(13)), record=lines.append, snapshot_every=5)
    )
    events = [line for line in lines if "event" in line]
    assert [line["step"] for line in events] == [10] and "inf at step 13" in events[0]["event"]
    assert "times 0.5" in events[0]["event"]
    assert state.position.step == 20 and state.position.rate_scale == 0.5
    rates = [line["learning_rate"] for line in lines if "learning_rate" in line]
    assert rates[:13] == [0.01] * 13 and rates[13:] == [0.005] * 10


def test_a_loss_that_stays_no_number_ends_with_an_error(tmp_path: Path) -> None:
    task = Points(lambda losses, step: losses * (math.nan if step >= 7 else 1.0))
    with pytest.raises(TrainingError, match="nan at step 5, however small"):
        fit(network(), job(points(tmp_path), Plan(steps=20, batch_size=8), task=task, snapshot_every=5))


def test_weights_that_are_no_numbers_are_never_kept(tmp_path: Path) -> None:
    """The last step spoils the weights; no later loss would tell."""
    broken = {"done": False}

    def spoil(losses: torch.Tensor, step: int) -> torch.Tensor:
        if step == 19 and not broken["done"]:
            broken["done"] = True
            losses.register_hook(lambda gradient: gradient * math.nan)
        return losses

    net = network()
    plan = Plan(steps=20, batch_size=8, schedule="constant", keep="best", checks=4)
    state = fit(net, job(points(tmp_path), plan, task=Points(spoil), snapshot_every=5))
    assert broken["done"] and state.position.rate_scale == 0.5
    assert all(value.isfinite().all() for value in net.state_dict().values())


def test_a_first_check_that_is_no_number_does_not_stay_the_best(tmp_path: Path) -> None:
    class Blind(Points):
        checks = 0

        def objective(self, net: nn.Module, batch: Any, plan: Any, spec: Any) -> Any:
            losses = super().objective(net, batch, plan, spec)
            if not net.training:
                Blind.checks += 1
                return losses * (math.nan if Blind.checks <= 2 else 1.0)
            return losses

    state = fit(network(), job(points(tmp_path), Plan(steps=20, batch_size=8, checks=4, keep="best"), task=Blind()))
    assert state.position.best_loss is not None and math.isfinite(state.position.best_loss)


# Regularisation and history ------------------------------------------------------------------------------------------


def test_l1_adds_the_sign_of_the_weights_to_their_gradient(tmp_path: Path) -> None:
    samples, moved = points(tmp_path), []
    before = {name: value.detach().clone() for name, value in network(dropout=0.0).named_parameters()}
    for strength in (0.0, 0.3):
        net = network(dropout=0.0)
        plan = Plan(steps=1, batch_size=8, optimizer="sgd", momentum=0.0, schedule="constant", learning_rate=0.1)
        fit(net, job(samples, replace(plan, l1=strength)))
        moved.append({name: (before[name] - value.detach()) / 0.1 for name, value in net.named_parameters()})
    for name, plain in moved[0].items():
        extra = before[name].sign() * 0.3 if plain.dim() >= 2 else torch.zeros_like(plain)
        assert torch.allclose(moved[1][name], plain + extra, atol=1e-5)


def test_gradient_clip_bounds_the_step(tmp_path: Path) -> None:
    net = network(dropout=0.0)
    before = torch.cat([value.detach().flatten().clone() for value in net.parameters()])
    plan = Plan(steps=1, batch_size=8, optimizer="sgd", momentum=0.0, schedule="constant", learning_rate=1.0,
                gradient_clip=0.01)  # fmt: skip
    fit(net, job(points(tmp_path), plan))
    moved = torch.cat([value.detach().flatten() for value in net.parameters()]) - before
    assert float(moved.norm()) == pytest.approx(0.01, rel=1e-3)


def test_the_history_holds_every_layer_and_the_last_step(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = []
    net = network()
    fit(net, job(points(tmp_path), Plan(steps=450, batch_size=8, checks=3), record=lines.append))
    steps = [line for line in lines if "train_loss" in line]
    assert 100 <= len(steps) <= 126 and steps[-1]["step"] == 450
    names = [name for name, _ in layers_with_parameters(net)]
    assert list(steps[0]["gradient_norms"]) == names and len(names) == 3
    assert all(value > 0 for value in steps[0]["gradient_norms"].values())


@pytest.mark.parametrize(("steps", "checks"), [(10, 3), (3, 10), (1, 1), (100, 7)])
def test_checks_are_even_and_end_with_the_last_step(tmp_path: Path, steps: int, checks: int) -> None:
    lines: list[dict[str, Any]] = []
    fit(network(), job(points(tmp_path), Plan(steps=steps, batch_size=8, checks=checks), record=lines.append))
    found = [line["step"] for line in lines if "validation_loss" in line]
    assert found[-1] == steps and found[0] >= 1 and len(found) == min(steps, checks)
    assert max(np.diff([0, *found])) - min(np.diff([0, *found])) <= 1


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "state.safetensors").write_bytes(b"not one")
    with pytest.raises(RunError, match="damaged"):
        fit(network(), job(points(tmp_path), Plan(steps=2, batch_size=8), tmp_path / "run"))


# Back-propagation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "normalise"), list(itertools.product(["relu", "gelu", "tanh"], [False, True])))
def test_gradients_of_the_mlp_by_finite_differences(name: str, normalise: bool) -> None:
    torch.manual_seed(1)
    net = Mlp(4, 3, MlpSettings(depth=2, width=6, activation=name, normalise=normalise)).double()
    x, target = torch.randn(7, 4, dtype=torch.float64), torch.arange(7) % 3

    def loss() -> torch.Tensor:
        return nn.functional.cross_entropy(net(x), target)

    loss().backward()
    for parameter in net.parameters():
        flat = parameter.data.view(-1)
        for place in range(0, flat.numel(), 5):
            values, kept = [], float(flat[place])
            for moved in (kept + 1e-6, kept - 1e-6):
                flat[place] = moved
                values.append(float(loss().detach()))
            flat[place] = kept
            gradient = float(parameter.grad.view(-1)[place])  # type: ignore[union-attr]
            assert (values[0] - values[1]) / 2e-6 == pytest.approx(gradient, rel=1e-4, abs=1e-7)
