from __future__ import annotations

import io
import os
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from assay.errors import DataError
from assay.sources import _archives
from assay.sources.store import open_store

FILES = {"a/1.txt": b"one", "a/2.txt": b"two", "b/ü.txt": b"three" * 1000}
CLUTTER = {"__MACOSX/a/._1.txt": b"x", "a/.hidden": b"x", "Thumbs.db": b"x"}


def as_folder(path: Path) -> Path:
    for name, content in {**FILES, **CLUTTER}.items():
        (path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "data" / name).write_bytes(content)
    return path / "data"


def as_zip(path: Path) -> Path:
    with zipfile.ZipFile(path / "data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**FILES, **CLUTTER}.items():
            archive.writestr(name, content)
    return path / "data.zip"


def as_tar(path: Path, ending: str = "") -> Path:
    place = path / f"data.tar{ending}"
    with tarfile.open(place, "w:" + ending.removeprefix(".")) as archive:
        for name, content in {**FILES, **CLUTTER}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return place


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz", "tar.gz, not held"])
def test_same_files_from_every_store(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "tar.gz, not held":
        monkeypatch.setattr(_archives, "HELD_BYTES", 10)
        path = as_tar(tmp_path, ".gz")
    elif kind.startswith("tar"):
        path = as_tar(tmp_path, kind.removeprefix("tar"))
    else:
        path = as_folder(tmp_path) if kind == "folder" else as_zip(tmp_path)
    store = open_store(path)
    assert store.names == sorted(FILES)
    order = [*FILES, *reversed(FILES)] * 10
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(store.read, order)) == [FILES[name] for name in order]
    assert [store.size(name) for name in FILES] == [len(content) for content in FILES.values()]
    with store.open("a/1.txt") as stream:
        assert stream.read() == b"one"
    with pytest.raises(DataError):
        store.read("no/such.txt")


def test_one_file(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"a")
    store = open_store(tmp_path / "x.csv")
    assert (store.names, store.read("x.csv"), store.size("x.csv")) == (["x.csv"], b"a", 1)


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../../outside.txt", b"x")
        archive.writestr("/etc/passwd", b"y")
    store = open_store(tmp_path / "evil.zip")
    assert store.names == ["etc/passwd", "outside.txt"]
    assert store.read("etc/passwd") == b"y"
    assert [file.name for file in tmp_path.iterdir()] == ["evil.zip"]


def test_nothing_outside_of_a_folder_is_read(tmp_path: Path) -> None:
    store = open_store(as_folder(tmp_path))
    (tmp_path / "secret.txt").write_text("secret")
    for name in ("../secret.txt", "a/../../secret.txt", str(tmp_path / "secret.txt")):
        for ask in (store.read, store.open, store.size):
            with pytest.raises(DataError, match="no such file"):
                ask(name)


def test_encrypted_zip(tmp_path: Path) -> None:
    content = bytearray(as_zip(tmp_path).read_bytes())
    central = content.find(b"PK\x01\x02")
    content[central + 8] |= 1
    (tmp_path / "data.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"data\.zip: the archive is encrypted"):
        open_store(tmp_path / "data.zip")


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
def test_damaged_archive(tmp_path: Path, ending: str) -> None:
    path = as_zip(tmp_path) if ending == ".zip" else as_tar(tmp_path, ending.removeprefix(".tar"))
    path.write_bytes(path.read_bytes()[: 4200 if ending == ".tar" else path.stat().st_size // 2])
    with pytest.raises(DataError, match=r"data\..*: the archive is damaged"):
        open_store(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match="damaged"):
        open_store(path)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_links_that_loop(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.txt").write_bytes(b"x")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert open_store(tmp_path).names == ["a/1.txt"]


def test_unreadable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="cannot be read"):
        open_store(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows names are Unicode")
def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"x")
    store = open_store(tmp_path)
    assert store.names == ["caf�.txt"]
    assert store.read("caf�.txt") == b"x"
