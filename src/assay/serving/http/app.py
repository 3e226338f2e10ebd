"""The paths of the server, and its OpenAPI page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.requests import ClientDisconnect

import assay
from assay.run import to_json
from assay.serving.http.docs_page import docs_page
from assay.serving.http.guard import Guard
from assay.serving.http.hosted import Hosted, House
from assay.serving.http.kinds import endings
from assay.serving.http.limits import Limits
from assay.serving.http.openapi import described
from assay.serving.http.refusals import Refused
from assay.serving.http.schema import Answers, Explained, ModelFacts, Models, State
from assay.serving.http.service import Service
from assay.serving.http.telling import MEDIA, Log, Metrics
from assay.serving.http.tokens import Tokens


class _Json(JSONResponse):
    """JSON with what `to_json` leaves, also names that are no Unicode."""

    def render(self, content: Any) -> bytes:
        """See Starlette."""
        return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(
            "utf-8", "backslashreplace"
        )


def make_app(
    hosted: list[Hosted],
    load: Callable[[Any], Any],
    *,
    limits: Limits | None = None,
    tokens: Tokens | None = None,
    log: Log | None = None,
    local: bool = True,
    origins: tuple[str, ...] = (),
    fatal: Callable[[Exception], None] = lambda error: None,
) -> Any:
    """The server as an ASGI application; its models load once it starts.

    Args:
        hosted: the runs that are served.
        load: gives the model of a run folder.
        limits: of requests.
        tokens: who may ask; everybody where there are none.
        log: gets a line a request.
        local: only this machine reaches it.
        origins: sites whose pages may ask.
        fatal: is told of a run that cannot be loaded.
    """
    limits, metrics = limits or Limits(), Metrics()
    log = log or Log()

    def failed(error: Exception) -> None:
        from assay.serving.http.telling import where

        log.line("failed", unexpected=where(error))
        fatal(error)

    house = House(hosted, load, lambda one: service.warm(one), failed)
    service = Service(house, limits, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        house.start()
        yield
        service.close()

    app = FastAPI(title="Assay", version=assay.__version__, lifespan=lifespan, docs_url=None, redoc_url=None,
                  default_response_class=_Json)  # fmt: skip
    app.openapi = lambda: described(app, house, limits, bool(tokens))  # type: ignore[method-assign]
    app.state.service = service
    _add_answers(app, service)
    _add_facts(app, service)
    if origins:
        from starlette.middleware.cors import CORSMiddleware

        app.add_middleware(CORSMiddleware, allow_origins=list(origins), allow_methods=["GET", "POST"],
                           allow_headers=["authorization", "content-type"])  # fmt: skip
    return Guard(app, tokens or Tokens(), limits, metrics, log, local, origins)


def _add_answers(app: FastAPI, service: Service) -> None:
    async def ask(request: Request, why: bool) -> Response:
        chunks = (chunk async for chunk in request.stream())
        facts = request.scope["state"]
        try:
            answer = await service.ask(request.headers.get("content-type", ""), chunks, facts, why)
        except ClientDisconnect:
            raise Refused(400, "the request was cut off", "Send it again.", reason="cut off") from None
        return _Json(answer)

    @app.post("/predict", response_model=Answers, summary="Answers to inputs")
    async def predict(request: Request) -> Response:
        """Files as a form, or texts, rows and files as JSON; an answer for each that can be read."""
        return await ask(request, False)

    @app.post("/explain", response_model=Explained, summary="Why an input is answered as it is")
    async def explain(request: Request) -> Response:
        """One input, as `/predict` takes it: what weighed how much, and how far that can be believed."""
        return await ask(request, True)


def _add_facts(app: FastAPI, service: Service) -> None:
    house = service.house

    @app.get("/models", response_model=Models, summary="The models, and what each takes")
    async def models() -> Response:
        return _Json({"format": 1, "models": [to_json(facts_of(one).model_dump()) for one in house.runs.values()]})

    @app.get("/health", response_model=State, summary="Whether the server is there")
    async def health() -> Response:
        return _Json({"status": "ok"})

    @app.get("/ready", response_model=State, summary="Whether all models answer")
    async def ready() -> Response:
        if house.ready:
            return _Json({"status": "ready"})
        waits = [one.name for one in house.runs.values() if one.state != "ready"]
        raise Refused(503, f"not ready yet: {', '.join(waits)}", "Models load in the background.", 1, "loading")

    @app.get("/metrics", summary="Counts for Prometheus")
    async def metrics() -> Response:
        for one in house.runs.values():
            service.metrics.ready.labels(one.name).set(one.state == "ready")
        return Response(service.metrics.text(), media_type=MEDIA)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(docs_page(app.openapi()))

    @app.exception_handler(Exception)
    async def passed_on(request: Request, error: Exception) -> Response:
        raise error

    @app.exception_handler(404)
    async def missing(request: Request, error: Exception) -> Response:
        raise Refused(404, "there is no such path", "See /docs.")

    @app.exception_handler(405)
    async def other_method(request: Request, error: Exception) -> Response:
        allowed = getattr(error, "headers", None) or {}
        refused = Refused(405, "this path is asked in another way", f"Use {allowed.get('Allow', 'another method')}.")
        return _Json(refused.body(), 405, headers=dict(allowed))


def facts_of(one: Hosted) -> ModelFacts:
    """What `/models` tells of a model."""
    if one.state != "ready" or one.model is None:
        return ModelFacts(name=one.name, state=one.state)
    traits = one.model.task.traits
    options = {name: text for name, text in traits.answering.items() if name not in traits.listening}
    try:
        metric = one.model.summary.get("metric")
    except assay.AssayError:
        metric = None  # it answers all the same
    return ModelFacts(
        name=one.name, state=one.state, task=one.model.task.name, title=traits.title, takes=list(traits.takes),
        endings=list(endings(traits.takes)), options=options, metric=metric if isinstance(metric, dict) else None,
        notice=traits.notice,
    )  # fmt: skip
