"""Requests made up from the server's own description (Schemathesis) are answered as it says."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from http_servers import Running

pytest.importorskip("schemathesis")
FOLDER = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(FOLDER))
    import _described

    yield _described
    sys.modules.pop("_described", None)


@pytest.mark.parametrize(
    ("method", "path", "count"),
    [
        ("POST", "/predict", 40),
        ("POST", "/explain", 15),
        ("GET", "/models", 5),
        ("GET", "/health", 5),
        ("GET", "/ready", 5),
        ("GET", "/metrics", 5),
    ],
)
def test_requests_out_of_the_description(served: Running, described: Any, method: str, path: str, count: int) -> None:
    assert (method, path) in described.PATHS
    assert described.faults(served.url, method, path, count) == ""


def test_what_is_not_as_described_is_told(fake: Running, described: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*rest: Any) -> Any:
        raise RuntimeError("on purpose")

    monkeypatch.setattr("assay.serving.http.app.facts_of", broken)
    assert "server error" in described.faults(fake.url, "GET", "/models", 2).lower()
