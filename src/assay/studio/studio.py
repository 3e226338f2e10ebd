"""The studio behind its paths: the projects, what is trained, the networks that answer, what was found in the data."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import RunError
from assay.run import RunFolder
from assay.serving.http.hosted import Hosted, House
from assay.serving.http.limits import Limits
from assay.serving.http.service import Service
from assay.serving.http.telling import Metrics
from assay.studio.children import Child
from assay.studio.files import listed
from assay.studio.trainings import Trainings
from assay.studio.workspace import Project, Workspace

if TYPE_CHECKING:
    from assay.model import Model

_MIB = 1 << 20
#: Networks that stay loaded.
_MOST_MODELS = 4
#: What is asked of a network: one input, which an explanation may take its time for.
ASKED = Limits(body_bytes=256 * _MIB, held_bytes=512 * _MIB, inputs=100, time_s=180.0)


class Studio:
    """Everything that a browser can reach.

    Args:
        folder: of the projects; made where it is not there.
        metrics: of the server.
    """

    def __init__(self, folder: Path, metrics: Metrics | None = None) -> None:
        self.workspace = Workspace(folder)
        self.trainings = Trainings(self.workspace)
        self.service = Service(House([], _load, lambda one: None, lambda error: None), ASKED, metrics or Metrics())
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._loading = threading.Lock()
        self._looking = threading.Lock()
        self._looks: dict[str, tuple[str, Child]] = {}

    def close(self) -> None:
        """End what runs."""
        for _, child in self._looks.values():
            child.end(2.0)
        self.trainings.close()
        self.service.close()

    def run_folder(self, run: str) -> Path:
        """The folder of a run by its id; raises `SettingError` where there is none."""
        return self.workspace.run_folder(run)

    def model(self, run: str) -> Model:
        """The trained network of a run, kept for the next time; raises `AssayError`. Takes seconds at first."""
        folder = self.run_folder(run)
        with self._loading:
            if run not in self._models:
                if self.trainings.state(run) != "done":
                    raise RunError("this run is not finished", "Wait until it is, or resume it.")
                model = _load(folder)
                self._models[run] = model
                self.service.house.runs[run] = Hosted(run, RunFolder(folder), "ready", model)
            self._models.move_to_end(run)
            while len(self._models) > _MOST_MODELS:
                self._drop(next(iter(self._models)))
            return self._models[run]

    def forget(self, start: str) -> None:
        """Drop the networks of runs that are deleted, those whose id begins so."""
        with self._loading:
            for run in [run for run in self._models if run.startswith(start)]:
                self._drop(run)

    def _drop(self, run: str) -> None:
        self._models.pop(run)
        self.service.house.runs.pop(run, None)

    def look(self, project: Project, again: bool = False) -> dict[str, Any]:
        """What `assay inspect` finds in a project's data, or that it still looks.

        Args:
            project: whose data.
            again: look anew where looking failed.
        """
        with self._looking:
            child = self._looker(project, again)
        found = child.state
        if found == "running":
            return {"state": "running"}
        if found == "done":
            return {"state": "done", "found": child.json()}
        return {"state": "failed", "failure": vars(child.failure)}

    def _looker(self, project: Project, again: bool) -> Child:
        """What looks, or has looked, at the data as it is now."""
        state, known = data_state(project), self._looks.get(project.id)
        if known is not None and known[0] == state and not (again and known[1].state == "failed"):
            return known[1]
        if known is not None:
            known[1].end(2.0)
        child = Child(["inspect", str(project.data), *project.options(), "--json"], project.logs / "inspect.log")
        self._looks[project.id] = (state, child)
        return child


def data_state(project: Project) -> str:
    """What changes when a project's data does."""
    names = listed(project.data)
    last = max(((project.data / name).stat().st_mtime_ns for name in names), default=0)
    return f"{len(names)} {last} {hash(tuple(names))} {project.options()}"


def _load(folder: Path) -> Model:
    from assay.loading import load_to_answer

    return load_to_answer(folder)
