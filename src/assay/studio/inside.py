"""What the studio's view "Inside" asks for: layers, activations, weights, gradients, and trials of settings."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from assay.errors import AssayError, SettingError
from assay.evidence.network import gradient_heat
from assay.report import figures
from assay.run import RunFolder, to_json
from assay.serving.http.kinds import endings, in_json
from assay.serving.http.limits import Limits
from assay.serving.http.refusals import Refused
from assay.serving.http.uploads import UploadRoot
from assay.studio.inside_curves import compared
from assay.studio.inside_flow import Met, walk
from assay.studio.inside_samples import Shelf, brought, drawn
from assay.studio.inside_settings import chosen, sliders
from assay.studio.inside_trials import Trials
from assay.studio.inside_weights import weights_told

if TYPE_CHECKING:
    from assay.model import Model
    from assay.samples.samples import Samples

#: Runs whose data is kept at hand.
_AT_HAND = 3
_MOST_LISTED = 48


class Studio(Protocol):
    """What the view asks of the studio around it."""

    def run_folder(self, run: str) -> Path:
        """The folder of a run by its name; raises `AssayError` where there is none."""

    def model(self, run: str) -> Model:
        """Its model."""


@dataclass(eq=False)
class _Opened:
    """A run that is looked into, with the shapes of the pictures that its network was seen to take."""

    run: RunFolder
    model: Model
    shelf: Shelf
    pictures: set[tuple[int, int, int]] = field(default_factory=set)


class Inside:
    """All runs of a studio that are looked into."""

    def __init__(self, studio: Studio) -> None:
        self._studio, self.trials, self.limits = studio, Trials(), Limits()
        self._open: OrderedDict[str, _Opened] = OrderedDict()
        self._lock = threading.Lock()
        self._uploads: UploadRoot | None = None

    def opened(self, name: str) -> _Opened:
        """A run by its name; raises `AssayError` where there is none, or it is not complete."""
        with self._lock:
            model = self._studio.model(name)
            found = self._open.pop(name, None)
            if found is None or found.model is not model:
                run = RunFolder(self._studio.run_folder(name))
                found = _Opened(run, model, Shelf(run, model))
            self._open[name] = found
            while len(self._open) > _AT_HAND:
                self._open.popitem(last=False)
            return found

    def about(self, name: str) -> dict[str, Any]:
        """The network in a few words, and how a sample can be brought along."""
        one = self.opened(name)
        summary, takes = one.model.summary, one.model.task.traits.takes
        finding = summary.get("findings", {}).get("network")
        return {
            "task": one.model.task.name, "network": summary["network"], "side": one.shelf.side, "finding": finding,
            "takes": list(takes), "value": in_json(takes), "endings": list(endings(takes)),
            "columns": _columns(one.model.spec) if in_json(takes) == "row" else [],
        }  # fmt: skip

    def samples(self, name: str, first: int, count: int, order: str) -> dict[str, Any]:
        """Some samples with how they look."""
        one = self.opened(name)
        rows, of = one.shelf.listed(max(0, first), min(max(1, count), _MOST_LISTED), order == "worst")
        looks = one.shelf.drawings([row["id"] for row in rows]) if rows else {}
        return {"samples": [{**row, "drawing": looks.get(row["id"])} for row in rows], "of": of, "side": one.shelf.side}

    def flow(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A sample's way through the network; one layer alone, and larger, where `layer` names it."""
        one = self.opened(name)
        if isinstance(asked.get("inputs"), list):
            return self._with_brought(one, asked)
        if not isinstance(asked.get("id"), str):
            raise SettingError("no sample was chosen", "Name its id, or bring inputs along.")
        samples = one.shelf.held([asked["id"]])
        return self._walked(one, samples, one.shelf.truth(samples), asked.get("layer"))

    def _with_brought(self, one: _Opened, asked: Mapping[str, Any]) -> dict[str, Any]:
        from assay.serving.http.asking import put_down

        with self._lock:
            self._uploads = self._uploads or UploadRoot()
        source, upload = put_down(one.model.task, asked["inputs"][:1], (), self._uploads, self.limits)
        try:
            return self._walked(one, brought(one.model, source), "", asked.get("layer"))
        finally:
            if upload is not None:
                upload.close()

    def _walked(self, one: _Opened, samples: Samples, truth: str, layer: Any) -> dict[str, Any]:
        from assay.serving.predictor import deciding_windows

        predictor, task, spec = one.model.predictor, one.model.task, one.model.spec
        view = samples.view_of(np.arange(1))
        window = int(deciding_windows(predictor, view)[0])
        batch = samples.batch(np.asarray([window]))
        met = walk(predictor, batch)
        names = list(task.classes(spec))
        if layer is not None:
            return {"layer": _named(met, str(layer)).to_json(names, large=True)}
        one.pictures |= _pictures_in(batch)
        output = predictor.outputs(view)[0]
        return {
            "id": samples.id(0), "drawing": drawn(task.draw(samples, 0, spec)), "truth": truth,
            "answer": task.words(output, spec), "windows": len(view.windows),
            "window": int(np.flatnonzero(view.windows == window)[0]), "layers": [one.to_json(names) for one in met],
        }  # fmt: skip

    def weights(self, name: str) -> dict[str, Any]:
        """See `inside_weights`."""
        one = self.opened(name)
        if not one.pictures:
            with suppress(AssayError):  # where the data is gone, matrices are shown as such
                samples = one.shelf.held([row["id"] for row in one.shelf.listed(0, 1, False)[0]])
                one.pictures |= _pictures_in(samples.batch(samples.view_of(np.arange(1)).windows[:1]))
        return weights_told(one.model.network, one.pictures)

    def gradients(self, name: str) -> dict[str, Any]:
        """What the training noted of gradients, as the finding `network` draws it, and what that says of them."""
        one = self.opened(name)
        history = one.run.history()
        finding = one.model.summary.get("findings", {}).get("network")
        noted = any(line.get("gradient_norms") for line in history)
        return {"figure": figures.draw(gradient_heat(history)) if noted else "", "finding": finding}

    def settings(self, name: str) -> dict[str, Any]:
        """The sliders, and the run's own curves."""
        one = self.opened(name)
        found = chosen(one.run, one.model)
        return {"sliders": sliders(found, one.model), "seconds": found.seconds, "steps": found.plan.steps,
                "network": found.network, **compared(one.run.history(), [], [])}  # fmt: skip

    def begin(self, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Start a side training; `set` holds what is changed."""
        one = self.opened(name)
        changes, seconds = asked.get("set", {}), asked.get("seconds", 5)
        if not isinstance(changes, dict) or not isinstance(seconds, int | float):
            raise SettingError("settings are an object of values by name, and seconds a number", "See /docs.")
        trial = self.trials.begin(one.run, chosen(one.run, one.model), changes, float(seconds))
        return {"trial": trial.id, "epochs": trial.epochs}

    def trial(self, name: str, trial: str, beside: str | None) -> dict[str, Any]:
        """How a side training stands, beside another one with the run's own settings."""
        run, own = self.opened(name).run, self.trials.find(trial)
        other = self.trials.find(beside) if beside else None
        unchanged, changed = (other.history, own.history) if other is not None else (own.history, [])
        error, hint = own.error
        return {"state": own.state, "error": error, "hint": hint, "epochs": own.epochs, "changes": dict(own.changes),
                **compared(run.history(), unchanged, changed)}  # fmt: skip


def _named(met: list[Met], name: str) -> Met:
    found = next((one for one in met if one.name == name), None)
    if found is None:
        raise SettingError(f"there is no layer {name[:80]!r}", "Choose one of those that are listed.")
    return found


def _pictures_in(batch: Any) -> set[tuple[int, int, int]]:
    """The shapes (C, H, W) of what a batch holds pictures of."""
    values = [tuple(getattr(value, "shape", ())) for value in vars(batch).values()]
    return {(shape[1], shape[2], shape[3]) for shape in values if len(shape) == 4}


def _columns(spec: Any) -> list[str]:
    """The columns of a row, where the spec names them."""
    return [str(column["name"]) for column in getattr(spec, "columns", ()) if "name" in column]


def routes(studio: Studio) -> Sequence[APIRouter]:
    """The paths of the view, all below `/api/`."""
    router, inside = APIRouter(prefix="/api"), Inside(studio)
    base = "/runs/{run}/inside"

    @router.get(f"{base}/about")
    def about(run: str) -> Response:
        return told(lambda: inside.about(run))

    @router.get(f"{base}/samples")
    def samples(run: str, first: int = 0, count: int = 12, order: str = "source") -> Response:
        return told(lambda: inside.samples(run, first, count, order))

    @router.get(f"{base}/weights")
    def weights(run: str) -> Response:
        return told(lambda: inside.weights(run))

    @router.get(f"{base}/gradients")
    def gradients(run: str) -> Response:
        return told(lambda: inside.gradients(run))

    @router.get(f"{base}/settings")
    def settings(run: str) -> Response:
        return told(lambda: inside.settings(run))

    @router.get(base + "/trials/{trial}")
    def trial(run: str, trial: str, beside: str | None = None) -> Response:
        return told(lambda: inside.trial(run, trial, beside))

    @router.post(base + "/trials/{trial}/stop")
    def stop(run: str, trial: str) -> Response:
        return told(lambda: {"state": inside.trials.stop(trial).state})

    @router.post(f"{base}/flow")
    async def flow(run: str, request: Request) -> Response:
        return await _posted(request, inside.limits, lambda asked: inside.flow(run, asked))

    @router.post(f"{base}/trials")
    async def begin(run: str, request: Request) -> Response:
        return await _posted(request, inside.limits, lambda asked: inside.begin(run, asked))

    return (router,)


async def _posted(request: Request, limits: Limits, work: Callable[[Mapping[str, Any]], dict[str, Any]]) -> Response:
    """Read a body of JSON, no larger than a server takes, and do the work in a thread of its own."""
    import json

    from fastapi.concurrency import run_in_threadpool

    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limits.body_bytes:
            return told(lambda: _refuse(413, f"there is more than {limits.body_bytes >> 20} MiB", "Send less at once."))
    try:
        asked = json.loads(bytes(body) or b"{}")
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        return told(lambda: _refuse(422, "the body is no JSON object", "Send one."))
    return await run_in_threadpool(told, lambda: work(asked))


def _refuse(status: int, error: str, hint: str) -> dict[str, Any]:
    raise Refused(status, error, hint)


def told(work: Callable[[], dict[str, Any]]) -> Response:
    """What the work gives as JSON, or its error with a hint."""
    try:
        return JSONResponse(to_json({"format": 1, **work()}))
    except Refused as error:
        return JSONResponse(error.body(), error.status)
    except AssayError as error:
        return JSONResponse({"format": 1, "error": error.message, "hint": error.hint}, 422)
