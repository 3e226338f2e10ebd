"""`assay data get` against a local server that behaves well, badly, and like a stranger."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import re
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from assay import _download, datasets
from assay._download import RemoteFile
from assay.datasets import DATASETS, PublicDataset, fetch, get
from assay.errors import DataError, SettingError
from assay.progress import Progress

CONTENT = bytes(range(256)) * 4096  # 1 MiB


@dataclass
class Shelf:
    """What the server gives, how it behaves, and what it was asked."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    honours_range: bool = True
    cut_after: list[int] = field(default_factory=list)  # bytes sent until the connection breaks, a number a request
    status: list[int] = field(default_factory=list)  # a status a request, instead of an answer
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def remote(self, name: str, content: bytes = CONTENT, unpack: str | None = None) -> RemoteFile:
        self.files[name] = content
        return RemoteFile(
            name, (f"{self.address}/{name}",), hashlib.sha256(content).hexdigest(), len(content), unpack=unpack
        )


class Listener(Progress):
    def __init__(self) -> None:
        self.heard: list[tuple[str, float | None]] = []

    def stage(self, name: str, total: float | None = None) -> None:
        self.heard.append((name, total))

    def advance(self, done: float, note: str = "") -> None:
        self.heard.append(("bytes", done))


def _handler(shelf: Shelf) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            shelf.requests.append((self.path, asked))
            name = self.path.lstrip("/")
            if shelf.status:
                return self._refuse(shelf.status.pop(0))
            if name not in shelf.files:
                return self._refuse(404)
            return self._give(shelf.files[name], asked if shelf.honours_range else None)

        def _refuse(self, status: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _give(self, content: bytes, asked: str | None) -> None:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
            if asked and start >= len(content):
                return self._refuse(416)
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            body = content[start:]
            if shelf.cut_after:
                self.wfile.write(body[: shelf.cut_after.pop(0)])
                self.close_connection = True
                return None
            self.wfile.write(body)
            return None

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(_download, "_wait", lambda seconds: None)
    shelf = Shelf()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(shelf))
    shelf.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield shelf
    server.shutdown()
    server.server_close()
    thread.join()


def _dataset(*files: RemoteFile, source: str = "") -> PublicDataset:
    return PublicDataset("thing", "things", "table", "CC0", "https://example.org", files, source)


def test_fetches_into_a_new_folder_and_reports_progress(shelf: Shelf, tmp_path: Path) -> None:
    seen = Listener()
    dataset = _dataset(shelf.remote("a.csv"), shelf.remote("b.csv", b"b"), source="a.csv")
    path = fetch(dataset, tmp_path / "new" / "folder", progress=seen)
    assert path == tmp_path / "new" / "folder" / "a.csv"
    assert path.read_bytes() == CONTENT
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["a.csv", "b.csv"]
    assert seen.heard[0] == ("fetching a.csv", len(CONTENT))
    assert seen.heard[-3:] == [("bytes", len(CONTENT)), ("fetching b.csv", 1), ("bytes", 1)]


def test_what_is_there_is_verified_and_not_fetched_again(shelf: Shelf, tmp_path: Path) -> None:
    dataset = _dataset(shelf.remote("a.csv"))
    fetch(dataset, tmp_path)
    fetch(dataset, tmp_path)
    assert len(shelf.requests) == 1


def test_a_file_of_somebody_else_is_not_overwritten(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("mine")
    with pytest.raises(DataError, match="is there already") as caught:
        fetch(_dataset(shelf.remote("a.csv")), tmp_path)
    assert caught.value.hint
    assert (tmp_path / "a.csv").read_text() == "mine"
    assert shelf.requests == []


def test_a_cut_connection_is_continued_where_it_broke(shelf: Shelf, tmp_path: Path) -> None:
    shelf.cut_after = [300_000, 300_000]
    path = fetch(_dataset(shelf.remote("a.bin"), source="a.bin"), tmp_path)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in shelf.requests] == [None, "bytes=300000-", "bytes=600000-"]


def test_progress_made_counts_anew(shelf: Shelf, tmp_path: Path) -> None:
    shelf.cut_after = [10_000] * (_download.ATTEMPTS * 3)
    assert fetch(_dataset(shelf.remote("a.bin"), source="a.bin"), tmp_path).read_bytes() == CONTENT


