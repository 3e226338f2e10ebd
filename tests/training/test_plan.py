"""Schedules to the last digit, and settings given as text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest

from assay.errors import SettingError
from assay.training.plan import Plan, apply_settings, learning_rate_at, parse_value

GOLDEN = {
    "one-cycle": [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125],
    "cosine": [0.5, 1.0, 1.0, 0.9619397662556434, 0.8535533905932737, 0.6913417161825449, 0.5, 0.3086582838174551,
               0.14644660940672627, 0.03806023374435663],
    "constant": [1.0] * 10,
}  # fmt: skip


@pytest.mark.parametrize("schedule", GOLDEN)
def test_schedules(schedule: Any) -> None:
    plan = Plan(steps=10, learning_rate=2.0, schedule=schedule, warmup=0.2)
    assert [learning_rate_at(step, plan) / 2 for step in range(10)] == pytest.approx(GOLDEN[schedule], abs=1e-15)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.2), (2, 0.0), (7, 1.0), (1000, 0.3)])
def test_a_schedule_never_leaves_its_range(schedule: Any, steps: int, warmup: float) -> None:
    rates = [learning_rate_at(step, Plan(steps=steps, warmup=warmup, schedule=schedule)) for step in range(steps)]
    assert all(0 < rate <= 1e-3 for rate in rates) and max(rates) == pytest.approx(1e-3)


@dataclass(frozen=True)
class Settings:
    depth: int = 2
    rate: float = 0.1
    kind: Literal["plain", "deep"] = "plain"
    bias: bool = True
    limit: int | None = None
    name: str = "a"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [("depth", "4", 4), ("depth", "1e2", 100), ("rate", "3", 3.0), ("rate", "1e-4", 1e-4), ("kind", "deep", "deep"),
     ("bias", "no", False), ("bias", "True", True), ("limit", "none", None), ("limit", "7", 7), ("name", "b", "b")],
)  # fmt: skip
def test_values(name: str, text: str, value: Any) -> None:
    found = parse_value(Settings(), name, text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [("depth", "2.5", "whole number"), ("depth", "two", "not a number"), ("depth", "nan", "not a number"),
     ("rate", "inf", "not a number"), ("rate", "", "not a number"), ("kind", "dep", "not possible"),
     ("bias", "perhaps", "true or false"), ("limit", "x", "not a number"), ("limit", "1.5", "whole number")],
)  # fmt: skip
def test_values_that_are_none(name: str, text: str, words: str) -> None:
    with pytest.raises(SettingError, match=words):
        parse_value(Settings(), name, text)


def test_settings_go_to_the_network_or_to_the_plan() -> None:
    given = {"depth": "5", "learning_rate": "0.5", "optimizer": "muon", "augment.flip": "0"}
    settings, plan = apply_settings(Settings(), Plan(augment={"flip": 0.5, "turn": 3.0}), given)
    assert settings == replace(Settings(), depth=5)
    assert plan == Plan(learning_rate=0.5, optimizer="muon", augment={"flip": 0.0, "turn": 3.0})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("learningrate", "learning_rate"),
        ("dept", "depth"),
        ("augment.flop", "flip"),
        ("steps", "Known"),
        ("seed", "rate"),
    ],
)
def test_unknown_settings_suggest_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(SettingError) as caught:
        apply_settings(Settings(), Plan(augment={"flip": 0.5}), {name: "1"})
    assert name.removeprefix("augment.") in caught.value.message and caught.value.hint


def test_a_choice_suggests_the_nearest() -> None:
    with pytest.raises(SettingError) as caught:
        apply_settings(Settings(), Plan(), {"optimizer": "adam"})
    assert "adamw" in caught.value.hint
