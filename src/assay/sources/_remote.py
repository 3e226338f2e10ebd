"""Files behind a URL that fsspec knows: s3://, gs://, http(s)://, hf://, memory:// and others, as a `Store`.

A server is asked for stretches of a file; the last ones stay in memory, so that neighbours cost nothing. Its refusals
come in the words of as many libraries as there are servers: `refusals` turns all of them into `DataError`.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from assay.errors import AssayError, DataError, MissingExtraError, SettingError
from assay.sources.store import is_clutter

Result = TypeVar("Result")
#: Bytes that are asked for at once: the more, the less waiting for answers; S3's own advice is 8 to 16 MB.
BLOCK_BYTES = 4 << 20
#: Blocks that are kept: twice of what is mixed while training.
BLOCKS_HELD = 64
#: Blocks that are asked for at a time.
_AT_ONCE = 8
_ATTEMPTS, _FIRST_WAIT_S = 4, 0.5
_REFUSED = ("NoCredentials", "PartialCredentials", "AccessDenied", "Forbidden", "Unauthorized", "GatedRepo",
            "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "ProfileNotFound",
            "CredentialRetrieval", "TokenRetrieval", "SSOToken", "RefreshError", "DefaultCredentials")  # fmt: skip
_VERSIONS = ("ETag", "etag", "sha256", "md5Hash", "LastModified", "last_modified", "Last-Modified", "mtime", "created")
#: How a series of files is named where a server does not list them: `train-{0000..0127}.tar`.
_SERIES = re.compile(r"\{(\d{1,9})\.\.(\d{1,9})\}")
_MOST_NAMES = 100_000
#: What is secret in an address: the password behind a user's name; before a host of http even a name alone, which is a
#: token; and values behind a question mark that are called so, as in addresses that a service has signed.
_LOGIN = re.compile(r"(://[^/@:?]*):(?!\d{1,5}/)[^@]*@(?:[^/@?]*@)*")
_TOKEN = re.compile(r"(https?://)[^/@?…]+@")
_SECRETS = re.compile(
    r"([?&;](?:[\w.-]*(?:passw(?:or)?d|pwd|secret|token|signature|credential|api[-_]?key|accesskeyid|accountkey)"
    r"|sig|key)=)[^&;]+",
    re.IGNORECASE,
)
_ABSENT = ("NoSuchKey", "NoSuchBucket", "NotFound", "EntryNotFound", "RepositoryNotFound")


def is_url(text: str) -> bool:
    """Whether a source or target is an address that fsspec knows how to open."""
    scheme, mark, _ = text.partition("://")
    return bool(mark) and scheme.replace("+", "").replace("-", "").isalnum() and len(scheme) > 1


def without_password(url: str) -> str:
    """An address with an ellipsis for the password, the token or the signature that stands in it."""
    url = _LOGIN.sub(r"\1:…@", url)
    return _SECRETS.sub(r"\1…", _TOKEN.sub(r"\1…@", url))


@contextmanager
def refusals(place: str) -> Iterator[None]:
    """Turns what a server or its library says into a `DataError` that names the place; those of Assay pass through."""
    try:
        yield
    except AssayError:
        raise
    except Exception as error:  # every library has exceptions of its own
        raise _told(place, error) from error


def _told(place: str, error: Exception) -> AssayError:
    error = _meant(error)
    status = _status(error)
    words = f"{type(error).__name__} {error}"
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if isinstance(error, ImportError):
        return MissingExtraError(f"{place.partition('://')[0]}://", "stream")
    if _is_refusal(error):
        # Services that do not know who asks answer so for what is not there, too.
        hint = "Check the address, and sign in as that service asks (AWS_PROFILE, gcloud auth, HF_TOKEN)."
        return DataError(f"access was refused ({reason})", hint, file=place)
    absent = isinstance(error, FileNotFoundError) or any(word in words for word in _ABSENT)
    if (status or 404) < 500 and (absent or status in (404, 410)):
        return DataError("there is no such file", "Check the address, and that it is whole.", file=place)
    if isinstance(error, ValueError) and "rotocol" in words:
        return DataError("this kind of address is not known", "Known are s3, gs, http, https and hf.", file=place)
    return DataError(f"cannot be read ({reason})", "Check the connection and the address, and run again.", file=place)


def _meant(error: Exception) -> Exception:
    """The error itself, or the broken connection of which the file system of http makes a missing file."""
    cause = error.__cause__
    lost = isinstance(error, FileNotFoundError) and isinstance(cause, Exception) and _status(error) is None
    return cause if lost and isinstance(cause, OSError | TimeoutError) else error


def _is_refusal(error: Exception) -> bool:
    words = f"{type(error).__name__} {error}"
    known = isinstance(error, PermissionError) or any(word in words for word in _REFUSED)
    return known or _status(error) in (401, 403)


def _status(error: BaseException | None) -> int | None:
    """What a server of http answered: libraries make a missing file of any answer, and keep that as the cause."""
    while error is not None:
        answer = getattr(getattr(error, "response", None), "status_code", None)  # of httpx and requests
        for status in (answer, getattr(error, "status", None), getattr(error, "code", None)):  # of aiohttp, of gcsfs
            if isinstance(status, int) and 400 <= status < 600:
                return status
        error = error.__cause__ or error.__context__
    return None


def _passing(error: Exception) -> bool:
    """Whether the next attempt may succeed: the connection broke, or the server is busy."""
    error = _meant(error)
    status = _status(error)
    if status is not None:
        return status == 429 or status >= 500
    if isinstance(error, FileNotFoundError | ImportError | AssayError) or _is_refusal(error):
        return False
    name = type(error).__name__  # of httpx and botocore, whose exceptions are no OSError
    return isinstance(error, OSError | TimeoutError) or any(word in name for word in ("Client", "Connect", "Timeout"))


def patiently(work: Callable[[], Result], place: str) -> Result:
    """What `work` gives, which is called again while the fault may pass; raises `DataError`."""
    for attempt in range(_ATTEMPTS):
        try:
            return work()
        except Exception as error:
            if attempt + 1 == _ATTEMPTS or not _passing(error):
                with refusals(place):
                    raise
            time.sleep(_FIRST_WAIT_S * 2**attempt)
    raise AssertionError  # the loop returns or raises


def filesystem(url: str) -> tuple[Any, str]:
    """The file system behind a URL, and the path in it; raises `DataError` or `MissingExtraError`."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise MissingExtraError(f"{url.partition('://')[0]}://", "stream") from error
    with refusals(url):
        system, path = url_to_fs(url)
    return system, str(path).rstrip("/")


