"""A studio that holds nothing but the view "Inside", on a bare page."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

#: As strict as the studio's own: nothing inline, nothing from elsewhere.
POLICY = "default-src 'self'"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Inside</title>
<link rel="stylesheet" href="/look.css"><link rel="stylesheet" href="/inside.css">
<script type="module" src="/host.js"></script></head><body><main id="place"></main></body></html>"""
HOST = """import { mountInside } from "./inside.js";
async function parsed(answer) {
  const found = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(found.error), { hint: found.hint });
  return found;
}
const api = {
  get: async (path) => parsed(await fetch(`/api/${path}`)),
  post: async (path, body) => parsed(await fetch(`/api/${path}`, { method: "POST", body: JSON.stringify(body) })),
};
mountInside(document.getElementById("place"), decodeURIComponent(location.hash.slice(1)), api);
"""


class Studio:
    """Runs by the names of their folders."""

    def __init__(self, *runs: Path) -> None:
        self._runs = {run.name: run for run in runs}
        self._models: dict[str, Any] = {}

    def run_folder(self, run: str) -> Path:
        from assay.errors import RunError

        if run not in self._runs:
            raise RunError(f"there is no run {run!r}", "See the list.")
        return self._runs[run]

    def model(self, run: str) -> Any:
        import assay

        if run not in self._models:
            self._models[run] = assay.load(self.run_folder(run))
        return self._models[run]


def make_app(studio: Studio) -> Any:
    """The view's paths and a page that shows it."""
    from fastapi import FastAPI, Response

    from assay.studio.inside import routes

    app, files = FastAPI(), resources.files("assay.studio") / "page"

    @app.middleware("http")
    async def guarded(request: Any, answer: Any) -> Any:
        response = await answer(request)
        response.headers["content-security-policy"] = POLICY
        return response

    for router in routes(studio):
        app.include_router(router)

    @app.get("/")
    def page() -> Response:
        return Response(PAGE, media_type="text/html")

    @app.get("/{name}")
    def file(name: str) -> Response:
        if name == "look.css":
            style = (resources.files("assay.report") / "page.css").read_text(encoding="utf-8")
            return Response(style + "main{max-width:1056px;margin:0 auto;padding:20px 18px}", media_type="text/css")
        if name == "favicon.ico":
            return Response(status_code=204)
        text = HOST if name == "host.js" else (files / name).read_text(encoding="utf-8")
        return Response(text, media_type="text/css" if name.endswith(".css") else "text/javascript")

    return app


if __name__ == "__main__":
    import sys

    import uvicorn

    uvicorn.run(make_app(Studio(*map(Path, sys.argv[2:]))), port=int(sys.argv[1]), log_level="warning")
