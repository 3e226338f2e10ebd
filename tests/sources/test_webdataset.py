"""WebDataset's tar shards of images, as others write them, here and behind a URL, and Parquet and files behind URLs."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.errors import AssayError, DataError, SettingError
from assay.flow import prepare
from assay.sources._remote import RemoteStore, series
from assay.sources.source import DataOptions, open_source

Encode = Callable[..., bytes]


def tar(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return stream.getvalue()


def shards(encode: Encode, label: str = "cls", names: tuple[str, ...] = ("a-0.tar", "a-1.tar")) -> dict[str, bytes]:
    """Twelve photos a shard, with a label of two classes."""
    made = {}
    for number, name in enumerate(names):
        members: dict[str, bytes] = {}
        for place in range(12):
            key, seed = f"{place:04d}", 100 * number + place
            members[f"{key}.jpg"] = encode(seed=seed)
            word = str(place % 2)
            about = json.dumps({"caption": f"photo {seed}", "label": ["cat", "dog"][place % 2], "site": place // 3})
            members[f"{key}.{label}"] = about.encode() if label == "json" else word.encode()
        made[name] = tar(members)
    return made


@pytest.fixture
def memory() -> Iterator[str]:
    yield "memory://bucket/data"
    fsspec.filesystem("memory").store.clear()


def put(url: str, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        with fsspec.open(f"{url}/{name}", "wb") as file:
            file.write(content)


def keep(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


# Tars ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["cls", "json"])
def test_images_beside_their_labels(tmp_path: Path, encode: Encode, label: str) -> None:
    files = shards(encode, label)
    found = prepare(keep(tmp_path / "data", files), DataOptions())
    assert found.task.name == "image-classification" and "2 tar shards of images" in found.recognition.why
    classes = {"0": 12, "1": 12} if label == "cls" else {"cat": 12, "dog": 12}
    assert found.records.facts["class_counts"] == classes and found.records.storage is not None
    rows = found.records.index().to_pylist()
    assert rows[0]["id"] == "a-0.tar/0000.jpg"
    assert [found.records.loader(row["location"]) for row in rows[:2]] == [encode(seed=0), encode(seed=1)]


def test_one_shard_and_a_group_and_sides_by_name(tmp_path: Path, encode: Encode) -> None:
    names = ("train-0.tar", "val-0.tar", "test-0.tar")
    folder = keep(tmp_path / "data", shards(encode, "json", names))
    found = prepare(folder, DataOptions(group="site"))
    assert found.split.by == "given" and found.split.counts() == {"train": 12, "validation": 12, "test": 12}
    assert set(found.records.index()["group"].to_pylist()) == {"0", "1", "2", "3"}
    assert prepare(folder / "train-0.tar", DataOptions(target="label")).records.facts["classes"] == 2
    with pytest.raises(SettingError, match="no sample has a 'nonsense'"):
        prepare(folder, DataOptions(target="nonsense"))


def test_what_is_odd_is_noted(tmp_path: Path, encode: Encode) -> None:
    content = {f"{n:02}.jpg": encode(seed=n) for n in range(20)} | {
        f"{n:02}.cls": b"%d" % (n % 2) for n in range(1, 22)
    }
    content["03.jpg"] = content["03.jpg"][:60]
    content["04.png"] = encode("PNG", seed=4)
    found = prepare(keep(tmp_path / "data", {"a.tar": tar(dict(sorted(content.items())))}), DataOptions())
    problems = {one.kind: (one.count, one.examples[0].file) for one in found.problems}
    assert problems["missing-target"] == (1, "a.tar/00.jpg")
    assert problems["sample-without-image"] == (2, "a.tar/20")
    assert problems["second-image-of-a-sample"] == (1, "a.tar/04.png")
    assert any(place == "a.tar/03.jpg" for _, place in problems.values())


def test_a_shard_that_is_cut_off(tmp_path: Path, encode: Encode) -> None:
    files = shards(encode)
    files["a-1.tar"] = files["a-1.tar"][:5000]
    with pytest.raises(DataError, match=r"a-1.tar: the shard is damaged"):
        prepare(keep(tmp_path / "data", files), DataOptions())


def test_large_ones_behind_a_url_are_read_where_they_lie(
    memory: str, tmp_path: Path, encode: Encode, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = shards(encode)
    put(memory, files)
    here = prepare(keep(tmp_path / "data", files), DataOptions())
    copied = prepare(memory, DataOptions())
    monkeypatch.setenv("ASSAY_CACHE_GB", "0")
    far = prepare(memory, DataOptions())
    assert copied.source.path is not None and far.source.path is None
    assert far.records.storage is not None and far.records.storage.far and far.records.storage.fetch is not None
    assert here.records.fingerprint == copied.records.fingerprint == far.records.fingerprint
    far.records.storage.fetch(np.arange(24))
    for row, other in zip(far.records.index().to_pylist(), here.records.index().to_pylist(), strict=True):
        assert far.records.loader(row["location"]) == here.records.loader(other["location"])


# Parquet and other files ---------------------------------------------------------------------------------------------


def parquet(encode: Encode, rows: int = 24) -> bytes:
    images = [{"bytes": encode(seed=n), "path": None} for n in range(rows)]
    stream = io.BytesIO()
    pq.write_table(pa.table({"image": images, "label": [n % 2 for n in range(rows)]}), stream, row_group_size=5)
    return stream.getvalue()


def test_parquet_with_images_behind_a_url(memory: str, encode: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    put(memory, {"train-0.parquet": parquet(encode)})
    copied = prepare(memory, DataOptions())
    monkeypatch.setenv("ASSAY_CACHE_GB", "0")
    far = prepare(memory, DataOptions())
    assert far.source.path is None and far.records.fingerprint == copied.records.fingerprint
    assert far.records.storage is not None and len(set(far.records.storage.block.tolist())) == 5
    assert far.records.loader("train-0.parquet:7") == encode(seed=6)


def test_any_file_behind_a_url(memory: str, wine: Path) -> None:
    put(memory, {"wine.csv": wine.read_bytes()})
    there, here = (prepare(where, DataOptions(target="cultivar")) for where in (f"{memory}/wine.csv", wine))
    assert there.records.fingerprint == here.records.fingerprint and there.source.label == f"{memory}/wine.csv"
    assert there.source.stem == "wine"


def test_series_of_names() -> None:
    assert series("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert series("a.tar") == ["a.tar"]
    with pytest.raises(DataError, match="is no series"):
        series("a-{9..1}.tar")


# A server ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[str, dict[str, bytes], dict[str, int]]]:
    """A server of http with its files by path, and the answers that it gives instead of some, by path."""
    files: dict[str, bytes] = {}
    refused: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(False)

        def do_GET(self) -> None:
            self._answer(True)

        def _answer(self, body: bool) -> None:
            path = self.path.lstrip("/")
            if path in refused or path not in files:
                self.send_error(refused.get(path, 404))
                return
            content, status = files[path], 200
            asked = self.headers.get("Range")
            if asked:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                end = min(int(last or len(content) - 1), len(content) - 1)
                whole, content, status = len(content), content[int(first) : end + 1], 206
            self.send_response(status)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(len(content)))
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{end}/{whole}")
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            return

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_address[1]}", files, refused
    running.shutdown()
    thread.join(5)


def test_shards_and_series_over_http(server: Any, digits: Path, tmp_path: Path, encode: Encode) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: assay[stream]")
    from assay.sharding import write_shards

    url, files, _ = server
    write_shards(digits, str(tmp_path / "shards"), 64_000, DataOptions())
    files |= {f"own/{file.name}": file.read_bytes() for file in (tmp_path / "shards").iterdir()}
    files |= {f"others/{name}": content for name, content in shards(encode).items()}
    local = prepare(digits, DataOptions())
    for address in (f"{url}/own", f"{url}/own/index.parquet"):
        assert prepare(address, DataOptions()).records.fingerprint == local.records.fingerprint
    assert prepare(f"{url}/others/a-{{0..1}}.tar", DataOptions()).records.index().num_rows == 24
    assert prepare(f"{url}/others/a-1.tar", DataOptions()).records.index().num_rows == 12
    store = RemoteStore(f"{url}/others")
    content = files["others/a-0.tar"]
    assert store.part("a-0.tar", 1000, 500) == content[1000:1500]
    store.fetch([("a-0.tar", 0)])
    assert store.part("a-0.tar", 1000, 500) == content[1000:1500]


def test_what_a_server_refuses_or_has_not(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed: assay[stream]")
    monkeypatch.setattr("assay.sources._remote._FIRST_WAIT_S", 0.0)
    url, _, refused = server
    for where, status, words in (("a.parquet", 404, "no such file"), ("b.parquet", 403, "access was refused"),
                                 ("c.parquet", 500, "cannot be read")):  # fmt: skip
        refused[where] = status
        with pytest.raises(AssayError, match=words) as caught:
            open_source(f"{url}/{where}").store  # noqa: B018
        assert f"{url}/{where}" in caught.value.message and caught.value.hint
    with pytest.raises(AssayError, match="no files, or the server does not list them"):
        open_source(f"{url}/folder")
