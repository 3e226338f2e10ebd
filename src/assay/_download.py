"""Fetching a file over HTTP so that a slow or broken connection costs nothing twice.

A file grows under the name `NAME.part`; what is there is kept and continued with an HTTP range request. Only when its
SHA-256 is right does it get its own name, in one step, so that a half-fetched file is never mistaken for a whole one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import DataError
from assay.progress import Progress

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.error import HTTPError

CHUNK_BYTES = 1 << 18
TIMEOUT_S = 30.0
#: Failures in a row, without one new byte, until we give up; the wait doubles from one to the next.
ATTEMPTS = 5
FIRST_WAIT_S = 1.0

_SPACE_HINT = "Free some space, or name a folder on another disk; what has arrived is kept and continued."
_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_NO_SPACE = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set, and how to know that it arrived whole.

    Attributes:
        name: its name on disk.
        urls: where it lies; the later ones are asked when the earlier ones fail.
        sha256: the SHA-256 of its bytes, in hexadecimal.
        bytes: its size.
        unpack: the folder into which an archive (zip, tar) is unpacked; None for a file that is used as it is.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    bytes: int
    unpack: str | None = None


class _PassingFault(Exception):
    """The connection broke, or the server is busy; the next attempt may succeed."""


def fetch_file(file: RemoteFile, folder: Path, progress: Progress) -> Path:
    """Bring a file into a folder, unless it is there already.

    Args:
        file: what to fetch.
        folder: where to; made if it does not exist.
        progress: told how many bytes are there, a stage a file.

    Returns:
        the file's path; its SHA-256 is right.

    Raises:
        DataError: a server that does not answer or has no such file, wrong content, no space, no permission.
    """
    target = folder / file.name
    with disk_errors(target):
        folder.mkdir(parents=True, exist_ok=True)
        if target.exists():
            _check_present(target, file)
            return target
        part = folder / f"{file.name}.part"
        _check_space(folder, file, part)
    progress.stage(f"fetching {file.name}", file.bytes)
    failure: DataError | None = None
    for url in file.urls:
        try:
            _fetch_from(url, file, part, progress)
        except _GivenUp as given_up:
            failure = given_up.error
            continue
        with disk_errors(target):
            os.replace(part, target)
        return target
    raise failure or DataError(
        "has no address to fetch it from.", "Give the data set's file an address.", file=file.name
    )


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _GivenUp(Exception):
    """This address will not give the file; another one may."""

    def __init__(self, error: DataError) -> None:
        super().__init__(error.message)
        self.error = error


def _fetch_from(url: str, file: RemoteFile, part: Path, progress: Progress) -> None:
    """Fill `part` from one address until its SHA-256 is right."""
    started_from_nothing = _size(part) == 0
    with disk_errors(part):
        if _size(part) == file.bytes and sha256_of(part) == file.sha256:
            return  # stopped between the last byte and the renaming
    _continue_until_whole(url, file, part, progress)
    with disk_errors(part):
        found = sha256_of(part)
        if found == file.sha256:
            return
        part.unlink()
    if not started_from_nothing:  # the earlier piece may have come from another version of the file
        _fetch_from(url, file, part, progress)
        return
    raise _GivenUp(
        DataError(
            f"what {url} gives has the SHA-256 {found}; expected is {file.sha256}.",
            "The file there was changed, or a proxy answered in its place; nothing was kept.",
            file=file.name,
        )
    )


def _continue_until_whole(url: str, file: RemoteFile, part: Path, progress: Progress) -> None:
    """Ask again and again, each time for the rest, until nothing is missing."""
    failures = 0
    while True:
        before = _size(part)
        try:
            _receive(url, file, part, progress)
            return
        except _PassingFault as fault:
            failures = 1 if _size(part) > before else failures + 1
            if failures >= ATTEMPTS:
                raise _GivenUp(
                    DataError(
                        f"{url} does not answer as it should ({fault}); tried {ATTEMPTS} times.",
                        "Check the connection and run the same command again; what has arrived is kept and continued.",
                        file=file.name,
                    )
                ) from fault
            wait_s = FIRST_WAIT_S * 2 ** (failures - 1)
            progress.say(f"{file.name}: {fault}; trying again in {wait_s:.0f} s")
            _wait(wait_s)


def _wait(seconds: float) -> None:
    time.sleep(seconds)


def _receive(url: str, file: RemoteFile, part: Path, progress: Progress) -> None:
    """One request: append what the server gives to `part`, or start `part` again if it only gives the whole."""
    have = _size(part)
    with _open(url, file, part, have) as response:
        start = have if _continues(response, have) else 0
        total = _total(response, start)
        with disk_errors(part), part.open("ab" if start else "wb") as stream:
            for chunk in _chunks(response):
                stream.write(chunk)
                start += len(chunk)
                progress.advance(start)
    if total is not None and start < total:
        raise _PassingFault(f"the connection ended after {start} of {total} bytes")


def _open(url: str, file: RemoteFile, part: Path, have: int) -> HTTPResponse:
    """Send the request, for the bytes from `have` on; failures come out as `_PassingFault` or `_GivenUp`."""
    import http.client
    import urllib.error
    import urllib.request

    headers = {"User-Agent": "assay", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response: HTTPResponse = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error, url, file, part) from error
    except (OSError, http.client.HTTPException) as error:  # URLError and TimeoutError are OSErrors
        raise _PassingFault(_reason(error)) from error
    return response


def _refusal(error: HTTPError, url: str, file: RemoteFile, part: Path) -> Exception:
    """What a status other than success means."""
    if error.code == 416:  # nothing lies behind the bytes that we have, and yet they are not the file
        with disk_errors(part):
            part.unlink(missing_ok=True)
        return _PassingFault("the server has fewer bytes than are here already")
    if error.code in _PASSING_STATUS:
        return _PassingFault(f"HTTP status {error.code}")
    return _GivenUp(
        DataError(
            f"{url} answers with HTTP status {error.code} ({error.reason}).",
            "The file was moved or is not public any more; see the data set's home page in `assay data list`.",
            file=file.name,
        )
    )


def _continues(response: HTTPResponse, have: int) -> bool:
    """Whether the answer goes on where our bytes end; a server may also ignore the range and send everything."""
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _total(response: HTTPResponse, start: int) -> int | None:
    """How many bytes the whole file has, as far as the server says."""
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """The body in pieces; a break of the connection is told apart from a problem of the disk."""
    import http.client

    while True:
        try:
            chunk = response.read(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _PassingFault(_reason(error)) from error
        if not chunk:
            return
        yield chunk


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", None) or error
    return str(cause) or type(cause).__name__


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _check_present(target: Path, file: RemoteFile) -> None:
    """Nothing that is there already is overwritten, so it must be right."""
    if sha256_of(target) != file.sha256:
        raise DataError(
            "is there already, but is not the file that this data set has (its SHA-256 differs).",
            "Move it away, or name another folder, and run the command again.",
            file=str(target),
        )


def _check_space(folder: Path, file: RemoteFile, part: Path) -> None:
    """Say at once what would otherwise come out at the end of a long download."""
    needed = file.bytes * (2 if file.unpack else 1) - _size(part)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"needs {_megabytes(needed)}, but only {_megabytes(free)} are free.", _SPACE_HINT, file=str(folder)
        )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a problem of the disk into a sentence; everything else passes through."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise DataError("no space is left on the disk.", _SPACE_HINT, file=str(path)) from error
        raise DataError(
            f"cannot be written ({error.strerror or error}).", "Name a folder that you may write to.", file=str(path)
        ) from error
