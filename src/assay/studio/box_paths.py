"""Paths about boxes over pictures."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from assay.serving.http.refusals import Refused
from assay.studio import boxes
from assay.studio.requests import Json, said
from assay.studio.studio import Studio


def routes(studio: Studio) -> Sequence[APIRouter]:
    """See `assay.studio.app`."""
    router = APIRouter(prefix="/api")

    @router.get("/projects/{name}/boxes")
    def listed(name: str) -> Response:
        project = studio.workspace.project(name)
        labels = sorted({box["label"] for found in boxes.labelled(project).values() for box in found})
        return Json({"pictures": boxes.pictures(project), "labels": labels})

    @router.get("/projects/{name}/boxes-of")
    def of_picture(name: str, id: str) -> Response:
        return Json({"boxes": boxes.labelled(studio.workspace.project(name)).get(id, [])})

    @router.post("/projects/{name}/boxes-of")
    async def keep(name: str, request: Request) -> Response:
        asked = await said(request, id=str, boxes=list)
        if not all(isinstance(box, dict) for box in asked["boxes"]):
            raise Refused(422, "a box is no object", "Load the page again.")
        project = studio.workspace.project(name)
        return Json({"boxes": await run_in_threadpool(boxes.write, project, asked["id"], asked["boxes"])})

    return (router,)
