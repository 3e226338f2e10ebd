"""Paths about projects and the samples in them."""

from __future__ import annotations

import io
import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from assay.errors import AssayError, DataError, SettingError
from assay.sources._image_header import quiet_libtiff
from assay.studio import files, texts
from assay.studio.files import Taken
from assay.studio.requests import FORMS, ZIPS, Json, files_in, names_in, said, spooled
from assay.studio.studio import Studio
from assay.studio.workspace import Project

_PAGE = 120
_SMALL = 192
_SHOWN = ("image/", "audio/", "video/")
_MOST_TEXTS = 10_000


def routes(studio: Studio) -> Sequence[APIRouter]:
    """See `assay.studio.app`."""
    router = APIRouter(prefix="/api")
    _projects(router, studio)
    _classes(router, studio)
    _samples(router, studio)
    _uploads(router, studio)
    return (router,)


def _projects(router: APIRouter, studio: Studio) -> None:
    space = studio.workspace

    @router.get("/projects")
    def projects() -> Response:
        return Json({"projects": [_row(studio, one) for one in space.projects()], "busy": studio.trainings.busy})

    @router.post("/projects")
    async def create(request: Request) -> Response:
        asked = await said(request, name=str, kind=str)
        project = await run_in_threadpool(space.create, asked["name"], asked["kind"])
        return Json({"id": project.id}, 201)

    @router.get("/projects/{name}")
    def one(name: str) -> Response:
        project = space.project(name)
        found = _row(studio, project)
        found["runs"] = [studio.trainings.row(run) for run in project.run_ids()]
        found["unlabelled"] = len(files.listed(project.unlabelled))
        found["columns"] = _columns(project)
        return Json({**found, "busy": studio.trainings.busy})

    @router.get("/tasks")
    def tasks() -> Response:
        from assay.registry import load_tasks

        return Json({"tasks": [[task.name, task.traits.title] for task in load_tasks()]})

    @router.post("/projects/{name}/settings")
    async def settings(name: str, request: Request) -> Response:
        asked = await said(request, target=(str, type(None)), task=(str, type(None)))
        space.project(name).write(target=asked["target"] or None, task=asked["task"] or None)
        return Json({})

    @router.post("/projects/{name}/delete")
    def delete(name: str) -> Response:
        studio.forget(f"{name}~")
        studio.trainings.delete_project(space.project(name))
        return Json({})

    @router.post("/projects/{name}/inspect")
    async def inspect(name: str, request: Request) -> Response:
        asked = await said(request)
        return Json(await run_in_threadpool(studio.look, space.project(name), bool(asked.get("again"))))


def _row(studio: Studio, project: Project) -> dict[str, Any]:
    """A project in a list."""
    facts, kind = project.facts, project.kind
    counts = texts.counts(project) if "text" in kind.takes else files.counts(project) if kind.classes else {}
    total = sum(counts.values()) if kind.classes else len(files.listed(project.data))
    runs = [studio.trainings.row(run) for run in project.run_ids()[:1]]
    return {
        "id": project.id, "name": facts["name"], "kind": facts["kind"], "classes": counts, "total": total,
        "takes": kind.takes, "target": facts.get("target"), "task": facts.get("task") or kind.task,
        "newest": runs[0] if runs else None,
    }  # fmt: skip


def _columns(project: Project) -> list[str]:
    """The columns of the table that a project's data is, from which a target can be chosen."""
    names = files.listed(project.data)
    if project.kind.takes or not names or len(names) > 3:
        return []
    from assay.sources._csv import csv_rows
    from assay.sources.store import open_store

    first = next((name for name in names if name.lower().endswith((".csv", ".tsv"))), None)
    if first is None:
        return []
    try:
        return list(csv_rows(open_store(project.data), first).names)
    except AssayError:  # what is wrong with it is told by looking at the data
        return []


def _classes(router: APIRouter, studio: Studio) -> None:
    space = studio.workspace

    @router.post("/projects/{name}/classes")
    async def create(name: str, request: Request) -> Response:
        project, label = space.project(name), files.class_name((await said(request, label=str))["label"])
        if "text" in project.kind.takes:
            project.write(classes=sorted({*project.facts.get("classes", ()), label}))
        elif project.kind.classes:
            (project.data / label).mkdir(parents=True, exist_ok=True)
        return Json({"label": label}, 201)

    @router.post("/projects/{name}/classes/rename")
    async def rename(name: str, request: Request) -> Response:
        asked, project = await said(request, label=str, to=str), space.project(name)
        label, to = asked["label"], files.class_name(asked["to"])
        if "text" in project.kind.takes:
            await run_in_threadpool(texts.rename_class, project, label, to)
        else:
            await run_in_threadpool(files.rename_class, project, label, to)
        return Json({})

    @router.post("/projects/{name}/classes/delete")
    async def delete(name: str, request: Request) -> Response:
        label, project = (await said(request, label=str))["label"], space.project(name)
        if "text" in project.kind.takes:
            await run_in_threadpool(texts.rename_class, project, label, None)
        else:
            await run_in_threadpool(files.remove_class, project, label)
        return Json({})


