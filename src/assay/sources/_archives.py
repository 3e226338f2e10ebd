"""Archives as stores: members are read in memory and never written to disk, so that a hostile name does no harm."""

from __future__ import annotations

import io
import lzma
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from assay.errors import DataError
from assay.sources.store import Store, is_clutter, printable, unreadable

Member = TypeVar("Member")

#: The most bytes of a compressed tar that are kept in memory; a larger one is decompressed again where needed.
HELD_BYTES = 256 * 1024 * 1024

_DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    ValueError,
)


def open_zip(path: Path) -> Store:
    """The members of a zip archive; raises `DataError` where it is damaged or encrypted."""
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGED as error:
        raise _damaged(path, error) from error
    members = [member for member in archive.infolist() if not member.is_dir()]
    if any(member.flag_bits & 1 for member in members):
        raise DataError("the archive is encrypted", "Unpack it with its password, and give the folder.", file=str(path))
    return _Zip(path, archive, _tidy((member.filename, member) for member in members))


def open_tar(path: Path) -> Store:
    """The files of a tar archive, compressed or not; raises `DataError` where it is damaged."""
    try:
        return _Tar(path)
    except _DAMAGED as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: BaseException) -> DataError:
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return unreadable(str(path), error)
    return DataError(f"the archive is damaged ({error})", "Download or pack it again.", file=str(path))


def _tidy(members: Iterable[tuple[str, Member]]) -> dict[str, Member]:
    """Members by a tidy relative name, sorted; hidden ones and clutter are left out, the last of equal names wins."""
    tidy: dict[str, Member] = {}
    for name, member in members:
        parts = [part for part in printable(name).replace("\\", "/").split("/") if part not in ("", ".", "..")]
        if parts and not any(is_clutter(part) for part in parts):
            tidy["/".join(parts)] = member
    return dict(sorted(tidy.items()))


def _member(members: dict[str, Member], name: str) -> Member:
    try:
        return members[name]
    except KeyError:
        raise DataError(
            "there is no such file in the archive", "Pack it again with all files that it names.", file=name
        ) from None


class _Zip:
    """A zip archive; `zipfile` itself locks the shared file, so that threads may read."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> None:
        self.path = path
        self._archive = archive
        self._members = members
        self.names = list(members)

    def read(self, name: str) -> bytes:
        member = _member(self._members, name)
        try:
            return self._archive.read(member)
        except (*_DAMAGED, RuntimeError) as error:
            raise _damaged(self.path / name, error) from error

    def open(self, name: str) -> BinaryIO:
        member = _member(self._members, name)
        try:
            return cast(BinaryIO, self._archive.open(member))
        except (*_DAMAGED, RuntimeError) as error:
            raise _damaged(self.path / name, error) from error

    def size(self, name: str) -> int:
        return _member(self._members, name).file_size


class _Tar:
    """A tar archive. A compressed one is held in memory while small; else reading backwards starts from its front."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        archive = tarfile.open(path, "r:*")  # noqa: SIM115 (stays open as long as the store)
        self._stream = cast(BinaryIO, archive.fileobj)
        packed = not isinstance(self._stream, io.BufferedReader)
        places: list[tuple[str, tuple[int, int]]] = []
        self._held: dict[int, bytes] | None = {} if packed else None  # by the place in the archive
        total = 0
        for member in archive:
            if not member.isreg():
                continue
            places.append((member.name, (member.offset_data, member.size)))
            total += member.size
            if total > HELD_BYTES:
                self._held = None
            if self._held is not None:
                self._held[member.offset_data] = self._piece(member.offset_data, member.size)
        if not packed and any(start + size > path.stat().st_size for _, (start, size) in places):
            raise EOFError("it ends too early")
        self._members = _tidy(places)
        self.names = list(self._members)

    def read(self, name: str) -> bytes:
        start, size = _member(self._members, name)
        if self._held is not None:
            return self._held[start]
        try:
            with self._lock:
                return self._piece(start, size)
        except _DAMAGED as error:
            raise _damaged(self.path / name, error) from error

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.read(name))

    def size(self, name: str) -> int:
        return _member(self._members, name)[1]

    def _piece(self, start: int, size: int) -> bytes:
        self._stream.seek(start)
        content = self._stream.read(size)
        if len(content) < size:
            raise EOFError("it ends too early")
        return content
