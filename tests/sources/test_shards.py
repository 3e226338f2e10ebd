"""Shards: what is written, what comes back, here and behind a URL, and all that can be wrong with them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pytest

from assay.errors import AssayError, DataError, RunError, SettingError
from assay.flow import prepare, read, recognise
from assay.samples.cache import cache_root
from assay.sharding import parse_size, write_shards
from assay.sources import _remote
from assay.sources._shard_index import INDEX, ShardIndex
from assay.sources._shard_writing import ShardWriter
from assay.sources.records import Records
from assay.sources.source import DataOptions, open_source
from programs import Result

SIZE = 64_000
Command = Callable[..., Result]


def shard(source: Any, into: Path | str, size: int = SIZE, **options: Any) -> ShardIndex:
    return write_shards(str(source), str(into), size, DataOptions(**options))


def read_back(place: Path | str, **options: Any) -> Records:
    source = open_source(str(place))
    return read(recognise(source, None)[0], source, DataOptions(**options))


@pytest.fixture
def memory() -> Iterator[str]:
    """A URL of an empty place in memory."""
    yield "memory://bucket/shards"
    fsspec.filesystem("memory").store.clear()


# What comes back -----------------------------------------------------------------------------------------------------


def test_records_of_shards_are_those_of_the_source(digits: Path, tmp_path: Path) -> None:
    index = shard(digits, tmp_path / "shards")
    assert len(index.shards) > 1 and sum(one.samples for one in index.shards) == 140
    source, again = prepare(digits, DataOptions()), prepare(tmp_path / "shards", DataOptions())
    assert again.records.fingerprint == source.records.fingerprint
    assert again.records.index().drop_columns("location").equals(source.records.index().drop_columns("location"))
    assert again.records.facts == source.records.facts and np.array_equal(again.split.side, source.split.side)
    places = again.records.index()["location"].to_pylist()
    names = source.records.index()["location"].to_pylist()
    for place, name in zip(places, names, strict=True):
        assert again.records.loader(place) == (digits / name).read_bytes()


def test_shards_are_web_dataset_tars_in_a_shuffled_order(digits: Path, tmp_path: Path) -> None:
    index = shard(digits, tmp_path / "shards")
    seen = []
    for one in index.shards:
        file = tmp_path / "shards" / one.name
        assert hashlib.sha256(file.read_bytes()).hexdigest() == one.sha256 and file.stat().st_size == one.bytes <= SIZE
        with tarfile.open(file) as archive:
            members = archive.getnames()
            assert [name.partition(".")[2] for name in members] == ["png", "json"] * one.samples
            stream = archive.extractfile(members[1])
            assert stream is not None
            about = json.load(stream)
            assert about["target"] == about["id"].split("/")[0]
        seen += [name.partition(".")[0] for name in members[::2]]
    assert len(set(seen)) == 140 and seen != sorted(seen)


@pytest.mark.parametrize("kind", ["table", "text", "arrays"])
def test_other_applications_can_be_written(kind: str, wine: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {}
    if kind == "table":
        source, options = wine, {"target": "cultivar"}
    elif kind == "text":
        source = tmp_path / "texts.csv"
        rows = [f'"the {word} number {n} is, ""so"" é",{n % 2}' for n in range(30) for word in ("red", "blue")]
        source.write_text("text,label\n" + "\n".join(rows), encoding="utf-8")
    else:
        source = tmp_path / "images.npz"
        values = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
        np.savez(source, images=values, labels=np.arange(40) % 2)
    shard(source, tmp_path / "shards", **options)
    first, again = prepare(source, DataOptions(**options)), prepare(tmp_path / "shards", DataOptions(**options))
    assert again.task.name == first.task.name and again.records.fingerprint == first.records.fingerprint
    one, other = (pa.Table.from_batches(list(found.records.batches())) for found in (first, again))
    names = [name for name in one.column_names if name != "location"]
    assert other.select(names).equals(one.select(names))
    if kind == "arrays":
        for place, name in zip(other["location"].to_pylist(), one["location"].to_pylist(), strict=True):
            assert np.array_equal(again.records.loader(place), first.records.loader(name))


def test_options_that_shards_were_not_written_with(wine: Path, tmp_path: Path) -> None:
    shard(wine, tmp_path / "shards", target="cultivar")
    with pytest.raises(SettingError, match="--target alcohol is not what"):
        read_back(tmp_path / "shards", target="alcohol")
    with pytest.raises(SettingError, match="samples of table"):
        prepare(tmp_path / "shards", DataOptions(task="image-classification"))
    assert prepare(tmp_path / "shards", DataOptions(split="60/20/20")).split.counts()["train"] < 130


def test_the_command(digits: Path, tmp_path: Path, command: Command) -> None:
    done = command("data", "shard", digits, tmp_path / "shards", "--shard-size", "64KB", "--json")
    told = json.loads(done.out)
    assert told["samples"] == 140 and told["task"] == "image-classification" and told["shards"][0]["sha256"]
    found = json.loads(command("inspect", tmp_path / "shards", "--json").out)
    assert found["task"] == "image-classification" and "assay data shard wrote" in found["why"]
    assert command("inspect", tmp_path / "shards" / INDEX, "--json").code == 0
    again = command("data", "shard", digits, tmp_path / "shards")
    assert again.code == 1 and "is not empty" in again.err and "hint: Choose another TARGET" in again.err


@pytest.mark.parametrize(("text", "size"), [("256MB", 256_000_000), ("1.5GB", 1_500_000_000), ("64k", 64_000)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1GB", "10", "nan", "1e3GB"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(SettingError, match="--shard-size"):
        parse_size(text)


# Behind a URL --------------------------------------------------------------------------------------------------------


def test_shards_behind_a_url_are_copied_once(digits: Path, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shard(digits, memory)
    local = prepare(digits, DataOptions())
    found = prepare(memory, DataOptions())
    assert found.records.fingerprint == local.records.fingerprint and found.records.storage is not None
    assert not found.records.storage.far and list((cache_root() / "copies").iterdir())
    monkeypatch.setattr(_remote.RemoteStore, "part", None)
    again = prepare(memory, DataOptions())
    place = again.records.index()["location"][0].as_py()
    assert again.records.loader(place) == local.records.loader(local.records.index()["location"][0].as_py())


def test_large_shards_are_read_where_they_lie(digits: Path, memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_CACHE_GB", "0")
    monkeypatch.setattr("assay.sources.shards.BLOCK_BYTES", 4096)
    monkeypatch.setattr(_remote, "BLOCK_BYTES", 4096)
    shard(digits, memory)
    records = read_back(memory)
    assert records.storage is not None and records.storage.far and records.storage.fetch is not None
    places, local = records.index()["location"].to_pylist(), prepare(digits, DataOptions()).records
    names = local.index()["location"].to_pylist()
    records.storage.fetch(np.arange(100))
    assert [records.loader(place) for place in places] == [local.loader(name) for name in names]


@pytest.mark.parametrize("gigabytes", ["20", "0"])
def test_rows_of_a_table_are_not_asked_for_one_by_one(
    wine: Path, memory: str, monkeypatch: pytest.MonkeyPatch, gigabytes: str
) -> None:
    """Small shards are copied; of large ones blocks are read."""
    monkeypatch.setenv("ASSAY_CACHE_GB", gigabytes)
    index = shard(wine, memory, target="cultivar")
    local, found = prepare(wine, DataOptions(target="cultivar")).records, read_back(memory)
    asked, plain = list[str](), _remote.RemoteStore._stretch

    def counted(store: Any, name: str, *place: int) -> bytes:
        asked.append(name)
        return plain(store, name, *place)

    monkeypatch.setattr(_remote.RemoteStore, "_stretch", counted)
    ids = [name for batch in found.batches() for name in batch["id"].to_pylist()]
    assert sorted(ids) == sorted(local.index()["id"].to_pylist()) and len(ids) > 100
    assert len(asked) == (0 if gigabytes == "20" else len(index.shards))


def test_a_url_that_is_not_there(memory: str) -> None:
    with pytest.raises(AssayError) as caught:
        prepare(memory, DataOptions())
    assert memory in caught.value.message and caught.value.hint


class _Answered(Exception):
    """As gcsfs tells what the server answered (`code`), and httpx (`response`)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Anonymous caller, {status}")
        self.code, self.response = status, SimpleNamespace(status_code=status)


