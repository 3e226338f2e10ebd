"""The studio's folder: a folder for each project, with its data and its runs.

FOLDER/PROJECT/project.json   what it is called, which kind of data it takes, and its settings
FOLDER/PROJECT/data/PROJECT/  what is learned from, as `assay train` reads it
FOLDER/PROJECT/unlabelled/    what may be labelled next
FOLDER/PROJECT/runs/NUMBER/   run folders
FOLDER/PROJECT/exports/       exported networks
FOLDER/PROJECT/logs/          what trainings said
"""

from __future__ import annotations

import re
import shutil
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import RunError, SettingError
from assay.run import RunFolder, to_json, write_text, writing

_LONGEST = 60
#: Between a project and the number of its run, as in `cats~2`.
BETWEEN = "~"


@dataclass(frozen=True)
class Kind:
    """A kind of data that a person can teach from.

    Attributes:
        task: the application that it is for; None where that is recognised.
        takes: what a sample is, as `Traits.takes` says it; empty where any file is taken.
        classes: samples are sorted into classes.
    """

    task: str | None
    takes: tuple[str, ...] = ()
    classes: bool = False


KINDS: Mapping[str, Kind] = {
    "pictures": Kind("image-classification", ("picture",), classes=True),
    "sounds": Kind("voice-commands", ("sound",), classes=True),
    "texts": Kind("text-classification", ("text",), classes=True),
    "boxes": Kind("object-detection", ("picture",)),
    "files": Kind(None),
}


class Project:
    """One project.

    Args:
        path: its folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.id = path.name
        self.data = path / "data" / path.name  # named so, since the evidence page is called after it
        self.unlabelled = path / "unlabelled"
        self.runs = path / "runs"
        self.exports = path / "exports"
        self.logs = path / "logs"

    @property
    def facts(self) -> dict[str, Any]:
        """What `project.json` holds."""
        return RunFolder(self.path).read(self.path / "project.json", "name", "kind")

    @property
    def kind(self) -> Kind:
        """What it takes; raises `RunError` where the file was changed to something unknown."""
        name = self.facts["kind"]
        if name not in KINDS:
            raise RunError(f"{self.path / 'project.json'} is damaged (its kind is {name!r})", "Make the project anew.")
        return KINDS[name]

    def write(self, **changes: Any) -> None:
        """Change what `project.json` holds."""
        before = self.facts if (self.path / "project.json").exists() else {"format": 1}
        write_json(self.path / "project.json", {**before, **changes})

    def options(self) -> list[str]:
        """The data options of the command line that its settings stand for."""
        facts, task = self.facts, self.kind.task
        found = ["--task", task or facts["task"]] if task or facts.get("task") else []
        return found + (["--target", facts["target"]] if facts.get("target") else [])

    def run_ids(self) -> list[str]:
        """Its runs by id, the newest first."""
        if not self.runs.is_dir():
            return []
        numbers = [int(folder.name) for folder in self.runs.iterdir() if folder.is_dir() and folder.name.isdigit()]
        return [f"{self.id}{BETWEEN}{number}" for number in sorted(numbers, reverse=True)]

    def next_run(self) -> str:
        """The id of a run that does not exist yet; numbers of deleted runs are not given again."""
        logs = self.logs.glob("*.json") if self.logs.is_dir() else ()
        used = [int(file.stem) for file in logs if file.stem.isdigit()]
        used += [int(one.rpartition(BETWEEN)[2]) for one in self.run_ids()]
        return f"{self.id}{BETWEEN}{max(used, default=0) + 1}"


class Workspace:
    """All projects of a folder.

    Args:
        folder: made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)

    def projects(self) -> list[Project]:
        """All of them, the one that was changed last first."""
        found = [Project(file.parent) for file in self.folder.glob("*/project.json")]
        return sorted(found, key=lambda one: -(one.path / "project.json").stat().st_mtime)

    def project(self, name: str) -> Project:
        """A project by id; raises `SettingError` where there is none."""
        project = Project(self.folder / name)
        if name != slug(name) or not (project.path / "project.json").is_file():
            raise SettingError(f"there is no project {name[:_LONGEST]!r}", "It may have been deleted.")
        return project

    def run_folder(self, run: str) -> Path:
        """The folder of a run by its id, `PROJECT~NUMBER`; raises `SettingError` where there is none."""
        name, _, number = run.rpartition(BETWEEN)
        if not (number.isascii() and number.isdigit() and len(number) < 10):
            raise SettingError(f"there is no run {run[:_LONGEST]!r}", "It may have been deleted; see the project.")
        return self.project(name).runs / str(int(number))

    def project_of(self, run: str) -> Project:
        """The project that a run belongs to."""
        return self.project(run.rpartition(BETWEEN)[0])

    def create(self, name: str, kind: str) -> Project:
        """A new project; raises `SettingError` where the name or the kind cannot be."""
        name = " ".join(name.split())
        if kind not in KINDS:
            raise SettingError(f"there is no kind of data {kind[:20]!r}", f"Known: {', '.join(KINDS)}.")
        if not name or len(name) > _LONGEST:
            raise SettingError(f"a project's name has 1 to {_LONGEST} letters", "Give it another name.")
        stem = slug(name) or "project"
        first, number = stem, 1
        while (self.folder / stem).exists():
            number += 1
            stem = f"{first}-{number}"
        project = Project(self.folder / stem)
        with writing(project.path):
            project.data.mkdir(parents=True)
        project.write(name=name, kind=kind, made=time.time())
        return project

    def delete(self, project: Project) -> None:
        """Remove a project with everything in it."""
        with writing(project.path):
            shutil.rmtree(project.path)


def write_json(file: Path, value: Any) -> None:
    """Write JSON, whole or not at all."""
    RunFolder(file.parent).write(file, to_json(value))


def write_lines(file: Path, text: str) -> None:
    """Write a text, whole or not at all; its folder is made where it is not there."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, text)


def slug(name: str) -> str:
    """A name for a folder and an address: small letters, digits and hyphens.

    >>> slug("Cats & Dogs, 2nd try"), slug("Äpfel"), slug("../x")
    ('cats-dogs-2nd-try', 'apfel', 'x')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].strip("-")