def exists(system: Any, place: str) -> bool:
    """Whether there is a file or folder; raises any other fault, which fsspec's own `exists` calls an absence."""
    try:
        return _kind(system, place) is not None
    except Exception as error:
        if "http" in str(system.protocol) and not _passing(error) and _status(error) is not None:
            return False  # a refusal is how many servers say that there is none
        raise


def _kind(system: Any, place: str) -> str | None:
    """`file` or `directory`; None where there is nothing."""
    try:
        return str(system.info(place)["type"])
    except FileNotFoundError as error:
        if _status(error) in (None, 404, 410) and _meant(error) is error:
            return None
        raise


def series(pattern: str) -> list[str]:
    """The names that a pattern such as `train-{00..12}.tar` stands for; raises `DataError` for very many."""
    found = _SERIES.search(pattern)
    if found is None:
        return [pattern]
    first, last = int(found[1]), int(found[2])
    if not 0 <= last - first < _MOST_NAMES:
        raise DataError(f"{found[0]} is no series of files", "Write the smaller number first.", file=pattern)
    width = len(found[1])
    return [
        f"{pattern[: found.start()]}{number:0{width}d}{pattern[found.end() :]}" for number in range(first, last + 1)
    ]


class RemoteStore:
    """See the module.

    A server of http lists nothing: the store of a folder there has no names, though its files can be asked for.

    Attributes:
        url: of the folder or file.
        path: its last part, for what only names it.
    """

    def __init__(self, url: str) -> None:
        if without_password(url) != url:
            hint = "Leave it out, and sign in as that service asks: the address is written into the run's plan."
            raise SettingError(f"the address {without_password(url)} holds a password", hint)
        self.url = url.rstrip("/")
        self._series: list[str] = []
        if _SERIES.search(self.url):
            self.url, _, pattern = self.url.rpartition("/")
            self._series = series(pattern)
        self._system, self._root = filesystem(self.url)
        self.path = Path(self._root.rpartition("/")[2] or "data")
        self._sizes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, int], Future[bytes]] = OrderedDict()
        self._pool = ThreadPoolExecutor(_AT_ONCE, "assay-reading")

    @property
    def is_series(self) -> bool:
        """Whether the address itself names the files, and means no others beside them."""
        return bool(self._series)

    @cached_property
    def names(self) -> list[str]:
        """The files below it, or the one file."""
        if self._series:
            return self._series
        self.ask_sizes()
        if not self._sizes and self._is_file:
            self._sizes[self.path.name] = self._size(self.path.name)
        return sorted(self._sizes)

    def ask_sizes(self) -> None:
        """Ask for the size of every file, where the server tells."""
        self._sizes |= self._listed()

    @cached_property
    def _is_file(self) -> bool:
        if "http" in str(self._system.protocol):
            return bool(self.path.suffix)
        return patiently(lambda: _kind(self._system, self._root) == "file", self.url)

    def read(self, name: str) -> bytes:
        """See `Store`."""
        where = self.place(name)
        return patiently(lambda: bytes(self._system.cat_file(where)), self.address(name))

    def holds(self, name: str) -> bool:
        """Whether there is such a file; raises `DataError` where the server does not say."""
        where = self.place(name)

        def ask() -> bool:
            try:
                return exists(self._system, where)
            except Exception as error:
                # Who may read a file, but not list its neighbours, is refused what is not there: reading it will tell.
                if _is_refusal(error):
                    return False
                raise

        return patiently(ask, self.address(name))

    def size(self, name: str) -> int:
        """See `Store`."""
        if name not in self._sizes:
            self._sizes[name] = self._size(name)
        return self._sizes[name]

    def version(self, name: str) -> str:
        """What changes when the file changes, as far as the server says."""
        about = patiently(lambda: self._system.info(self.place(name)), self.address(name))
        return " ".join(str(about[key]) for key in _VERSIONS if about.get(key) is not None)

    def open(self, name: str) -> BinaryIO:
        """See `Store`; the stream can be sought in."""
        where = self.place(name)
        return cast(BinaryIO, patiently(lambda: self._system.open(where, "rb"), self.address(name)))

    def part(self, name: str, start: int, size: int) -> bytes:
        """A stretch of a file, out of the blocks that were fetched, else by itself; may be called from threads."""
        first = start // BLOCK_BYTES
        numbers = range(first, (start + max(size, 1) - 1) // BLOCK_BYTES + 1)
        with self._lock:
            held = [self._held.get((name, number)) for number in numbers]
        try:
            pieces = [block.result() for block in held if block is not None]
        except CancelledError:  # it went, as the oldest one, before its turn came
            pieces = []
        if len(pieces) < len(numbers):
            return self._stretch(name, start, start + size)
        begin = start - first * BLOCK_BYTES
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces))[begin : begin + size]

    def fetch(self, blocks: Iterable[tuple[str, int]]) -> None:
        """Begin to read blocks, by file and number, that are not there yet; the oldest ones go."""
        with self._lock:
            for name, number in blocks:
                if (name, number) not in self._held:
                    start = number * BLOCK_BYTES
                    self._held[name, number] = self._pool.submit(self._stretch, name, start, start + BLOCK_BYTES)
                self._held.move_to_end((name, number))
            while len(self._held) > BLOCKS_HELD:
                self._held.popitem(last=False)[1].cancel()

    def place(self, name: str) -> str:
        """The path of a file in its file system."""
        return self._root if name == self.path.name and self._is_file else f"{self._root}/{name}"

    def address(self, name: str) -> str:
        """How messages call a file."""
        return self.url if name == self.path.name and self._is_file else f"{self.url}/{name}"

    def _stretch(self, name: str, start: int, end: int) -> bytes:
        where, end = self.place(name), min(end, self.size(name))
        return patiently(lambda: bytes(self._system.cat_file(where, start=start, end=end)), self.address(name))

    def _listed(self) -> dict[str, int]:
        """The size of every file below the root, by its name; empty where that is a file, or nothing is listed."""
        if not hasattr(self._system, "find") or "http" in str(self._system.protocol):
            return {}
        found = patiently(lambda: self._system.find(self._root, detail=True), self.url)
        prefix = self._root + "/"
        return {
            name.removeprefix(prefix): int(about.get("size") or 0)
            for name, about in found.items()
            if name.startswith(prefix) and not any(map(is_clutter, name.removeprefix(prefix).split("/")))
        }

    def _size(self, name: str) -> int:
        def ask() -> int:
            return int(self._system.info(self.place(name)).get("size") or 0)

        return patiently(ask, self.address(name))
