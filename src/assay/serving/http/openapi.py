"""The description of the API, with examples of the models that are served."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.run import to_json
from assay.serving.http.asking import FORM, JSON
from assay.serving.http.kinds import endings, in_json
from assay.serving.http.refusals import MEANINGS
from assay.serving.http.schema import FormRequest, Problem, Request

if TYPE_CHECKING:
    from fastapi import FastAPI

    from assay.serving.http.hosted import Hosted, House
    from assay.serving.http.limits import Limits

#: What paths that read no body can say; the others can say all.
_PLAIN = {"/ready": (503,)}
_SHOWN = 200


def described(app: FastAPI, house: House, limits: Limits, locked: bool) -> dict[str, Any]:
    """The OpenAPI description; examples are there once a model is loaded."""
    from fastapi.openapi.utils import get_openapi

    page = copy.deepcopy(get_openapi(title=app.title, version=app.version, routes=app.routes,
                                     description=_about(limits)))  # fmt: skip
    schemas = page.setdefault("components", {}).setdefault("schemas", {})
    for kind in (Request, FormRequest, Problem):
        found = kind.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(found.pop("$defs", {}))
        schemas[kind.__name__] = found
    form = schemas["FormRequest"]["properties"]["files"]
    form["items"] = {"type": "string", "format": "binary"}
    form["minItems"] = 1
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, operations in page["paths"].items():
        for operation in operations.values():
            _finish(operation, path, house, locked)
    if locked:
        page["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        page["security"] = [{"token": []}]
    return page


def _finish(operation: dict[str, Any], path: str, house: House, locked: bool) -> None:
    """Bodies, examples and refusals of a path."""
    responses = operation["responses"]
    responses.pop("422", None)
    asks = path in ("/predict", "/explain")
    if path == "/metrics":
        responses["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    statuses = [status for status in MEANINGS if status != 401] if asks else [400, 403, 413, *_PLAIN.get(path, ())]
    for status in [*statuses, *([401] if locked else [])]:
        content = {JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        responses[str(status)] = {"description": MEANINGS[status], "content": content}
        if status in (429, 503):
            text = "Seconds after which it may work."
            responses[str(status)]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": text}}
    if asks:
        ready = [one for one in house.runs.values() if one.state == "ready"]
        examples = {one.name: found for one in ready if (found := _example(one)) is not None}
        body: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Request"}}
        if examples:
            body["examples"] = examples
        form = {"schema": {"$ref": "#/components/schemas/FormRequest"}}
        operation["requestBody"] = {"required": True, "content": {JSON: body, FORM: form}}
        answers = {one.name: found for one in ready if (found := _answer(one)) is not None}
        if answers and path == "/predict":
            responses["200"]["content"][JSON]["examples"] = answers


def _about(limits: Limits) -> str:
    return (
        f"A request has up to {limits.body_bytes >> 20} MiB, {limits.files} files and {limits.inputs} inputs, and is "
        f"answered within {limits.time_s:g} s or refused. Inputs of several requests are answered together; none waits "
        f"longer than {1000 * limits.delay_s:g} ms for others."
    )


def _example(one: Hosted) -> Mapping[str, Any] | None:
    """A request in JSON."""
    traits = one.loaded.task.traits
    summary = f"{one.name}: {traits.title}"
    if one.example is not None:
        asked = one.example["input"]
        return {"summary": summary, "value": {"model": one.name, "inputs": [asked]}}
    if in_json(traits.takes) is None and endings(traits.takes):
        asked = {"name": f"input{endings(traits.takes)[0]}", "base64": ""}
        return {"summary": summary, "value": {"model": one.name, "inputs": [asked]}}
    return None


def _answer(one: Hosted) -> Mapping[str, Any] | None:
    """The answer to it."""
    if one.example is None:
        return None
    answer = to_json(one.example["answer"])
    value = {"format": 1, "model": one.name, "answers": [{"id": "…", **_short(answer)}], "problems": [], "notice": ""}
    return {"summary": one.name, "value": value}


def _short(value: Any) -> Any:
    """An answer without most of what is long in it."""
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value[:3]]
    return value[:_SHOWN] if isinstance(value, str) else value
