"""`torch.compile` is chosen where measured steps say that it pays."""

from __future__ import annotations

from typing import Any

import pytest

from assay.errors import SettingError
from assay.pacing import choose_compiling
from assay.training.plan import Plan


class Measured:
    """A stopwatch that has measured."""

    def __init__(self, saves: float) -> None:
        self.saves, self.asked = saves, 0

    def saved_by_compiling(self, settings: Any, plan: Plan, steps: int) -> float:
        self.asked += 1
        return self.saves


@pytest.mark.parametrize("saves, loop_s, chosen", [(0.2, 3600.0, True), (0.01, 3600.0, False), (0.2, 60.0, False)])
def test_compiling_is_chosen_where_it_saves(saves: float, loop_s: float, chosen: bool) -> None:
    measured: Any = Measured(saves)
    assert choose_compiling(Plan(steps=1000), None, measured, loop_s, 1, False) is chosen
    assert measured.asked == (loop_s > 900)


@pytest.mark.parametrize("plan, devices", [(Plan(), 2), (Plan(accumulate=2), 1), (Plan(recompute=True), 1)])
def test_it_is_not_tried_where_a_step_is_divided(plan: Plan, devices: int) -> None:
    measured: Any = Measured(0.5)
    assert not choose_compiling(plan, None, measured, 3600.0, devices, False) and not measured.asked


def test_what_the_user_says_is_not_measured() -> None:
    measured: Any = Measured(0.5)
    assert choose_compiling(Plan(compile=True), None, measured, 10.0, 1, True)
    assert not choose_compiling(Plan(), None, measured, 3600.0, 1, True) and not measured.asked
    with pytest.raises(SettingError, match="compile"):
        choose_compiling(Plan(compile=True), None, measured, 3600.0, 2, True)
