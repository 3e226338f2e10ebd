"""Samples that are files: in a folder for each class, or all in one folder."""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from assay.errors import DataError, SettingError
from assay.run import writing
from assay.serving.http.kinds import ending_of, endings
from assay.serving.http.limits import Limits
from assay.serving.http.refusals import Refused
from assay.serving.http.upload_checks import check_one, members_of
from assay.serving.http.uploads import free_name, safe_name
from assay.sources._splits import split_of
from assay.sources.store import is_clutter
from assay.studio.workspace import Project

_HEAD = 1024
_LONGEST_CLASS = 60


@dataclass
class Taken:
    """What became of some uploaded files.

    Attributes:
        added: how many were.
        there: how many were there already, byte for byte.
        left: names of some of those that such a project does not take.
        skipped: how many those are.
    """

    added: int = 0
    there: int = 0
    skipped: int = 0
    left: list[str] = field(default_factory=list)

    def leave(self, name: str) -> None:
        """Note a file that is not taken."""
        self.skipped += 1
        if len(self.left) < 5:
            self.left.append(name)


def class_name(name: str) -> str:
    """A class's name as its folder is called; raises `SettingError` where it cannot be one."""
    wanted = " ".join(name.split())
    tidy = safe_name(wanted)
    if not wanted or len(wanted) > _LONGEST_CLASS or tidy != wanted:
        raise SettingError(
            f"a class cannot be called {wanted[:_LONGEST_CLASS]!r}",
            f"Use 1 to {_LONGEST_CLASS} letters, digits, spaces and hyphens.",
        )
    if split_of(tidy) is not None:
        raise SettingError(
            f"a class cannot be called {tidy!r}, which is what a side of the data is called", "Choose another name."
        )
    return tidy


def counts(project: Project) -> dict[str, int]:
    """How many files each class has."""
    if not project.data.is_dir():
        return {}
    folders = sorted((one for one in project.data.iterdir() if one.is_dir() and not is_clutter(one.name)), key=str)
    return {folder.name: sum(1 for _ in _files(folder)) for folder in folders}


def listed(folder: Path) -> list[str]:
    """The files below a folder by their names in it, sorted."""
    return sorted(file.relative_to(folder).as_posix() for file in _files(folder)) if folder.is_dir() else []


def _files(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_clutter(name)]
        yield from (Path(path) / name for name in names if not is_clutter(name))


def located(folder: Path, name: str) -> Path:
    """A file by its name in a folder; raises `SettingError` for what is not there, or lies outside."""
    try:
        place = (folder / name).resolve()
        known = place.is_relative_to(folder.resolve()) and place.is_file()
    except (OSError, ValueError):  # a name that is too long, or no name
        known = False
    if not known:
        raise SettingError("there is no such file", "It may have been deleted; load the page again.")
    return place


def put(project: Project, files: Iterable[tuple[str, bytes]], label: str | None, limits: Limits) -> Taken:
    """Write files into a project's data.

    Args:
        project: where to.
        files: paths as they were sent, and contents.
        label: the class of all of them; None where folders tell it.
        limits: of what is taken.
    """
    taken = Taken()
    for name, content in files:
        place = _place(project, name, label, content[:_HEAD], limits)
        if place is None:
            taken.leave(name)
        else:
            _write(place, content, taken)
    return taken


def put_aside(project: Project, files: Iterable[tuple[str, bytes]], limits: Limits) -> Taken:
    """Write files without labels, which may be labelled later."""
    taken = Taken()
    for name, content in files:
        if not _fits(project, name, content[:_HEAD], limits):
            taken.leave(name)
        else:
            _write(project.unlabelled / safe_name(name), content, taken)
    return taken


def put_zip(project: Project, content: IO[bytes], label: str | None, limits: Limits) -> Taken:
    """Unpack a zip into a project's data, each member as `put` does; raises `Refused`."""
    taken = Taken()
    try:
        with zipfile.ZipFile(content) as archive:
            for member in members_of(archive, limits):
                with archive.open(member) as stream:
                    head = stream.read(_HEAD)
                place = _place(project, member.filename, label, head, limits)
                if place is None:
                    taken.leave(member.filename)
                    continue
                with archive.open(member) as stream:
                    _write(place, stream.read(member.file_size), taken)
    except (Refused, DataError, SettingError, OSError):
        raise
    except Exception as error:  # `zipfile` and its decompressors fail on damage in every way that Python knows
        raise Refused(422, "the zip is damaged", "Pack it again.") from error
    return taken


def _fits(project: Project, name: str, head: bytes, limits: Limits) -> bool:
    takes = project.kind.takes
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    if is_clutter(last) or ending_of(last) == ".zip":
        return False
    if not takes:
        return True
    if ending_of(last) not in endings(takes):
        return False
    check_one(last, head, io.BytesIO(), limits)  # of such files only the beginning is looked at
    return True


def _place(project: Project, name: str, label: str | None, head: bytes, limits: Limits) -> Path | None:
    """Where a file goes; None where it is not taken.

    Where classes are folders, the folder that holds a file is its class; elsewhere files lie as they were sent.
    """
    parts = [safe_name(part) for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if not parts or any(is_clutter(part) for part in parts):
        return None
    if project.kind.task == "object-detection" and ending_of(parts[-1]) == ".xml":
        return project.data / parts[-1]
    if not _fits(project, name, head, limits):
        return None
    if project.kind.classes:
        if label is None and len(parts) < 2:
            return None
        return project.data / class_name(label if label is not None else parts[-2]) / parts[-1]
    return project.data / parts[-1] if project.kind.takes else project.data.joinpath(*parts)


def _write(place: Path, content: bytes, taken: Taken) -> None:
    """Write a file under its name, or one like it where another has that."""
    with writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_file() and place.stat().st_size == len(content) and place.read_bytes() == content:
            taken.there += 1
            return
        if place.exists():
            place = place.with_name(free_name(place.name, {other.name for other in place.parent.iterdir()}))
        place.write_bytes(content)
    taken.added += 1


def move(project: Project, names: Sequence[str], label: str, source: Path) -> int:
    """Give files of a folder, be it the data or what is not labelled, a class; gives how many."""
    target = project.data / class_name(label)
    with writing(target):
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            file = located(source, name)
            if file.parent != target.resolve():
                taken = {other.name for other in target.iterdir()}
                shutil.move(file, target / free_name(file.name, taken))
    return len(names)


def remove(project: Project, names: Sequence[str], source: Path) -> int:
    """Delete files of a folder, boxes with their pictures; gives how many."""
    for name in names:
        file = located(source, name)
        with writing(file):
            file.unlink()
            if project.kind.task == "object-detection":
                file.with_suffix(".xml").unlink(missing_ok=True)
    return len(names)


def rename_class(project: Project, name: str, to: str) -> None:
    """Call a class otherwise; where there is one of that name, both become one."""
    old, new = project.data / class_name(name), project.data / class_name(to)
    with writing(new):
        if not new.exists():
            old.rename(new)
            return
    move(project, [f"{old.name}/{file}" for file in listed(old)], new.name, project.data)
    remove_class(project, name)


def remove_class(project: Project, name: str) -> None:
    """Delete a class with its files."""
    folder = project.data / class_name(name)
    with writing(folder):
        shutil.rmtree(folder, ignore_errors=True)
