"""Tar shards as they are written: whole or not at all, here or behind a URL.

A folder grows under another name and gets its own when the index lies in it. Behind a URL nothing can be renamed: there
the index is what is written last, and files without one are no shards.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from assay.errors import RunError
from assay.run import is_full
from assay.sources._remote import exists, filesystem, is_url, refusals, without_password
from assay.sources._shard_index import INDEX, Shard, ShardIndex

_BLOCK = tarfile.BLOCKSIZE
_ELSEWHERE = "Choose another TARGET."


class Folder(Protocol):
    """Where files are made."""

    def create(self, name: str) -> BinaryIO:
        """A new file to be written."""
        ...

    def keep(self) -> None:
        """All files are complete."""
        ...

    def drop(self) -> None:
        """Leave nothing behind."""
        ...


class ShardWriter:
    """Appends samples to shards, each at most so large, unless one sample is larger.

    Use as a context; what was not closed by `finish` is thrown away.

    Args:
        target: a folder that is not there yet or is empty, or a URL.
        shard_bytes: where the next shard begins.

    Raises:
        RunError: the target is taken or cannot be written; also from `add` and `finish`.
    """

    def __init__(self, target: str, shard_bytes: int) -> None:
        self._target, self._most = without_password(target), shard_bytes
        with self._refusals():
            self._folder: Folder = _Remote(target) if is_url(target) else _Local(Path(target).expanduser())
        self._shards: list[Shard] = []
        self._file: Any = None
        self._place = self._samples = 0
        self._done = False

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._done:
            with suppress(OSError):  # a full disk fails once more when the rest is to be written
                if self._file is not None:
                    self._file.close()
            self._folder.drop()

    def add(self, key: str, members: dict[str, bytes]) -> tuple[int, int, int, int]:
        """Append a sample: its members by their endings, of which the first is the one to be found again.

        Returns:
            The shard's number; the first member's first byte in it, its size, its CRC-32.
        """
        size = sum(_BLOCK + _padded(len(content)) for content in members.values())
        with self._refusals():
            if self._file is not None and self._samples and self._place + size > self._most - 2 * _BLOCK:
                self._close()
            if self._file is None:
                self._open()
            starts = [self._member(f"{key}.{ending}", content) for ending, content in members.items()]
        self._samples += 1
        first = next(iter(members.values()))
        return len(self._shards), starts[0], len(first), zlib.crc32(first)

    def finish(self, index: Any) -> ShardIndex:
        """Close the last shard, write the index that `index` makes of the shards, and let all of it appear."""
        with self._refusals():
            if self._file is not None:
                self._close()
            made: ShardIndex = index(tuple(self._shards))
            with self._folder.create(INDEX) as file:
                made.write(file)
                _settle(file)
            self._folder.keep()
        self._done = True
        return made

    def _open(self) -> None:
        self._file = self._folder.create(f"shard-{len(self._shards):06d}.tar")
        self._place = self._samples = 0
        self._hash = hashlib.sha256()

    def _close(self) -> None:
        self._write(bytes(2 * _BLOCK))
        _settle(self._file)
        self._file.close()
        name = f"shard-{len(self._shards):06d}.tar"
        self._shards.append(Shard(name, self._place, self._hash.hexdigest(), self._samples))
        self._file = None

    def _member(self, name: str, content: bytes) -> int:
        header = tarfile.TarInfo(name)
        header.size = len(content)
        self._write(header.tobuf(tarfile.USTAR_FORMAT))
        start = self._place
        self._write(content)
        self._write(bytes(_padded(len(content)) - len(content)))
        return start

    def _write(self, content: bytes) -> None:
        self._file.write(content)
        self._hash.update(content)
        self._place += len(content)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Turns what the system or a server says into an error that names the target."""
        try:
            if is_url(self._target):
                with refusals(self._target):
                    yield
            else:
                yield
        except OSError as error:
            if is_full(error):
                hint = "Free some space, or choose another TARGET; nothing of the shards is left behind."
                raise RunError(f"no space is left to write {self._target}", hint) from error
            reason = f" ({error.strerror})" if error.strerror else ""
            raise RunError(f"{self._target} cannot be written{reason}", _ELSEWHERE) from error


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _settle(file: Any) -> None:
    """Make sure that a file here is on disk before it counts as written: some systems say late that it is full."""
    file.flush()
    with suppress(AttributeError, ValueError, TypeError):
        number = file.fileno()
        os.fsync(number)


class _Local:
    def __init__(self, path: Path) -> None:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            what = "is not empty" if path.is_dir() else "is a file, not a folder"
            raise RunError(f"{path} {what}", _ELSEWHERE)
        self._path = path.absolute()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=self._path.parent))

    def create(self, name: str) -> BinaryIO:
        return open(self._work / name, "wb")

    def keep(self) -> None:
        if self._path.exists():
            self._path.rmdir()  # empty, as it was
        self._work.chmod(0o777 & ~_umask())
        os.replace(self._work, self._path)

    def drop(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)


def _umask() -> int:
    """What the user's new files are not allowed; a temporary folder is for its maker alone."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


class _Remote:
    def __init__(self, url: str) -> None:
        self._system, self._root = filesystem(url)
        self._url = without_password(url)
        if exists(self._system, f"{self._root}/{INDEX}"):
            raise RunError(f"{self._url} holds shards already", _ELSEWHERE)
        self._made: list[str] = []

    def create(self, name: str) -> BinaryIO:
        place = f"{self._root}/{name}"
        with suppress(Exception):  # object stores have no folders to be made
            self._system.makedirs(self._root, exist_ok=True)
        self._made.append(place)
        try:
            return cast(BinaryIO, self._system.open(place, "wb"))
        except NotImplementedError as error:
            raise RunError(f"{self._url} is of a kind that can be read only", _ELSEWHERE) from error

    def keep(self) -> None:
        return

    def drop(self) -> None:
        for place in self._made:
            with suppress(Exception):  # what could not be written can often not be deleted either
                self._system.rm_file(place)
