"""A person teaches two classes in headless Chromium, trains, tries, reads the evidence, and exports."""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(_BENCHMARKS))
    import _browser

    if _browser.chromium() is None:
        pytest.skip("needs Playwright and Chromium")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    yield _browser


@pytest.mark.slow
def test_two_classes_are_taught_from_pictures(browser: Any, tmp_path: Path) -> None:
    made = browser.shapes(tmp_path / "shapes", 14)
    with browser.studio(tmp_path / "studio") as (address, _), browser.person(address) as me:
        me.first_view()
        me.begin("Shapes", "pictures")
        for label, files in made.items():
            me.add_class(label)
            me.upload(label, files)
        assert "28" in me.inspected()
        me.train("2s")
        assert "Is the test set really unseen?" in me.evidence()
        assert me.try_file(made["disc"][0]) in ("disc", "square")
        assert "What weighed" in me.why()
        turned = me.turn()
        assert set(turned["ends"]) == {"this run", "unchanged, short", "changed, short"}
        assert turned["charts"] and "validation loss" in turned["told"]
        with zipfile.ZipFile(me.export()) as archive:
            assert any(name.endswith(".onnx") for name in archive.namelist())
        assert not me.elsewhere() and not me.failures
        axe = os.environ.get("AXE")
        me.judge("export", Path(axe) if axe else None)
        assert not any(me.faults.values()), me.faults


@pytest.mark.slow
def test_a_closed_browser_changes_nothing_and_a_second_person_is_told(browser: Any, tmp_path: Path) -> None:
    made = browser.sentences(14)
    with browser.studio(tmp_path / "studio") as (address, _):
        with browser.person(address, wait_s=120) as me:
            me.begin("Talk", "texts")
            for label, texts in made.items():
                me.add_class(label)
                me.write(label, texts)
            me.begin_training("4s")
        with browser.person(address, wait_s=120) as other:
            other.first_view()
            other.page.get_by_role("link", name="Talk", exact=True).click()
            other.step("Train")
            told = other.page.locator(".panel", has_text="this machine does one at a time")
            # It is followed from its first moment, when it has no folder yet.
            if told.count():  # unless it is done by now
                assert other.page.locator("button.primary.large").is_disabled()
            other.trained()
            assert other.evidence() and not other.failures
