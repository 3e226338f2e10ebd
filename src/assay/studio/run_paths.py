"""Paths about runs: training, evidence, answers, what to label next, exports."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from assay.errors import RunError
from assay.run import RunFolder, reading
from assay.serving.http.kinds import endings, in_json
from assay.serving.http.refusals import Refused
from assay.studio.requests import Json, names_in, said
from assay.studio.studio import Studio
from assay.studio.trainings import export_folder, is_export

#: The evidence page brings its own policy. Beyond it, it is in no origin at all and reaches nothing of the studio.
_REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; frame-ancestors 'self'"
)
_MOST_NEXT = 100
#: The columns of the table of labels that look wrong; see `assay.evidence.labels`.
_DOUBTED = ["sample", "label", "looks like"]


def routes(studio: Studio) -> Sequence[APIRouter]:
    """See `assay.studio.app`."""
    router = APIRouter(prefix="/api")
    _trainings(router, studio)
    _evidence(router, studio)
    _answers(router, studio)
    _exports(router, studio)
    return (router,)


def _trainings(router: APIRouter, studio: Studio) -> None:
    trainings = studio.trainings

    @router.get("/busy")
    def busy() -> Response:
        return Json({"busy": trainings.busy})

    @router.post("/projects/{name}/train")
    async def train(name: str, request: Request) -> Response:
        asked = await said(request, budget=str, evidence=str)
        settings = names_in(asked, "settings") if "settings" in asked else []
        project = studio.workspace.project(name)
        run = await run_in_threadpool(trainings.train, project, asked["budget"], asked["evidence"], settings)
        return Json({"run": run}, 201)

    @router.get("/runs/{run}")
    def one(run: str) -> Response:
        return Json(trainings.progress(run))

    @router.post("/runs/{run}/stop")
    def stop(run: str) -> Response:
        trainings.stop(run)
        return Json({})

    @router.post("/runs/{run}/resume")
    def resume(run: str) -> Response:
        trainings.resume(run)
        return Json({})

    @router.post("/runs/{run}/delete")
    def delete(run: str) -> Response:
        trainings.delete(run)
        studio.forget(run)
        return Json({})


def _evidence(router: APIRouter, studio: Studio) -> None:
    @router.get("/runs/{run}/evidence")
    def evidence(run: str) -> Response:
        folder = RunFolder(studio.run_folder(run))
        found = folder.read(folder.evidence, "findings")["findings"]
        shown = ("name", "question", "status", "verdict", "next", "certainty", "numbers")
        rows = [{name: finding.get(name) for name in shown} for finding in found]
        return Json({"findings": rows, "summary": folder.read(folder.summary)})

    @router.get("/runs/{run}/doubts")
    def doubts(run: str) -> Response:
        return Json({"doubts": _doubted(studio, run)})

    @router.get("/runs/{run}/report")
    def report(run: str) -> Response:
        file = RunFolder(studio.run_folder(run)).report
        if not file.is_file():
            raise RunError("this run has no evidence page yet", "Wait until it is done, or resume it.")
        return Response(file.read_bytes(), media_type="text/html; charset=utf-8",
                        headers={"content-security-policy": _REPORT_POLICY})  # fmt: skip


def _doubted(studio: Studio, run: str) -> list[dict[str, str]]:
    """The labels that look wrong, of files that still have them: each with what it looks like."""
    folder, data = RunFolder(studio.run_folder(run)), studio.workspace.project_of(run).data
    with reading(folder.evidence):
        findings = folder.read(folder.evidence, "findings")["findings"]
        tables = [figure["data"] for one in findings if one["name"] == "labels" for figure in one["figures"]
                  if figure["kind"] == "table" and figure["data"].get("columns") == _DOUBTED]  # fmt: skip
        rows = [[str(value) for value in row] for table in tables for row in table["rows"]]
    return [
        {"id": name, "label": label, "better": better}
        for name, label, better in rows
        if name.rpartition("/")[0] == label and (data / name).is_file()
    ]


def _answers(router: APIRouter, studio: Studio) -> None:
    @router.get("/runs/{run}/asked")
    def asked(run: str) -> Response:
        """What the network takes, with an example; loads it."""
        from assay.serving.http.examples import example_input

        model = studio.model(run)
        traits = model.task.traits
        value = in_json(traits.takes)
        options = {name: text for name, text in traits.answering.items() if name not in traits.listening}
        return Json({
            "task": model.task.name, "title": traits.title, "takes": traits.takes, "endings": endings(traits.takes),
            "example": example_input(model) if value else None, "notice": traits.notice, "options": options,
            "classes": list(model.task.classes(model.spec)),
        })  # fmt: skip

    async def answer(request: Request, run: str, why: bool) -> Response:
        await run_in_threadpool(studio.model, run)
        chunks = (chunk async for chunk in request.stream())
        try:
            kind = request.headers.get("content-type", "")
            return Json(await studio.service.ask(kind, chunks, request.scope["state"], why))
        except ClientDisconnect:
            raise Refused(400, "the upload was cut off", "Send it again.") from None

    @router.post("/runs/{run}/predict")
    async def predict(run: str, request: Request) -> Response:
        """As `assay serve` answers; the request names the run as its model."""
        return await answer(request, run, False)

    @router.post("/runs/{run}/explain")
    async def explain(run: str, request: Request) -> Response:
        return await answer(request, run, True)

    @router.post("/runs/{run}/label-next")
    async def label_next(run: str, request: Request) -> Response:
        count = (await said(request, count=int))["count"]
        return Json(await run_in_threadpool(_suggested, studio, run, max(1, min(count, _MOST_NEXT))))


def _suggested(studio: Studio, run: str, count: int) -> dict[str, Any]:
    """What to label next, with what the network would say of each."""
    from assay.answer_files import answer_row

    folder = studio.workspace.project_of(run).unlabelled
    model = studio.model(run)
    found = model.label_next(folder, count)
    rows = [{**vars(one), "answer": answer_row(model.predict(folder / one.id)[0])} for one in found.chosen]
    return {"suggestions": rows, "looked": found.looked, "of": found.of}


def _exports(router: APIRouter, studio: Studio) -> None:
    @router.post("/runs/{run}/export")
    async def export(run: str, request: Request) -> Response:
        asked = await said(request, int8=bool)
        await run_in_threadpool(studio.trainings.export, run, asked["int8"])
        return Json({}, 202)

    @router.get("/runs/{run}/exports")
    def exports(run: str) -> Response:
        return Json(studio.trainings.exported(run))

    @router.get("/runs/{run}/exports/{form}.zip")
    def download(run: str, form: str) -> Response:
        folder = export_folder(studio.workspace.project_of(run), run, form == "int8")
        if form not in ("float", "int8") or not is_export(folder):
            raise RunError("this export is not there", "Export it first.")
        name = f"{run.replace('~', '-')}-{form}"
        headers = {"content-disposition": f'attachment; filename="{name}.zip"'}
        return Response(_zipped(folder, name), media_type="application/zip", headers=headers)


def _zipped(folder: Path, name: str) -> bytes:
    """A folder as a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{name}/{file.relative_to(folder).as_posix()}")
    return out.getvalue()
