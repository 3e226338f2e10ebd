"""Requests made up from the server's own description (Schemathesis) are answered as it says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from http_servers import Running

schemathesis = pytest.importorskip("schemathesis")


@pytest.fixture(scope="module")
def described(served: Running) -> Any:
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


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
def test_requests_out_of_the_description(described: Any, method: str, path: str, count: int) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    told = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]

    @given(case=described[path][method].as_strategy())
    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def conforms(case: Any) -> None:
        case.call_and_validate(checks=told, timeout=120)

    conforms()
