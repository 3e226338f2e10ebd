"""Trainings: one at a time, each in a process of its own, told by what it leaves in its run folder.

A browser that is closed changes nothing. Where the studio ends, a training ends as by Ctrl-C and can be resumed; where
the studio is killed, it goes on, and is known again by the lock that it holds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay.errors import AssayError, SettingError
from assay.flow import parse_duration
from assay.run import RunFolder, writing
from assay.serving.http.refusals import Refused
from assay.studio.children import Child, failure_in, is_locked, stage_in
from assay.studio.workspace import BETWEEN, Project, Workspace, write_json

_END_S = 20.0
_EVIDENCE = ("quick", "full", "none")
#: Evidence takes at most so many times as long as the training.
_SHARES = {"quick": 0.15, "full": 2.0, "none": 0.05}


class Trainings:
    """What is being trained, and what was.

    Args:
        workspace: the projects.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._children: dict[str, Child] = {}
        self._busy: tuple[str, str, float] | None = None  # run, what is done with it, since when
        #: Trainings that another studio began, which was killed.
        self._left = {run for project in workspace.projects() for run in project.run_ids()
                      if is_locked(_log(project, run))}  # fmt: skip

    @property
    def busy(self) -> dict[str, Any] | None:
        """What is being done now."""
        self._left = {run for run in self._left if is_locked(_log(self._workspace.project_of(run), run))}
        if self._busy is not None and self._children[self._busy[0]].state == "running":
            run, work, since = self._busy
        elif self._left:
            run, work, since = min(self._left), "train", time.monotonic()
        else:
            return None
        name = self._workspace.project_of(run).facts["name"]
        return {"run": run, "project": name, "work": work, "seconds": time.monotonic() - since}

    def train(self, project: Project, budget: str, evidence: str, settings: Sequence[str] = ()) -> str:
        """Begin a training; gives the run's id. Raises `Refused` where another one runs."""
        parse_duration(budget)
        if evidence not in _EVIDENCE:
            raise SettingError(f"evidence {evidence[:20]!r} is not possible", f"Known: {', '.join(_EVIDENCE)}.")
        run = project.next_run()
        chosen = [word for setting in settings for word in ("--set", setting)]
        words = ["train", str(project.data), *project.options(), "--budget", budget, "--evidence", evidence, *chosen]
        self._begin(run, project, "train", [*words, "--out", str(self._workspace.run_folder(run)), "--json"],
                    {"budget": budget, "evidence": evidence})  # fmt: skip
        return run

    def resume(self, run: str) -> None:
        """Go on with a run that was stopped."""
        folder, project = self._workspace.run_folder(run), self._workspace.project_of(run)
        RunFolder.open(folder)
        self._begin(run, project, "train", ["resume", str(folder), "--json"], {})

    def export(self, run: str, int8: bool) -> None:
        """Write the network as ONNX into a folder of the project."""
        folder, project = self._workspace.run_folder(run), self._workspace.project_of(run)
        target = export_folder(project, run, int8)
        if is_export(target):
            raise SettingError("this export is there already", "Download it.")
        work = "export in eight bits" if int8 else "export"
        words = ["export", str(folder), "--out", str(target), *(["--int8"] if int8 else []), "--json"]
        self._begin(run, project, work, words, None, remains=target)

    def _begin(
        self, run: str, project: Project, work: str, words: Sequence[str], facts: Any, remains: Path | None = None
    ) -> None:
        """Start a process, unless one is at work; `remains` of one that was killed go first."""
        with self._lock:
            if (busy := self.busy) is not None:
                doing = "trained" if busy["work"] == "train" else "exported"
                raise Refused(
                    409, f"{busy['project']!r} is being {doing}, and this machine does one at a time",
                    "Wait until it is done, or stop it on its page.",
                )  # fmt: skip
            log = project.logs / f"{_number(run)}{'' if work == 'train' else f'-{work}'.replace(' ', '-')}.log"
            if remains is not None and remains.exists():
                with writing(remains):
                    shutil.rmtree(remains)
            if facts is not None:
                note = project.logs / f"{_number(run)}.json"
                before = RunFolder(project.logs).read(note) if note.exists() else {}
                write_json(note, {**before, **facts, "begun": time.time()})
            with writing(log):
                child = self._children[run] = Child(words, log)
            if facts is not None:
                write_json(note, {**RunFolder(project.logs).read(note), "pid": child.pid})
            self._busy = (run, work, time.monotonic())

    def stop(self, run: str) -> None:
        """End what is done with a run; a training can be resumed."""
        project = self._workspace.project_of(run)
        if run in self._children:
            self._children[run].stop()
        elif run in self._left and is_locked(_log(project, run)):  # so that its number is still its own
            pid = RunFolder(project.logs).read(project.logs / f"{_number(run)}.json", "pid")["pid"]
            with contextlib.suppress(OSError):
                os.kill(int(pid), signal.SIGINT)

    def close(self) -> None:
        """End all of it in good order."""
        for child in self._children.values():
            child.end(_END_S)

    def delete(self, run: str) -> None:
        """Remove a run and what was exported of it."""
        folder, project = self._workspace.run_folder(run), self._workspace.project_of(run)
        if self.state(run) == "running":
            raise SettingError("this run is being trained", "Stop it first.")
        for place in (folder, export_folder(project, run, False), export_folder(project, run, True)):
            with writing(place):
                if place.exists():
                    shutil.rmtree(place)
        self._children.pop(run, None)

    def delete_project(self, project: Project) -> None:
        """Remove a project; nothing of it may run."""
        busy = self.busy
        if busy is not None and busy["run"].rpartition(BETWEEN)[0] == project.id:
            raise SettingError("this project is being trained", "Stop it first.")
        self._workspace.delete(project)

    def state(self, run: str) -> str:
        """How a run stands: running, done, stopped (it can be resumed), or failed."""
        folder = RunFolder(self._workspace.run_folder(run))
        child = self._children.get(run)
        if child is not None and child.state == "running" and self._busy is not None and self._busy[1] == "train":
            return "running"
        if folder.summary.exists():
            return "done"
        if run in self._left and is_locked(_log(self._workspace.project_of(run), run)):
            return "running"
        if child is not None and child.state == "failed":
            return "failed"
        return "stopped" if folder.plan.exists() else "failed"

    def row(self, run: str) -> dict[str, Any]:
        """A run in a list."""
        project, folder = self._workspace.project_of(run), RunFolder(self._workspace.run_folder(run))
        note = project.logs / f"{_number(run)}.json"
        facts = RunFolder(project.logs).read(note) if note.exists() else {}
        found: dict[str, Any] = {"run": run, "number": int(_number(run)), "state": self.state(run), **facts}
        if found["state"] == "done":
            with contextlib.suppress(AssayError):
                summary = folder.read(folder.summary, "task", "metric", "verdict")
                found |= {name: summary[name] for name in ("task", "metric", "verdict", "seconds")}
        return found

    def progress(self, run: str) -> dict[str, Any]:
        """How far a run is: its curves, its stage, seconds that are left, and why it failed if it did."""
        project, row = self._workspace.project_of(run), self.row(run)
        folder = RunFolder(self._workspace.run_folder(run))
        log = _log(project, run)
        curves, ended = _curves(folder)
        stage, share = stage_in(log)
        found = {**row, "curves": curves, "stage": stage, "share": share, "left": None}
        if row["state"] == "running":
            found["left"] = _left(row, curves, ended)
        elif row["state"] == "failed":
            child = self._children.get(run)
            found["failure"] = vars(child.failure if child else failure_in(log))
        return found

    def exported(self, run: str) -> dict[str, Any]:
        """What was exported of a run, and what is being."""
        project, child = self._workspace.project_of(run), self._children.get(run)
        work = self._busy[1] if self._busy is not None and self._busy[0] == run else ""
        found: dict[str, Any] = {}
        for name, int8 in (("float", False), ("int8", True)):
            folder = export_folder(project, run, int8)
            mine = child is not None and work == ("export in eight bits" if int8 else "export")
            if mine and child is not None and child.state == "running":
                found[name] = {"state": "running", "stage": stage_in(child.log)[0]}
            elif is_export(folder):
                found[name] = {"state": "done", **_export_facts(folder)}
            elif mine and child is not None and child.state == "failed":
                found[name] = {"state": "failed", **vars(child.failure)}
            else:
                found[name] = {"state": "none"}
        return found


