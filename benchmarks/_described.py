"""Requests made up from a server's own description (Schemathesis), and what of their answers is not as described."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

#: How many requests are made up for each path.
PATHS = {("POST", "/predict"): 400, ("POST", "/explain"): 100, ("GET", "/models"): 10, ("GET", "/health"): 10,
         ("GET", "/ready"): 10, ("GET", "/metrics"): 10}  # fmt: skip


def faults(address: str, method: str, path: str, count: int) -> str:
    """The first answer that is a server error or not as described, in words; empty where there is none.

    Args:
        address: of the server.
        method: of the requests.
        path: where they go.
        count: how many are made up; the same each time.
    """
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    told = [not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
            checks.response_schema_conformance]  # fmt: skip
    described = schemathesis.openapi.from_url(f"{address}/openapi.json")

    @given(case=described[path][method].as_strategy())
    @settings(max_examples=count, deadline=None, database=None, derandomize=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def conforms(case: object) -> None:
        case.call_and_validate(checks=told, timeout=120)  # type: ignore[attr-defined]

    try:
        conforms()
    except (Exception, BaseExceptionGroup) as error:
        return "\n".join((f"{type(error).__name__}: {error}", *getattr(error, "__notes__", ())))
    return ""
