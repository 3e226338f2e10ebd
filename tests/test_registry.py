"""The applications by name, and what happens where another package's is broken."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from assay import registry
from assay.errors import SettingError


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """The entry points of other packages."""
    found: list[EntryPoint] = []

    def entry_points(group: str) -> Any:
        return found if group == "assay.tasks" else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    return found


def test_a_task_of_another_package_is_loaded(entries: list[EntryPoint]) -> None:
    entries.append(EntryPoint("backwards", "fakes.sequence:Backwards", "assay.tasks"))
    assert registry.load_task("backwards").name == "backwards"
    assert [task.name for task in registry.load_tasks()] == [*registry.BUILT_IN, "backwards"]


@pytest.mark.parametrize("place", ["no_such_package:Task", "fakes.sequence:NoSuchTask"])
def test_a_broken_package_is_named(entries: list[EntryPoint], place: str) -> None:
    entries.append(EntryPoint("birds", place, "assay.tasks"))
    with pytest.raises(SettingError, match=f"'birds' cannot be loaded from {place}") as caught:
        registry.load_task("birds")
    assert "uninstall" in caught.value.hint


def test_two_packages_cannot_claim_one_name(entries: list[EntryPoint]) -> None:
    entries.append(EntryPoint("table", "fakes.sequence:Backwards", "assay.tasks"))
    with pytest.raises(SettingError, match="'table' is claimed by"):
        registry.known_tasks()


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(SettingError) as caught:
        registry.load_task("tabel")
    assert caught.value.hint == "Did you mean 'table'?"