def export_folder(project: Project, run: str, int8: bool) -> Path:
    """Where an export of a run goes."""
    return project.exports / f"{_number(run)}-{'int8' if int8 else 'float'}"


def is_export(folder: Path) -> bool:
    """Whether a whole export is there: what tells of it is written last."""
    return (folder / "model" / "export.json").is_file()


def _number(run: str) -> str:
    return run.rpartition(BETWEEN)[2]


def _log(project: Project, run: str) -> Path:
    """What its training says."""
    return project.logs / f"{_number(run)}.log"


def _curves(run: RunFolder) -> tuple[dict[str, list[list[float]]], bool]:
    """The losses by seconds, and whether fitting has ended."""
    curves: dict[str, list[list[float]]] = {"train": [], "validation": []}
    ended = False
    for line in run.history():
        seconds = line.get("seconds")
        ended = ended or "fit_seconds" in line
        for name in curves:
            if isinstance(value := line.get(f"{name}_loss"), int | float) and isinstance(seconds, int | float):
                curves[name].append([seconds, value])
    return curves, ended


def _left(row: dict[str, Any], curves: dict[str, list[list[float]]], ended: bool) -> dict[str, float] | None:
    """Seconds of training that are left, and of all, at most; None where the run does not say."""
    if not row.get("budget"):
        return None
    budget = parse_duration(row["budget"])
    spent = max((point[0] for name in curves for point in curves[name][-1:]), default=0.0)
    training = 0.0 if ended else max(0.0, budget - spent)
    return {"training": training, "evidence": budget * _SHARES.get(row.get("evidence", ""), 1.0)}


def _export_facts(folder: Path) -> dict[str, Any]:
    """What is told of an export: its size, and how it compares."""
    files = [file for file in folder.rglob("*.onnx") if file.is_file()]
    found: dict[str, Any] = {"bytes": sum(file.stat().st_size for file in files)}
    told = next(iter(folder.rglob("export.json")), None)
    if told is not None:
        with contextlib.suppress(AssayError):
            found["facts"] = RunFolder(folder).read(told)
    return found
