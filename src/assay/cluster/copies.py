"""Run folders on another file system: the work is done in a folder here, of which a copy is kept behind a URL.

What lies behind a URL (s3://, gs://, file:///… and whatever fsspec knows) cannot be appended to, locked or mapped. So a
run works in a folder below the cache; workers on other machines work in one of theirs, and what they leave goes through
the URL. There, `owner.json` says who is writing, and says so again every twenty seconds as long as he lives.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.errors import RunError, SettingError
from assay.run import owned, write_bytes, writing
from assay.samples.cache import cache_root
from assay.sources._remote import exists, filesystem, patiently, without_password

if TYPE_CHECKING:
    from assay.training.ranks import Ranks

_BEAT_S, _DEAD_S = 20.0, 90.0
_OWNER, _NOTE = "owner.json", ".assay-remote.json"
#: What is of no use elsewhere: locks, half-written files, what Ray Train notes for itself.
_LEFT_OUT = re.compile(r"(^|/)(\.lock|[^/]*\.partial|ray)(/|$)")
#: `Path` makes one slash out of the two of a URL.
_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)")


def url_of(out: Path) -> str | None:
    """The URL that was given as a run's folder; None for a folder here."""
    found = _URL.fullmatch(out.as_posix())
    if found is None:
        return None
    scheme, rest = found.groups()
    return f"{scheme}:///{rest}" if scheme in ("file", "local") else f"{scheme}://{rest}"


class Copy:
    """A folder here and its copy behind a URL.

    Args:
        url: of the copy.
        folder: the folder.
    """

    def __init__(self, url: str, folder: Path) -> None:
        if without_password(url) != url:
            raise SettingError(f"the address {without_password(url)} holds a password", "Sign in as that service asks.")
        self.url, self.folder = url, folder
        self._system, self._root = filesystem(url)
        self._moves = bool({"file", "local"} & set(_protocols(self._system)))
        self._sent: dict[str, tuple[int, int]] = {}

    def push(self, *names: str) -> None:
        """Send files, or all below folders, that have changed since they were sent; what is not here is left."""
        for file in (one for name in names or ("",) for one in _files(self.folder / name)):
            name = file.relative_to(self.folder).as_posix()
            with suppress(FileNotFoundError):  # it may go meanwhile, as a stop or a checkpoint of before
                about = file.stat()
                stamp = (about.st_mtime_ns, about.st_size)
                if not _LEFT_OUT.search(name) and self._sent.get(name) != stamp:
                    self._send(file, name)
                    self._sent[name] = stamp

    def _send(self, file: Path, name: str) -> None:
        target, whole = f"{self._root}/{name}", file.read_bytes()

        def work() -> None:
            self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
            if not self._moves:
                self._system.pipe_file(target, whole)
                return
            self._system.pipe_file(f"{target}.partial", whole)
            os.replace(f"{target}.partial", target)

        patiently(work, f"{self.url}/{name}")

    def pull(self, *names: str) -> None:
        """Fetch files, or all below folders, as far as they are there."""
        for name in names or ("",):
            place = f"{self._root}/{name}".rstrip("/")
            for found in patiently(lambda place=place: self._find(place), self.url):  # type: ignore[misc]
                own = found.removeprefix(self._root + "/")
                if not _LEFT_OUT.search(own) and own != _OWNER:
                    self._fetch(found, self.folder / own)

    def _find(self, place: str) -> list[str]:
        self._system.invalidate_cache()
        if not exists(self._system, place):
            return []
        return [place] if self._system.isfile(place) else list(self._system.find(place))

    def _fetch(self, place: str, file: Path) -> None:
        content = self._content(place)
        if content is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(file, content)

    def _content(self, place: str) -> bytes | None:
        """What a file holds; None where it has gone meanwhile."""

        def work() -> bytes | None:
            try:
                return bytes(self._system.cat_file(place))
            except FileNotFoundError:
                if exists(self._system, place):
                    raise
                return None

        return patiently(work, self.url)

    def holds(self, name: str) -> bool:
        """Whether there is such a file behind the URL."""
        self._system.invalidate_cache()
        return patiently(lambda: exists(self._system, f"{self._root}/{name}"), self.url)

    def drop(self, name: str) -> None:
        """Remove a file, or a folder with all in it, behind the URL."""
        self._sent = {sent: stamp for sent, stamp in self._sent.items() if not f"{sent}/".startswith(f"{name}/")}
        if self.holds(name):
            patiently(lambda: self._system.rm(f"{self._root}/{name}", recursive=True), self.url)

    def storage(self) -> tuple[str, Any]:
        """The path and the file system by which Ray Train knows the URL."""
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        return self._root, PyFileSystem(FSSpecHandler(self._system))

    @contextmanager
    def owned(self) -> Iterator[None]:
        """The URL for this process alone, as far as a file system without locks lets that be known."""
        name, own = f"{self._root}/{_OWNER}", uuid.uuid4().hex
        if self._owner() not in (None, own):
            raise RunError(f"another process is writing {self.url}", "Wait until it is done, or choose another --out.")
        done = threading.Event()

        def beat() -> None:
            while not done.wait(_BEAT_S):
                with suppress(Exception):  # the next one may succeed
                    self._beat(name, own)

        self._beat(name, own)
        time.sleep(0.2)  # of two that begin at once the later one's name stays
        if self._owner() != own:
            raise RunError(f"another process is writing {self.url}", "Wait until it is done, or choose another --out.")
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            with suppress(Exception):
                self._system.rm(name)

    def _beat(self, name: str, own: str) -> None:
        told = {"id": own, "host": socket.gethostname(), "time": time.time()}

        def work() -> None:
            self._system.makedirs(self._root, exist_ok=True)
            self._system.pipe_file(name, json.dumps(told).encode())

        patiently(work, self.url)

    def _owner(self) -> str | None:
        """Who is writing there; None where nobody is, or he has not been heard of for long."""
        if not self.holds(_OWNER):
            return None
        with suppress(ValueError, KeyError):
            told = json.loads(self._content(f"{self._root}/{_OWNER}") or b"")
            return str(told["id"]) if time.time() - float(told["time"]) < _DEAD_S else None
        return None


