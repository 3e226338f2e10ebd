"""A studio for each test."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_servers import FASTAPI
from studio_asking import Asked


def pytest_collection_modifyitems(items: list[Any]) -> None:
    missing = [name for name in FASTAPI if importlib.util.find_spec(name) is None]
    here = str(Path(__file__).parent)
    for item in items if missing else ():
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.skip(reason=f"needs {', '.join(missing)}"))


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    from starlette.testclient import TestClient

    from assay.studio.app import make_app
    from assay.studio.studio import Studio

    with pytest.MonkeyPatch.context() as patch:  # children import the same package
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        studio = Studio(tmp_path / "studio")
        with TestClient(make_app(studio), raise_server_exceptions=False) as client:
            yield Asked(studio, client)