def test_a_later_call_continues(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(_dataset(shelf.remote("a.bin"), source="a.bin"), tmp_path).read_bytes() == CONTENT
    assert shelf.requests == [("/a.bin", "bytes=1000-")]


def test_a_whole_part_needs_no_request(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch(_dataset(shelf.remote("a.bin"), source="a.bin"), tmp_path).read_bytes() == CONTENT
    assert shelf.requests == []


def test_a_server_that_ignores_ranges_sends_everything_again(shelf: Shelf, tmp_path: Path) -> None:
    shelf.honours_range = False
    shelf.cut_after = [300_000]
    assert fetch(_dataset(shelf.remote("a.bin"), source="a.bin"), tmp_path).read_bytes() == CONTENT
    assert [asked for _, asked in shelf.requests] == [None, "bytes=300000-"]


@pytest.mark.parametrize("stale", [b"x" * 1000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)])
def test_a_piece_of_another_version_is_thrown_away(shelf: Shelf, tmp_path: Path, stale: bytes) -> None:
    (tmp_path / "a.bin.part").write_bytes(stale)
    assert fetch(_dataset(shelf.remote("a.bin"), source="a.bin"), tmp_path).read_bytes() == CONTENT


def test_wrong_content_is_refused_and_not_kept(shelf: Shelf, tmp_path: Path) -> None:
    file = replace(shelf.remote("a.bin"), sha256="0" * 64)
    with pytest.raises(DataError, match=r"SHA-256 [0-9a-f]{64}; expected is 0{64}") as caught:
        fetch(_dataset(file), tmp_path)
    assert caught.value.file == "a.bin" and caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_told_at_once(shelf: Shelf, tmp_path: Path) -> None:
    file = shelf.remote("a.bin")
    shelf.files.clear()
    with pytest.raises(DataError, match="HTTP status 404") as caught:
        fetch(_dataset(file), tmp_path)
    assert caught.value.hint
    assert len(shelf.requests) == 1


def test_the_next_address_is_asked(shelf: Shelf, tmp_path: Path) -> None:
    file = shelf.remote("a.bin")
    file = replace(file, urls=(f"{shelf.address}/gone.bin", *file.urls))
    assert fetch(_dataset(file, source="a.bin"), tmp_path).read_bytes() == CONTENT
    assert [path for path, _ in shelf.requests] == ["/gone.bin", "/a.bin"]


def test_a_busy_server_is_asked_again(shelf: Shelf, tmp_path: Path) -> None:
    shelf.status = [503, 429]
    assert fetch(_dataset(shelf.remote("a.bin"), source="a.bin"), tmp_path).read_bytes() == CONTENT


def test_waits_double_and_end(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(_download, "_wait", waits.append)
    shelf.status = [503] * 20
    with pytest.raises(DataError, match=r"HTTP status 503.*tried 5 times") as caught:
        fetch(_dataset(shelf.remote("a.bin")), tmp_path)
    assert "kept and continued" in caught.value.hint
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_a_server_that_is_silent(tmp_path: Path, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(_download, "TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # accepts, and says nothing
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/a.bin"
        with pytest.raises(DataError, match="timed out"):
            fetch(_dataset(RemoteFile("a.bin", (url,), "0" * 64, 1)), tmp_path)


def test_nobody_there(shelf: Shelf, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(DataError, match="does not answer as it should"):
        fetch(_dataset(RemoteFile("a.bin", (f"http://127.0.0.1:{port}/a.bin",), "0" * 64, 1)), tmp_path)


def test_too_little_space_is_told_before_the_download(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(_download.shutil, "disk_usage", lambda folder: usage._replace(free=1000))
    with pytest.raises(DataError, match=r"needs 1\.0 MB, but only 0\.0 MB are free"):
        fetch(_dataset(shelf.remote("a.bin")), tmp_path)
    assert shelf.requests == []


def test_space_that_runs_out_on_the_way(shelf: Shelf, tmp_path: Path) -> None:
    class Full(Progress):
        def advance(self, done: float, note: str = "") -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DataError, match="no space is left on the disk") as caught:
        fetch(_dataset(shelf.remote("a.bin")), tmp_path, progress=Full())
    assert "kept and continued" in caught.value.hint
    assert (tmp_path / "a.bin.part").exists()


def test_a_folder_that_is_a_file(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("no folder")
    with pytest.raises(DataError, match="cannot be written") as caught:
        fetch(_dataset(shelf.remote("a.bin")), tmp_path / "folder")
    assert caught.value.hint


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def _tar(members: dict[str, bytes], link: tuple[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo(link[0])
            info.type, info.linkname = tarfile.SYMTYPE, link[1]
            archive.addfile(info)
    return buffer.getvalue()


MEMBERS = {"photos/cat/1.png": b"one", "photos/dog/2.png": b"two"}


@pytest.mark.parametrize(("name", "content"), [("photos.zip", _zip(MEMBERS)), ("photos.tgz", _tar(MEMBERS))])
def test_an_archive_becomes_one_folder(shelf: Shelf, tmp_path: Path, name: str, content: bytes) -> None:
    dataset = _dataset(shelf.remote(name, content, unpack="photos"), source="photos")
    path = fetch(dataset, tmp_path)
    assert (path / "cat" / "1.png").read_bytes() == b"one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["photos"]
    (path / "cat" / "1.png").unlink()  # what the user does there is the user's own
    assert fetch(dataset, tmp_path) == path
    assert len(shelf.requests) == 1


def test_an_archive_of_several_folders(shelf: Shelf, tmp_path: Path) -> None:
    content = _zip({"train/a/1.png": b"1", "test/a/2.png": b"2"})
    fetch(_dataset(shelf.remote("x.zip", content, unpack="x")), tmp_path)
    assert (tmp_path / "x" / "test" / "a" / "2.png").read_bytes() == b"2"


def test_a_folder_of_somebody_else_is_not_touched(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match="was not put there by"):
        fetch(_dataset(shelf.remote("photos.zip", _zip(MEMBERS), unpack="photos")), tmp_path)
    assert list((tmp_path / "photos").iterdir()) == []
    assert shelf.requests == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("evil.zip", _zip({"ok.txt": b"ok", "../../evil.txt": b"evil"})),
        ("evil.tgz", _tar({"ok.txt": b"ok", "../../evil.txt": b"evil"})),
        ("link.tgz", _tar({"ok.txt": b"ok"}, link=("way-out", "../.."))),
        ("absolute.zip", _zip({"/evil.txt": b"evil"})),
    ],
)
def test_an_archive_never_writes_outside_its_folder(shelf: Shelf, tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "a" / "b"
    with pytest.raises(DataError):
        fetch(_dataset(shelf.remote(name, content, unpack="x")), folder)
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == sorted(["a", "b", name])


@pytest.mark.parametrize(
    "content",
    [b"no archive", _tar(MEMBERS)[:60], _zip(MEMBERS)[:-30], gzip.compress(b"no tar")],
    ids=["text", "cut-tar", "cut-zip", "gzip-of-text"],
)
def test_a_damaged_archive_is_one_error(shelf: Shelf, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match="cannot be unpacked"):
        fetch(_dataset(shelf.remote("x.tgz", content, unpack="x")), tmp_path)
    assert not (tmp_path / "x").exists()


def test_get_by_name(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "DATASETS", {"thing": _dataset(shelf.remote("a.csv"), source="a.csv")})
    monkeypatch.chdir(tmp_path)
    assert get("thing") == Path("thing/a.csv")
    assert get("thing", "elsewhere").read_bytes() == CONTENT


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(SettingError, match="no public data set 'fashion_mnist'") as caught:
        get("fashion_mnist")
    assert caught.value.hint == "Did you mean 'fashion-mnist'?"


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=list(DATASETS))
def test_every_entry_is_complete(dataset: PublicDataset) -> None:
    assert dataset.title and dataset.licence and dataset.task and dataset.homepage.startswith("http")
    assert dataset.files and dataset.bytes > 0
    for file in dataset.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.urls and all(re.match(r"https?://", url) for url in file.urls)
        assert file.unpack is not None or not file.name.endswith((".zip", ".tgz", ".tar.gz"))
    made = {file.unpack or file.name for file in dataset.files}
    assert dataset.source in made if dataset.source else len(made) > 1