def _protocols(system: Any) -> tuple[str, ...]:
    told = system.protocol
    return (told,) if isinstance(told, str) else tuple(told)


def _files(place: Path) -> list[Path]:
    return [place] if place.is_file() else sorted(file for file in place.rglob("*") if file.is_file())


def _is_run(holds: Callable[[str], bool]) -> bool:
    """Whether a training or a search was begun."""
    return holds("plan.json") or holds("tuning/tuning.json")


def working_folder(url: str, who: str = "run") -> Path:
    """The folder here in which a run behind a URL is worked on."""
    return cache_root() / "copies" / hashlib.blake2b(url.encode(), digest_size=12).hexdigest() / who


def remote_of(run: Path) -> str | None:
    """The URL of which a run's folder is the working folder, or lies in one; None for one that is just here."""
    for folder in (run, *run.parents[:2]):  # the two trainings in full of a search lie two levels down
        note = folder.parent / _NOTE
        if note.exists():
            url = str(json.loads(note.read_text(encoding="utf-8"))["url"])
            return "/".join([url, *run.relative_to(folder).parts])
    return None


def sent(run: Path, name: str) -> Callable[[], None]:
    """What sends a folder of a run that lies behind a URL there; does nothing for one that is just here."""
    url = remote_of(run)
    if url is None:
        return lambda: None
    copy = Copy(url, run)
    return lambda: copy.push(name)


def checkpoints_sent(run: Path, ranks: Ranks) -> Callable[[], None]:
    """As `sent`, of a checkpoint, to which all processes have added when each of them calls this."""
    url = remote_of(run)
    if url is None:
        return lambda: None
    copy = Copy(url, run)

    def send() -> None:
        ranks.sums([0.0])  # all pieces are there
        if ranks.first:
            pieces = sorted(file for file in (run / "checkpoint").glob("*") if file.is_file())
            pieces.sort(key=lambda file: file.name == "state.safetensors")  # it says that they are complete
            copy.push("plan.json", "metrics.jsonl", *(f"checkpoint/{file.name}" for file in pieces))

    return send


@contextmanager
def placed(out: Path, resuming: bool = False) -> Iterator[Path]:
    """A run's folder; for a URL a working folder, whose files go there in the end, whatever the end is.

    Args:
        out: the folder or URL that was asked for.
        resuming: a run that was begun there is gone on with.

    Raises:
        RunError: a run is there already, or another process is writing it.
        DataError: access was refused.
    """
    url = url_of(out)
    if url is None:
        yield out
        return
    folder = working_folder(url)
    copy = Copy(url, folder)
    there, here = _is_run(copy.holds), _is_run(lambda name: (folder / name).exists())
    if resuming and not (there or here):
        raise RunError(f"{url} is not a run: it has no plan.json", "Give the URL that assay train was given by --out.")
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with owned(folder.parent), copy.owned():
        if not resuming and there:
            hint = "Choose another --out." if copy.holds("summary.json") else f"assay resume {url}"
            raise RunError(f"{url} holds a run", hint)
        if there or not resuming:  # else it was killed before anything of it was sent, and goes on with what is here
            shutil.rmtree(folder, ignore_errors=True)
        write_bytes(folder.parent / _NOTE, json.dumps({"url": url}).encode())
        if resuming:
            copy.pull()
        try:
            yield folder
        finally:
            copy.push()
            if (folder / "summary.json").exists():
                copy.drop("checkpoint")


__all__ = ["Copy", "checkpoints_sent", "placed", "remote_of", "sent", "url_of", "working_folder"]
