"""Requests made up from the server's own description (Schemathesis) are answered as it says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from http_servers import Running

schemathesis = pytest.importorskip("schemathesis")
_schema = schemathesis.pytest.from_fixture("described")


@pytest.fixture
def described(served: Running) -> Any:
    return schemathesis.openapi.from_url(f"{served.url}/openapi.json")


@_schema.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_requests_out_of_the_description(case: Any) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    case.call_and_validate(
        checks=[
            not_a_server_error,
            checks.status_code_conformance,
            checks.content_type_conformance,
            checks.response_schema_conformance,
        ]
    )
