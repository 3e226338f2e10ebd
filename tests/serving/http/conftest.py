"""A server of two real runs, and one of a model that is no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_servers import FASTAPI, FakeModel, Running, hosted, running
from programs import Result

collect_ignore: list[str] = []


def pytest_collection_modifyitems(items: list[Any]) -> None:
    import importlib.util

    missing = [name for name in FASTAPI if importlib.util.find_spec(name) is None]
    here = str(Path(__file__).parent)
    for item in items if missing else ():
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(missing)}"))


@pytest.fixture(scope="session")
def served(digits_run: tuple[Path, Result], wine_run: tuple[Path, Result]) -> Iterator[Running]:
    """The digits and the wines behind HTTP."""
    import assay
    from assay.serving.http.hosted import named_runs

    with running(named_runs([digits_run[0], wine_run[0]]), assay.load) as found:
        yield found


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def fake(model: FakeModel, tmp_path: Path) -> Iterator[Running]:
    with running([hosted(tmp_path)], lambda path: model) as found:
        yield found
        model.gate.set()
