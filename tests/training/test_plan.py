"""Schedules to the last digit, and settings given as text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest

from assay.errors import SettingError
from assay.training.plan import Plan, apply_settings, learning_rate_at, parse_value

#: Of ten steps, each at its middle.
GOLDEN = {
    "one-cycle": [0.25, 0.75, 0.9375, 0.8125, 0.6875, 0.5625, 0.4375, 0.3125, 0.1875, 0.0625],
    "cosine": [0.25, 0.75, 0.9903926402016152, 0.9157348061512727, 0.7777851165098011, 0.5975451610080642,
               0.4024548389919359, 0.22221488349019888, 0.08426519384872744, 0.00960735979838478],
    "constant": [1.0] * 10,
}  # fmt: skip


@pytest.mark.parametrize("schedule", GOLDEN)
def test_schedules(schedule: Any) -> None:
    plan = Plan(steps=10, learning_rate=2.0, schedule=schedule, warmup=0.2)
    rates = [learning_rate_at((step + 0.5) / 10, plan) / 2 for step in range(10)]
    assert rates == pytest.approx(GOLDEN[schedule], abs=1e-12)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0.2), (2, 0.0), (7, 1.0), (1000, 0.3)])
def test_a_schedule_never_leaves_its_range(schedule: Any, steps: int, warmup: float) -> None:
    plan = Plan(steps=steps, warmup=warmup, schedule=schedule)
    rates = [learning_rate_at((step + 0.5) / steps, plan) for step in range(steps)]
    assert all(0 < rate <= 1e-3 for rate in rates)
    assert learning_rate_at(warmup, plan) == pytest.approx(1e-3)
    assert learning_rate_at(1.0, plan) == pytest.approx(0 if warmup < 1 else 1e-3)


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
