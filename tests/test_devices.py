"""Training by two processes: the same losses as in one, a lost worker, and what cannot be asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Lines = list[dict[str, Any]]


def losses(run: Path) -> list[float]:
    lines: Lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line["train_loss"] for line in lines if "train_loss" in line]


@pytest.fixture(scope="module")
def trained(command: Callable[..., Any], digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Trains on the digits for ten steps."""

    def train(name: str, *words: object) -> Path:
        run = tmp_path_factory.mktemp("devices") / name
        plan = ("--network", "mlp", "--set", "width=16", "--set", "batch_size=16", "--epochs", 10 / 7)
        done = command("train", digits, "--out", run, *plan, "--evidence", "none", *words)
        assert done.code == 0, done.err
        return run

    return train


def test_two_processes_give_the_losses_of_one(trained: Callable[..., Path]) -> None:
    one, two = losses(trained("one")), losses(trained("two", "--devices", 2))
    assert len(one) == 10
    assert two == pytest.approx(one, rel=1e-5)
