"""What a search varies: declared ranges, what the application adds, and what the user asks for."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from typing import Any

import pytest

import assay.networks
from assay.errors import SettingError
from assay.training.plan import Plan
from assay.training.ranges import BODY_RATE, HALVES, SHARE, WIDTH, Choice, Range, range_of, searched
from assay.training.space import applied, chosen, dimensions


@dataclasses.dataclass(frozen=True)
class Settings:
    width: int = searched(48, WIDTH)
    heads: int = searched(192, HALVES)
    depth: int = searched(2, Range(1, 4, step=1))
    dropout: float = searched(0.7, SHARE)
    rate: float = searched(0.1, BODY_RATE)
    kind: str = searched("c", Choice(("a", "b")))
    untouched: int = 3


PLAN = Plan(learning_rate=0.01, weight_decay=0.0, augment={"flip": 0.5, "crop": 1.0})
HOLDS = {"augment.flip": (0.0, 0.5), "augment.crop": (1.0, 0.6), "augment.unknown": (0.0, 1.0), "mixup": (0.0, 0.4)}


def of(fixed: tuple[str, ...] = ()) -> dict[str, Any]:
    return {one.name: one for one in dimensions(Settings(), PLAN, HOLDS, 1000, fixed)}


def test_ranges_follow_the_proposal_and_hold_it() -> None:
    found = of()
    assert (found["width"].low, found["width"].high, found["width"].step) == (24, 96, 8)
    assert (found["heads"].low, found["heads"].high, found["heads"].step) == (96, 384, 96)
    assert (found["depth"].low, found["depth"].high) == (1, 4)
    assert (found["dropout"].low, found["dropout"].high) == (0.0, 0.7)
    assert found["rate"].log and found["rate"].low == pytest.approx(0.03)
    assert found["kind"].choices == ("c", "a", "b")
    assert found["learning_rate"].high == pytest.approx(0.05)
    assert "untouched" not in found and "augment.unknown" not in found


def test_what_the_application_adds_reaches_beyond_its_moderate_strength() -> None:
    found = of()
    assert (found["augment.flip"].low, found["augment.flip"].high) == (0.0, 0.75)
    assert (found["augment.crop"].low, found["augment.crop"].high) == (0.4, 1.0)
    assert found["mixup"].high == pytest.approx(0.6)


def test_weight_decay_is_measured_by_what_it_does() -> None:
    """Two thirds of a weight go at 2 / (learning rate × steps) = 0.2; a decay of zero begins at the lower end."""
    decay = of()["weight_decay"]
    assert (decay.low, decay.high, decay.default) == (pytest.approx(0.002), pytest.approx(0.4), pytest.approx(0.002))


def test_what_is_set_by_hand_is_not_searched() -> None:
    assert "width" not in of(("width",)) and "width" in of()


def test_values_go_where_they_belong() -> None:
    settings, plan = applied(Settings(), PLAN, {"width": 32, "learning_rate": 0.02, "augment.flip": 0.1})
    assert settings.width == 32 and plan.learning_rate == 0.02 and plan.augment == {"flip": 0.1, "crop": 1.0}


def test_a_user_narrows_the_search() -> None:
    found = list(of().values())
    names = {"width": "30..70", "kind": "a|b", "dropout": "", "of another network": ""}
    mine = {one.name: one for one in chosen(found, names)}
    assert set(mine) == {"width", "kind", "dropout"}
    assert (mine["width"].low, mine["width"].high, mine["width"].default) == (32, 64, 48)
    assert mine["kind"].choices == ("a", "b") and mine["kind"].default == "a"


@pytest.mark.parametrize("text", ["5", "2..1", "a..b", "0..1e999", "-1..1"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="learning_rate"):
        chosen(list(of().values()), {"learning_rate": text})


def test_a_choice_that_is_none_is_refused() -> None:
    with pytest.raises(SettingError, match="kind=a"):
        chosen(list(of().values()), {"kind": "a|z"})


def all_settings() -> list[type[Any]]:
    """Every dataclass of hyper-parameters in `assay.networks`."""
    found = []
    for module in pkgutil.iter_modules(assay.networks.__path__):
        loaded = importlib.import_module(f"assay.networks.{module.name}")
        found += [
            kind
            for name, kind in vars(loaded).items()
            if name.endswith("Settings") and dataclasses.is_dataclass(kind) and kind.__module__ == loaded.__name__
        ]
    return found


def test_every_network_can_be_searched_from_its_defaults() -> None:
    kinds = all_settings()
    assert len(kinds) > 20
    for kind in kinds:
        settings: Any = kind()
        found = dimensions(settings, Plan(), {}, 500, ())
        assert {"learning_rate", "weight_decay"} <= {one.name for one in found}
        own = [item.name for item in dataclasses.fields(settings) if range_of(item) is not None]
        assert own, kind
        for one in found:
            if not one.choices:
                assert one.low is not None and one.high is not None
                assert one.low <= one.default <= one.high, (kind, one)
                assert not one.step or (one.high - one.low) % one.step == (one.default - one.low) % one.step == 0