def _samples(router: APIRouter, studio: Studio) -> None:
    space = studio.workspace

    @router.get("/projects/{name}/samples")
    def samples(name: str, label: str = "", offset: str = "0") -> Response:
        project, start = space.project(name), int(offset) if offset.isascii() and offset.isdigit() else 0
        if "text" in project.kind.takes:
            rows = [{"id": texts.name_of(text), "text": text[:2000], "label": own}
                    for text, own in texts.rows(texts.file_of(project)) if label in ("", own)]  # fmt: skip
        else:
            names = files.listed(project.data)
            rows = [{"id": one} for one in names if not label or one.startswith(f"{label}/")]
        return Json({"samples": rows[start : start + _PAGE], "total": len(rows)})

    @router.get("/projects/{name}/sample")
    def sample(name: str, id: str, aside: str = "", small: str = "") -> Response:
        project = space.project(name)
        file = files.located(project.unlabelled if aside else project.data, id)
        if small and (picture := _small(file)) is not None:
            return Response(picture, media_type="image/webp", headers={"cache-control": "private, max-age=600"})
        kind = mimetypes.guess_type(file.name)[0] or ""
        # What could hold scripts of its own is never shown as a page.
        if not kind.startswith(_SHOWN) or "svg" in kind:
            kind = "application/octet-stream"
        return Response(file.read_bytes(), media_type=kind, headers={"content-security-policy": "sandbox"})

    @router.post("/projects/{name}/samples/move")
    async def move(name: str, request: Request) -> Response:
        asked, project = await said(request, label=str), space.project(name)
        source = project.unlabelled if asked.get("aside") else project.data
        ids = names_in(asked)
        if "text" in project.kind.takes:
            await run_in_threadpool(texts.relabel, texts.file_of(project), ids, asked["label"])
        else:
            await run_in_threadpool(files.move, project, ids, asked["label"], source)
        return Json({})

    @router.post("/projects/{name}/samples/delete")
    async def delete(name: str, request: Request) -> Response:
        asked, project = await said(request), space.project(name)
        if "text" in project.kind.takes:
            await run_in_threadpool(texts.remove, texts.file_of(project), names_in(asked))
        else:
            folder = project.unlabelled if asked.get("aside") else project.data
            await run_in_threadpool(files.remove, project, names_in(asked), folder)
        return Json({})


def _small(file: Path) -> bytes | None:
    """A small copy of a picture; None where it cannot be read."""
    from PIL import Image, ImageOps

    quiet_libtiff()
    out = io.BytesIO()
    try:
        with Image.open(file) as opened:
            opened.draft("RGB", (_SMALL, _SMALL))
            picture = ImageOps.exif_transpose(opened)
            picture.thumbnail((_SMALL, _SMALL))
            picture.convert("RGB").save(out, "WEBP", quality=80)
    except Exception:  # Pillow fails on damage in many ways; looking at the data tells of it
        return None
    return out.getvalue()


def _uploads(router: APIRouter, studio: Studio) -> None:
    space = studio.workspace

    @router.post("/projects/{name}/files")
    async def put(name: str, request: Request, label: str = "", aside: str = "") -> Response:
        project, sent = space.project(name), await files_in(request)
        own = files.class_name(label) if label else None
        if aside:
            taken = await run_in_threadpool(files.put_aside, project, sent, FORMS)
        elif "text" in project.kind.takes:
            taken = await run_in_threadpool(texts.add_files, texts.file_of(project), sent, own)
        else:
            taken = await run_in_threadpool(files.put, project, sent, own, FORMS)
        return _told(taken)

    @router.post("/projects/{name}/zip")
    async def unpack(name: str, request: Request, label: str = "") -> Response:
        project = space.project(name)
        if "text" in project.kind.takes:
            raise SettingError("texts are not taken as a zip", "Send the files, or a table of them.")
        own = files.class_name(label) if label else None
        with await spooled(request) as stored:
            return _told(await run_in_threadpool(files.put_zip, project, stored, own, ZIPS))

    @router.post("/projects/{name}/texts")
    async def write(name: str, request: Request) -> Response:
        asked, project = await said(request, label=str), space.project(name)
        if "text" not in project.kind.takes:
            raise DataError("this project takes no texts", "Send files.")
        label, written = files.class_name(asked["label"]), names_in(asked, "texts")[:_MOST_TEXTS]
        return _told(await run_in_threadpool(texts.add, texts.file_of(project), [(one, label) for one in written]))


def _told(taken: Taken) -> Response:
    return Json(vars(taken), 201)
