"""Files behind one interface, whether they lie in a folder, a zip or a tar archive, or are one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from assay.errors import DataError

#: Never samples: what operating systems and version control leave behind.
CLUTTER = {".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", ".git", ".ipynb_checkpoints", "__pycache__"}

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class Store(Protocol):
    """A set of named files. Names are relative, with forward slashes, sorted; `read` may be called from threads."""

    path: Path

    @property
    def names(self) -> list[str]:
        """Of all files."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of one file; raises `DataError` where it cannot be read."""
        ...

    def size(self, name: str) -> int:
        """The bytes that a file holds, without reading it."""
        ...

    def open(self, name: str) -> BinaryIO:
        """One file as a stream, for files that are larger than memory; raises `DataError`."""
        ...


def open_store(path: Path) -> Store:
    """The files behind a folder, a .zip, a .tar (.gz, .bz2, .xz), or one file by itself.

    Members of archives are only ever read into memory. Hidden files and clutter are left out.

    Raises:
        DataError: a folder or file that cannot be read, an archive that is damaged or encrypted.
    """
    from assay.sources._archives import open_tar, open_zip

    if path.is_dir():
        return _Folder(path)
    name = path.name.lower()
    if name.endswith(".zip"):
        return open_zip(path)
    if name.endswith(TAR_SUFFIXES):
        return open_tar(path)
    return _OneFile(path)


def is_clutter(part: str) -> bool:
    """Whether a file or folder name is hidden or left behind by an operating system."""
    return part.startswith(".") or part in CLUTTER


def printable(name: str) -> str:
    """A name that is valid Unicode; bytes that are no UTF-8 become replacement characters."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def unreadable(file: str, error: BaseException) -> DataError:
    """The `DataError` for a file or folder that the operating system refuses to give."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DataError(f"cannot be read ({reason})", "Check its permissions, or copy it again.", file=file)


class _Folder:
    """A folder with everything below it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._odd: dict[str, str] = {}  # printable name -> name on disk, where they differ
        self.names = sorted(self._walk())

    def read(self, name: str) -> bytes:
        with self.open(name) as stream:
            try:
                return stream.read()
            except OSError as error:
                raise unreadable(name, error) from error

    def open(self, name: str) -> BinaryIO:
        try:
            return open(self._place(name), "rb")
        except OSError as error:
            raise unreadable(name, error) from error

    def size(self, name: str) -> int:
        try:
            return os.stat(self._place(name)).st_size
        except OSError as error:
            raise unreadable(name, error) from error

    def _place(self, name: str) -> str:
        if ".." in name.split("/") or os.path.isabs(name):
            raise DataError("there is no such file in the folder", "Give names of files in it.", file=name)
        return os.path.join(self.path, self._odd.get(name, name))

    def _walk(self) -> Iterator[str]:
        """The name of every file; a folder that links to one above it, or that was seen already, is not entered."""
        seen: set[tuple[int, int]] = set()
        waiting: list[tuple[str, str]] = [(str(self.path), "")]
        while waiting:
            folder, prefix = waiting.pop()
            try:
                status = os.stat(folder)
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as entries:
                    found = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                raise unreadable(printable(folder), error) from error
            for entry in found:
                if is_clutter(entry.name):
                    continue
                if entry.is_dir():
                    waiting.append((entry.path, f"{prefix}{entry.name}/"))
                elif entry.is_file():
                    yield self._named(prefix + entry.name)

    def _named(self, name: str) -> str:
        shown = name if name.isascii() else printable(name)
        if shown != name:
            self._odd[shown] = name
        return shown


class _OneFile:
    """One file by itself."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = [printable(path.name)]

    def read(self, name: str) -> bytes:
        with self.open(name) as stream:
            return stream.read()

    def open(self, name: str) -> BinaryIO:
        if name != self.names[0]:
            raise DataError("there is no such file", "Check the spelling.", file=name)
        try:
            return open(self.path, "rb")
        except OSError as error:
            raise unreadable(str(self.path), error) from error

    def size(self, name: str) -> int:
        try:
            return os.stat(self.path).st_size
        except OSError as error:
            raise unreadable(str(self.path), error) from error
