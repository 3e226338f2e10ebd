"""A training that ends with its time: run again or resumed with its revisions, it gives the same weights."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import job, network, points

from assay.training import loop
from assay.training.loop import Interrupted, fit
from assay.training.pace import Pace
from assay.training.plan import Plan
from assay.training.state import Position

PLAN = Plan(steps=60, batch_size=8, learning_rate=0.02, averaging=0.9, checks=5)


def on_a_clock(monkeypatch: pytest.MonkeyPatch, step_s: Callable[[int], float]) -> None:
    """Let the n-th look at the clock find it so many seconds later."""

    class Made:
        def __init__(self, spent: float) -> None:
            self.now, self.looks = spent, 0

        def __call__(self) -> float:
            self.looks += 1
            self.now += step_s(self.looks)
            return self.now

    monkeypatch.setattr(loop, "Clock", Made)


def trained(folder: Path, known: Mapping[int, int], stop_at: int | None = None) -> tuple[Any, Position, dict[int, int]]:
    """A network's weights after a training of ten made-up seconds, its last position, and all revisions."""
    kept, stop, net = dict(known), threading.Event(), network()
    work = job(points(folder.parent), PLAN, folder, snapshot_every=7, stop=stop)
    work.pace = Pace(10.0, None, 0.0, known, lambda step, end: kept.update({step: end}))

    def record(line: Mapping[str, Any]) -> None:
        if stop_at is not None and line["step"] >= stop_at:
            stop.set()

    work.record = record
    try:
        state = fit(net, work)
    except Interrupted:
        return None, Position(), kept
    return {name: value.clone() for name, value in net.state_dict().items()}, state.position, kept


def test_run_again_with_its_revisions_it_gives_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_a_clock(monkeypatch, lambda look: 0.03 + 0.02 * (look % 3))
    weights, position, revisions = trained(tmp_path / "first", {})
    assert len(revisions) > 3 and position.step == position.end != PLAN.steps
    on_a_clock(monkeypatch, lambda look: 0.5)
    again, place, same = trained(tmp_path / "again", revisions)
    assert (same, place.step, place.leg_share) == (revisions, position.step, position.leg_share)
    assert all(torch.equal(value, again[name]) for name, value in weights.items())


@pytest.mark.parametrize("stop_at", [4, 23, 50])
def test_stopped_and_resumed_it_gives_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop_at: int
) -> None:
    on_a_clock(monkeypatch, lambda look: 0.05)
    weights, _, revisions = trained(tmp_path / "first", {})
    nothing, _, kept = trained(tmp_path / "again", revisions, stop_at)
    assert nothing is None
    on_a_clock(monkeypatch, lambda look: 0.2)
    again, _, _ = trained(tmp_path / "again", kept)
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
