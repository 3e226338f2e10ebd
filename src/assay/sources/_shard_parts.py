"""Stretches of the files of a folder, here or behind a URL."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from assay.sources._remote import RemoteStore
from assay.sources.store import unreadable

#: Files that are kept open.
_MOST_OPEN = 32


class Parts(Protocol):
    """Files of which stretches can be read; may be called from threads. All raise `DataError`."""

    def part(self, name: str, start: int, size: int) -> bytes:
        """A stretch of a file; shorter where the file ends earlier."""
        ...

    def size(self, name: str) -> int:
        """The bytes that a file holds."""
        ...

    def read(self, name: str) -> bytes:
        """A whole file."""
        ...

    def open(self, name: str) -> BinaryIO:
        """A file as a stream."""
        ...

    def address(self, name: str) -> str:
        """How messages call a file."""
        ...


class LocalParts:
    """A folder here. Stretches are read, not mapped: pages of a map would count as this process's memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Any] = OrderedDict()

    def part(self, name: str, start: int, size: int) -> bytes:
        """See `Parts`."""
        try:
            with self._lock:
                file = self._file(name)
                if hasattr(os, "pread"):
                    descriptor = os.dup(file.fileno())  # another thread may close the file meanwhile
                else:
                    file.seek(start)
                    return bytes(file.read(size))
            try:
                return os.pread(descriptor, size, start)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unreadable(self.address(name), error) from error

    def size(self, name: str) -> int:
        """See `Parts`."""
        try:
            return (self._folder / name).stat().st_size
        except OSError as error:
            raise unreadable(self.address(name), error) from error

    def read(self, name: str) -> bytes:
        """See `Parts`."""
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise unreadable(self.address(name), error) from error

    def open(self, name: str) -> BinaryIO:
        """See `Parts`."""
        try:
            return open(self._folder / name, "rb")
        except OSError as error:
            raise unreadable(self.address(name), error) from error

    def address(self, name: str) -> str:
        """See `Parts`."""
        return str(self._folder / name)

    def _file(self, name: str) -> Any:
        if name not in self._open:
            self._open[name] = open(self._folder / name, "rb", buffering=0)  # noqa: SIM115 - kept open
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(name)
        return self._open[name]


__all__ = ["LocalParts", "Parts", "RemoteStore"]