def _hub() -> Exception:
    error = FileNotFoundError("datasets/a/b (repository not found)")  # as the Hub's file system does
    error.__cause__ = _Answered(401)
    return error


class ProfileNotFound(Exception):
    """As botocore calls it."""


@pytest.mark.parametrize(
    "error",
    [PermissionError(errno.EACCES, "Forbidden"), _Answered(401), _Answered(403), _hub(), ProfileNotFound("me"),
     OSError("Forbidden: https://storage.googleapis.com/b")],
    ids=["s3", "gs-401", "gs-403", "hf", "profile", "gs-words"],
)  # fmt: skip
def test_refused_credentials_are_told_at_once(
    error: Exception, digits: Path, memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = SimpleNamespace(sleep=lambda seconds: pytest.fail("it does not pass by waiting"))
    monkeypatch.setattr(_remote, "time", waits)

    def refuse(*_: Any, **__: Any) -> None:
        raise error

    for name in ("info", "ls"):  # what `exists`, `isfile` and `find` ask, of which the first two keep no error
        monkeypatch.setattr(type(fsspec.filesystem("memory")), name, refuse)
    with pytest.raises(DataError, match="access was refused") as caught:
        prepare(memory, DataOptions())
    assert memory in caught.value.message and "AWS_PROFILE" in caught.value.hint
    with pytest.raises(DataError, match="access was refused"):
        shard(digits, memory)


def test_a_file_whose_neighbours_are_refused_is_read(memory: str, wine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = fsspec.filesystem("memory")
    system.pipe_file("/bucket/shards/wine.csv", wine.read_bytes())
    plain = type(system).info

    def info(self: Any, path: str, **given: Any) -> Any:
        if path.endswith(INDEX):
            raise PermissionError(errno.EACCES, "Forbidden")
        return plain(self, path, **given)

    monkeypatch.setattr(type(system), "info", info)
    assert open_source(f"{memory}/wine.csv").path is not None


def test_a_server_that_is_busy_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_remote, "_FIRST_WAIT_S", 0.0)
    asked: list[int] = []

    def busy() -> str:
        asked.append(1)
        if len(asked) < 3:
            raise ConnectionResetError("reset")
        return "done"

    assert _remote.patiently(busy, "s3://x") == "done"
    asked.clear()

    def gone() -> str:
        asked.append(1)
        raise TimeoutError("no answer")

    with pytest.raises(DataError, match=r"s3://x: cannot be read \(no answer\)"):
        _remote.patiently(gone, "s3://x")
    assert len(asked) == 4


def test_an_address_of_no_known_kind() -> None:
    with pytest.raises(DataError, match="kind of address is not known"):
        prepare("nonsense://bucket/x", DataOptions())


# Damage --------------------------------------------------------------------------------------------------------------


def test_a_sample_that_is_not_what_was_written_names_shard_and_sample(digits: Path, tmp_path: Path) -> None:
    index = shard(digits, tmp_path / "shards")
    first = index.rows.filter(pa.compute.equal(index.rows["_shard"], 1)).to_pylist()[0]
    file = tmp_path / "shards" / index.shards[1].name
    content = bytearray(file.read_bytes())
    content[first["_offset"] + 40] ^= 1
    file.write_bytes(content)
    records = read_back(tmp_path / "shards")
    place = next(one for one in records.index()["location"].to_pylist() if one.endswith("/" + first["location"]))
    with pytest.raises(DataError, match="damaged or has changed") as caught:
        records.loader(place)
    assert index.shards[1].name in caught.value.message and first["location"] in caught.value.message
    assert records.storage is not None
    with pytest.raises(DataError, match="damaged or has changed"):
        records.storage.check()


@pytest.mark.parametrize(("damage", "words"), [("short", "not the"), ("gone", "cannot be read"), ("index", "damaged")])
def test_shards_that_are_not_whole(digits: Path, tmp_path: Path, damage: str, words: str, command: Command) -> None:
    index = shard(digits, tmp_path / "shards")
    file = tmp_path / "shards" / index.shards[0].name
    if damage == "short":
        os.truncate(file, 1024)
    elif damage == "gone":
        file.unlink()
    else:
        from dataclasses import replace

        bad = replace(index, shards=(replace(index.shards[0], name="../x.tar"), *index.shards[1:]))
        with open(tmp_path / "shards" / INDEX, "wb") as stream:
            bad.write(stream)
        file = tmp_path / "shards" / INDEX
    done = command("train", tmp_path / "shards", "--out", tmp_path / "run")
    assert done.code == 1 and words in done.err and str(file) in done.err and "hint: " in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("remote", [False, True])
def test_a_full_disk_leaves_nothing(
    digits: Path, tmp_path: Path, memory: str, monkeypatch: pytest.MonkeyPatch, remote: bool
) -> None:
    target = memory if remote else str(tmp_path / "new" / "shards")
    before, count = ShardWriter._write, [0]

    def full(self: Any, content: bytes) -> None:
        count[0] += 1
        if count[0] > 300:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        before(self, content)

    monkeypatch.setattr(ShardWriter, "_write", full)
    with pytest.raises(AssayError) as caught:
        shard(digits, target)
    assert "space" in caught.value.message and caught.value.hint
    assert not list((tmp_path / "new").glob("**/*")) if not remote else not fsspec.filesystem("memory").store


def test_samples_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, digits: Path) -> None:
    task = recognise(open_source(str(digits)), None)[0]
    whole = type(task).read

    def odd(self: Any, source: Any, options: Any) -> Records:
        from dataclasses import replace

        return replace(whole(self, source, options), load=lambda location: object())

    monkeypatch.setattr(type(task), "read", odd)
    with pytest.raises(SettingError, match="cannot be written as shards: each of them is read as object"):
        shard(digits, tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_a_target_that_cannot_be_written(digits: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="is a file"):
        shard(digits, tmp_path / "file")
    with pytest.raises(RunError, match="cannot be written"):
        shard(digits, tmp_path / "file" / "below")
