"""Shards whose index does not fit, or that lie where they cannot be reached or written."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assay.errors import DataError, RunError
from assay.flow import prepare
from assay.sharding import write_shards
from assay.sources import _copies, _remote
from assay.sources._shard_index import INDEX, ShardIndex
from assay.sources.records import Records
from assay.sources.shards import open_shards, read_shards
from assay.sources.source import DataOptions, open_source


def write(source: Any, into: Path | str) -> ShardIndex:
    return write_shards(str(source), str(into), 64_000, DataOptions())


def read(place: Path) -> Records:
    found = open_shards(open_source(str(place)))
    assert found is not None
    return read_shards(found, DataOptions())


@pytest.fixture
def memory() -> Iterator[str]:
    """A URL of an empty place in memory."""
    yield "memory://bucket/shards"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address of a server of http that gives what lies in `tmp_path`."""
    pytest.importorskip("aiohttp", reason="http needs aiohttp: assay[stream]")
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_series_means_its_files_alone(digits: Path, tmp_path: Path, served: str) -> None:
    index = write(digits, tmp_path / "shards")
    count = len(index.shards)
    found = prepare(f"{served}/shards/shard-{{000000..{count - 2:06d}}}.tar", DataOptions())
    assert found.records.index().num_rows == sum(one.samples for one in index.shards[:-1]) < index.rows.num_rows
    with pytest.raises(DataError, match=rf"shard-{count:06d}.tar: there is no such file"):
        prepare(f"{served}/shards/shard-{{000000..{count:06d}}}.tar", DataOptions())


def test_a_server_that_cannot_be_reached_is_no_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="http needs aiohttp: assay[stream]")
    monkeypatch.setattr(_remote, "_FIRST_WAIT_S", 0.0)
    with pytest.raises(DataError, match=r"127.0.0.1:1/\S+: cannot be read \(Cannot connect") as caught:
        prepare("http://127.0.0.1:1/wine.csv", DataOptions())
    assert "connection" in caught.value.hint


def test_what_can_be_read_only_is_no_target(digits: Path, served: str) -> None:
    with pytest.raises(RunError, match=r"/shards\?token=… is of a kind that can be read only"):
        write(digits, f"{served}/shards?token=pa55word")


def test_a_missing_shard_behind_a_url_is_named(digits: Path, memory: str) -> None:
    write(digits, memory)
    fsspec.filesystem("memory").rm(f"{memory.partition(':/')[2]}/shard-000001.tar")
    with pytest.raises(DataError, match=r"shards/shard-000001.tar: there is no such file"):
        prepare(memory, DataOptions())


@pytest.mark.parametrize(
    "changed",
    [
        {"task": ["table"]},
        {"payload": "nothing"},
        {"facts": 3},
        {"options": None},
        {"sides_cut": "yes"},
        {"without": "location"},
        {"_size": -5},
    ],
)
def test_an_index_that_does_not_fit_is_told(digits: Path, tmp_path: Path, changed: dict[str, Any]) -> None:
    write(digits, tmp_path / "shards")
    file = tmp_path / "shards" / INDEX
    rows = pq.read_table(file)
    about = {**json.loads(rows.schema.metadata[b"assay"]), **changed}
    if "without" in changed:
        rows = rows.drop_columns([changed["without"]])
    if "_size" in changed:
        sizes = pa.array([changed["_size"]] * rows.num_rows, pa.int64())
        rows = rows.set_column(rows.column_names.index("_size"), "_size", sizes)
    pq.write_table(rows.replace_schema_metadata({b"assay": json.dumps(about).encode()}), file)
    with pytest.raises(DataError, match=r"index.parquet: the index of the shards is damaged") as caught:
        read(tmp_path / "shards")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("source", "words"), [("wine", "the column strange is not"), ("digits", "is no row of a table")]
)
def test_shards_that_are_of_another_index(
    source: str, words: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    index = write(request.getfixturevalue(source), tmp_path / "shards")
    other = replace(index, payload="rows", columns=pa.schema([("strange", pa.int64())]))
    with open(tmp_path / "shards" / INDEX, "wb") as file:
        other.write(file)
    with pytest.raises(DataError, match=words) as caught:
        list(read(tmp_path / "shards").batches())
    assert caught.value.hint


def test_two_that_copy_the_same_take_turns(digits: Path, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [one.name for one in write(digits, memory).shards]
    fetch, fetched = _copies._fetch, list[str]()

    def slow(store: Any, name: str, *more: Any) -> None:
        time.sleep(0.1)
        fetched.append(name)
        fetch(store, name, *more)

    monkeypatch.setattr(_copies, "_fetch", slow)
    hashes = dict.fromkeys(names)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(_copies.copied, _remote.RemoteStore(memory), hashes)
        time.sleep(0.15)
        second = pool.submit(_copies.copied, _remote.RemoteStore(memory), hashes)
    folder = first.result()
    assert folder is not None and second.result() == folder
    assert sorted(file.name for file in folder.iterdir()) == sorted(names) == sorted(fetched)


def test_what_a_killed_process_left_of_a_copy_goes(digits: Path, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [one.name for one in write(digits, memory).shards]
    hashes, fetch = dict.fromkeys(names), _copies._fetch

    def killed(store: Any, name: str, sha256: str | None, file: Path) -> None:
        if name == names[-1]:
            file.with_name(f"{name}.1.assay-part").write_bytes(b"half")
            raise KeyboardInterrupt
        fetch(store, name, sha256, file)

    monkeypatch.setattr(_copies, "_fetch", killed)
    with pytest.raises(KeyboardInterrupt):
        _copies.copied(_remote.RemoteStore(memory), hashes)
    monkeypatch.setattr(_copies, "_fetch", fetch)
    folder = _copies.copied(_remote.RemoteStore(memory), hashes)
    assert folder is not None and sorted(file.name for file in folder.iterdir()) == sorted(names)


def test_copies_count_towards_what_the_cache_may_hold(
    digits: Path, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = write(digits, memory)
    monkeypatch.setenv("ASSAY_CACHE_GB", str(2.5 * index.bytes / 1e9))
    folders = []
    for number in range(4):
        store = _remote.RemoteStore(memory)
        monkeypatch.setattr(store, "version", lambda name, number=number: str(number))
        folders.append(_copies.copied(store, dict.fromkeys(one.name for one in index.shards)))
        time.sleep(0.02)
    assert [folder is not None and folder.exists() for folder in folders] == [False, False, True, True]
