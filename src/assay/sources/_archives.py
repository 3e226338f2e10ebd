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

_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError,
            NotImplementedError, ValueError)  # fmt: skip


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
        with open(path, "rb") as stream:
            plain = stream.read(512)[257:262] == b"ustar"
        return _PlainTar(path) if plain else _PackedTar(path)
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
        raise DataError("there is no such file in the archive", file=name) from None


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


class _PlainTar:
    """A tar that is not compressed: a member is a piece of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with tarfile.open(path, "r:") as archive:
            files = [(member.name, (member.offset_data, member.size)) for member in archive if member.isreg()]
        if any(start + size > path.stat().st_size for _, (start, size) in files):
            raise EOFError("it ends too early")
        self._members = _tidy(files)
        self.names = list(self._members)
        self._lock = threading.Lock()
        self._stream = open(path, "rb")  # noqa: SIM115 (stays open as long as the store)

    def read(self, name: str) -> bytes:
        start, size = _member(self._members, name)
        with self._lock:
            self._stream.seek(start)
            payload = self._stream.read(size)
        if len(payload) < size:
            raise _damaged(self.path / name, EOFError("it ends too early"))
        return payload

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.read(name))

    def size(self, name: str) -> int:
        return _member(self._members, name)[1]


class _PackedTar:
    """A compressed tar: held in memory while small, else read forwards, and again from the start where needed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._held: dict[str, bytes] | None = {}
        self._archive: tarfile.TarFile | None = None
        places: list[tuple[str, tuple[str, int, int]]] = []
        total = 0
        with tarfile.open(path, "r|*") as archive:
            for order, member in enumerate(archive):
                if not member.isreg():
                    continue
                places.append((member.name, (member.name, order, member.size)))
                total += member.size
                self._hold(archive, member, total)
        self._members = _tidy(places)
        self.names = list(self._members)
        self._next = 0  # the order of the member that the open archive gives next

    def read(self, name: str) -> bytes:
        original, order, _ = _member(self._members, name)
        if self._held is not None:
            return self._held[original]
        with self._lock:
            try:
                return self._forward(order)
            except _DAMAGED as error:
                raise _damaged(self.path / name, error) from error

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.read(name))

    def size(self, name: str) -> int:
        return _member(self._members, name)[2]

    def _hold(self, archive: tarfile.TarFile, member: tarfile.TarInfo, total: int) -> None:
        if total > HELD_BYTES:
            self._held = None
        if self._held is not None:
            content = archive.extractfile(member)
            self._held[member.name] = content.read() if content is not None else b""

    def _forward(self, order: int) -> bytes:
        """The content of the member with this order, going back to the start where it lies behind."""
        if self._archive is None or order < self._next:
            if self._archive is not None:
                self._archive.close()
            self._archive = tarfile.open(self.path, "r|*")  # noqa: SIM115 (stays open between reads)
            self._next = 0
        while True:
            member = self._archive.next()
            if member is None:
                raise EOFError("it ends too early")
            self._archive.members = []  # type: ignore[attr-defined]  # tarfile would remember every member
            self._next += 1
            if self._next > order:
                content = self._archive.extractfile(member)
                return content.read() if content is not None else b""
