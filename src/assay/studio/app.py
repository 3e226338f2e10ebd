"""The studio as an ASGI application: its page, and the paths below `/api/` that the page asks."""

from __future__ import annotations

import importlib.util
import json
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module, resources
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

import assay
from assay.serving.http.guard import Guard
from assay.serving.http.refusals import Refused
from assay.serving.http.telling import Log
from assay.serving.http.tokens import Tokens
from assay.studio.guarding import HEADERS, OwnPage
from assay.studio.requests import ZIPS, Json, told
from assay.studio.studio import Studio

#: Parts that stand in files of their own; each has `routes(studio)`, which gives routers.
PARTS = (
    "assay.studio.data_paths",
    "assay.studio.box_paths",
    "assay.studio.run_paths",
    "assay.studio.inside",
)
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def make_app(studio: Studio, *, local: bool = True, tokens: Tokens | None = None, log: Log | None = None) -> Any:
    """The application.

    Args:
        studio: what it shows.
        local: only this machine reaches it.
        tokens: who may ask; everybody on this machine where there are none.
        log: gets a line for what goes wrong.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        studio.close()

    app = FastAPI(title="Assay studio", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    for name in PARTS:
        if importlib.util.find_spec(name) is not None:
            for router in import_module(name).routes(studio):
                app.include_router(router)
    _add_page(app)
    _add_refusals(app)
    return Guard(OwnPage(app), tokens or Tokens(), ZIPS, studio.service.metrics, log or Log(_only_bugs), local, (),
                 HEADERS, ())  # fmt: skip


def _only_bugs(line: str) -> None:
    """Requests are many, as the page asks how far a training is; what is a bug is told."""
    import sys

    if "unexpected" in json.loads(line):
        sys.stderr.write(line)


def _add_page(app: FastAPI) -> None:
    page = resources.files("assay.studio").joinpath("page")
    names = {file.name for file in page.iterdir() if file.is_file()}

    @app.get("/")
    def start() -> Response:
        return _file(page.joinpath("index.html").read_bytes(), "index.html")

    @app.get("/look.css")
    def look() -> Response:
        """The colours and shapes of the evidence page, which the studio shares."""
        return _file(resources.files("assay.report").joinpath("page.css").read_bytes(), "look.css")

    @app.get("/page/{name}")
    def file(name: str) -> Response:
        if name not in names:
            raise Refused(404, "there is no such file", "Load the page again.")
        return _file(page.joinpath(name).read_bytes(), name)

    @app.get("/favicon.ico")
    def icon() -> Response:
        return _file(page.joinpath("icon.svg").read_bytes(), "icon.svg")

    @app.get("/api/about")
    def about() -> Response:
        return Json({"version": assay.__version__, "inside": "inside.js" in names})


def _file(content: bytes, name: str) -> Response:
    ending = "." + name.rpartition(".")[2]
    kind = _TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(content, media_type=kind)


def _add_refusals(app: FastAPI) -> None:
    """Every error passes on to the guard, which tells it in one form."""

    @app.exception_handler(Exception)
    async def any_error(request: Request, error: Exception) -> Response:
        refused = told(error)
        raise refused if refused is not None else error

    @app.exception_handler(404)
    async def missing(request: Request, error: Exception) -> Response:
        raise Refused(404, "there is no such path", "Go to the beginning: /")

    @app.exception_handler(405)
    async def other_method(request: Request, error: Exception) -> Response:
        raise Refused(405, "this path is asked in another way", "Load the page again.")

    @app.exception_handler(422)
    async def odd(request: Request, error: Exception) -> Response:
        raise Refused(422, "the request is not as expected", "Load the page again.")
