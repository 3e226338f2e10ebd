"""Uploaded files: where they are put, and what they are called there."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

_LONGEST_NAME = 100
_PREFIX = "assay-serve-"
#: Names that Windows keeps for itself.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}


class UploadRoot:
    """The folder below which uploads are put; removed with everything in it at the end.

    What a server that was killed left behind is removed by the next one.
    """

    def __init__(self) -> None:
        _remove_left(Path(tempfile.gettempdir()))
        self._folder = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", ignore_cleanup_errors=True)
        self.path = Path(self._folder.name).resolve()
        self._lock = threading.Lock()
        self._count = 0
        self._empty: list[Path] = []

    def upload(self) -> Upload:
        """An empty folder for the files of a request."""
        with self._lock:
            if self._empty:
                return Upload(self._empty.pop(), self._again)
            self._count += 1
            number = self._count
        folder = self.path / str(number)
        folder.mkdir(mode=0o700)
        return Upload(folder, self._again)

    def _again(self, folder: Path) -> None:
        """Keep an empty folder for the next request: to make and remove one takes longer than to write a file."""
        with self._lock:
            self._empty.append(folder)

    def close(self) -> None:
        """Remove everything."""
        self._folder.cleanup()


class Upload:
    """The files of a request.

    Args:
        folder: where they lie; empty.
        emptied: takes the folder where it is empty again in the end.
    """

    def __init__(self, folder: Path, emptied: Callable[[Path], None]) -> None:
        self.folder, self._emptied = folder, emptied
        self._names: set[str] = set()
        self._closed = False

    @property
    def source(self) -> Path:
        """What readers are given: the file, or the folder where there are several."""
        names = sorted(self._names)
        return self.folder / names[0] if len(names) == 1 else self.folder

    def add(self, name: str, content: bytes) -> None:
        """Write a file under a name of its own in the folder, whatever it is called."""
        tidy = free_name(safe_name(name), self._names)
        self._names.add(tidy)
        (self.folder / tidy).write_bytes(content)

    def hidden(self, text: str) -> str:
        """A message without the place of the folder."""
        return (
            text.replace(f"{self.folder.as_posix()}/", "")
            .replace(f"{self.folder}/", "")
            .replace(str(self.folder), "the upload")
        )

    def close(self) -> None:
        """Remove the files."""
        if self._closed:
            return
        self._closed = True
        try:
            for name in self._names:
                (self.folder / name).unlink(missing_ok=True)
            if not os.listdir(self.folder):
                self._emptied(self.folder)
                return
        except OSError:  # it is gone, or holds what cannot be removed so
            pass
        shutil.rmtree(self.folder, ignore_errors=True)


def _remove_left(folder: Path) -> None:
    """Remove this user's folders of servers that do not run any more; only where a process can be asked after."""
    if os.name != "posix":
        return
    for left in folder.glob(f"{_PREFIX}*-*"):
        number = left.name.removeprefix(_PREFIX).partition("-")[0]
        with suppress(OSError):
            if number.isdigit() and not left.is_symlink() and left.lstat().st_uid == os.getuid():
                try:
                    os.kill(int(number), 0)
                except ProcessLookupError:
                    shutil.rmtree(left, ignore_errors=True)


def safe_name(name: str) -> str:
    r"""A name for a file that no path, device or hidden file hides in.

    >>> safe_name("../../etc/passwd"), safe_name("C:\\boot.ini"), safe_name(".."), safe_name("con.png")
    ('passwd', 'boot.ini', 'file', '_con.png')
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(sign if sign.isalnum() or sign in "-_. ()" else "_" for sign in last)
    clean = clean.encode("utf-8", "replace").decode("utf-8").strip(". ")
    stem, dot, ending = clean.rpartition(".")
    if len(clean.encode()) > _LONGEST_NAME:
        kept = (stem or clean).encode()[: _LONGEST_NAME - 20].decode("utf-8", "ignore")
        clean = kept + (dot + ending if len(ending) < 12 else "")
    if clean.split(".", 1)[0].lower() in _DEVICES:
        clean = f"_{clean}"
    return clean or "file"


def free_name(name: str, taken: set[str]) -> str:
    """The name, or one like it that is not taken."""
    lower = {other.lower() for other in taken}
    stem, dot, ending = name.rpartition(".")
    first, number = name, 1
    while name.lower() in lower:
        number += 1
        name = f"{stem}-{number}{dot}{ending}" if stem else f"{first}-{number}"
    return name
