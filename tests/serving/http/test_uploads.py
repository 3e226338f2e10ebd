from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.serving.http.limits import Limits
from assay.serving.http.multipart import read_form
from assay.serving.http.refusals import Refused
from assay.serving.http.upload_checks import check_files
from assay.serving.http.uploads import UploadRoot, free_name, safe_name
from http_servers import picture

LIMITS = Limits(unpacked_bytes=1 << 20, members=5, files=3)


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def _status(name: str, content: bytes, *takes: str) -> int:
    try:
        check_files([(name, content)], takes or ("picture",), LIMITS)
    except Refused as error:
        assert error.hint
        return error.status
    return 200


@given(st.text())
def test_names_are_files_of_the_folder(name: str) -> None:
    found = safe_name(name)
    assert found and found == os.path.basename(found) == Path(found).name
    assert not found.startswith(".") and "\0" not in found and found != ".." and len(found.encode()) <= 130
    assert safe_name(found) == found


@given(st.lists(st.sampled_from(["a.png", "A.png", "a", "b.png"])))
def test_names_differ_though_the_file_system_takes_no_notice_of_capitals(names: list[str]) -> None:
    taken: set[str] = set()
    for name in names:
        taken.add(free_name(name, taken))
    assert len({name.lower() for name in taken}) == len(names)


def test_uploads_lie_below_the_root_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = UploadRoot()
    upload = root.upload()
    for name in ("../../x.png", "/etc/passwd", "a/b.png", "C:\\b.png", "\0", "..", "x" * 400 + ".png"):
        upload.add(name, b"x")
    files = [path for path in root.path.rglob("*") if path.is_file()]
    assert len(files) == 7 and all(file.parent == upload.folder for file in files)
    assert upload.hidden(f"{upload.folder}/x.png: damaged, {upload.folder}") == "x.png: damaged, the upload"
    upload.close()
    assert not [path for path in root.path.rglob("*") if path.is_file()]
    root.close()
    assert not root.path.exists()


def test_the_folder_of_a_request_is_empty_and_its_own() -> None:
    root = UploadRoot()
    first, second = root.upload(), root.upload()
    first.add("a.png", b"first")
    first.close()
    first.close()  # once more gives it to nobody
    third, fourth = root.upload(), root.upload()
    assert third.folder == first.folder and not list(third.folder.iterdir())
    assert len({third.folder, fourth.folder, second.folder}) == 3
    (fourth.folder / "put there by a reader").mkdir()
    fourth.close()
    assert not fourth.folder.exists() and root.upload().folder != fourth.folder
    root.close()


@pytest.mark.skipif(os.name != "posix", reason="asks after processes as POSIX has them")
def test_what_a_killed_server_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    dead, alive, other = (
        tmp_path / "assay-serve-999999999-x",
        tmp_path / f"assay-serve-{os.getpid()}-x",
        tmp_path / "own",
    )
    for folder in (dead, alive, other):
        folder.mkdir()
    link = tmp_path / "assay-serve-999999998-y"
    link.symlink_to(other)
    UploadRoot().close()
    assert not dead.exists() and alive.exists() and other.exists() and link.is_symlink()


def test_types() -> None:
    assert _status("a.png", picture()) == 200
    assert _status("a.exe", b"MZ") == 415
    assert _status("a", b"") == 415
    assert _status("a.png", gzip.compress(b"x")) == 415  # readers go by content
    assert _status("rows.csv", b"PAR1", "row") == 415
    assert _status("a.tar", b"", "picture") == 415
    assert _status("a.mp4", b"#EXTM3U\nfile:///etc/passwd", "video") == 422
    assert _status("a.mp4", b"\0\0\0\x20ftypisom", "video") == 200
    assert _status("IM0001", b"\0" * 128 + b"DICM", "scan") == 200
    assert _status("IM0001", b"\0" * 128 + b"DICM1.2.840.10008.1.2.1.99", "scan") == 415


def test_archives_that_grow() -> None:
    assert _status("a.zip", _zip({"a.png": picture()})) == 200
    assert _status("a.zip", _zip({"a.png": bytes(2 << 20)})) == 413
    assert _status("a.zip", _zip({f"{number}.png": b"" for number in range(6)})) == 413
    assert _status("a.zip", _zip({"a.exe": b""})) == 415
    assert _status("a.zip", _zip({"a.png": picture(), "b.zip": _zip({})})) == 415
    assert _status("a.zip", _zip({"a.csv": gzip.compress(bytes(1 << 20))}), "row") == 415
    assert _status("a.zip", _zip({"a.png": picture()})[:-10]) == 422
    assert _status("a.zip", picture()) == 422
    assert _status("a.nii.gz", gzip.compress(bytes(2 << 20)), "scan") == 413
    assert _status("a.nii.gz", gzip.compress(bytes(1000)), "scan") == 200
    assert _status("a.nii.gz", b"\x1f\x8bdamaged", "scan") == 422
    assert _status("a.zip", _zip({"a.nii.gz": gzip.compress(bytes(2 << 20))}), "scan") == 413


def test_a_zip_that_says_less_than_it_holds_is_not_unpacked_further() -> None:
    content = bytearray(_zip({"a.png": bytes(3 << 20)}))
    place = content.rindex(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 100)
    assert _status("a.zip", bytes(content)) in (200, 422)


def test_a_zip_comes_alone() -> None:
    with pytest.raises(Refused, match="beside"):
        check_files([("a.zip", _zip({})), ("b.png", b"")], ("picture",), LIMITS)


def _form(*parts: bytes) -> bytes:
    return b"".join(b"--edge\r\n" + part + b"\r\n" for part in parts) + b"--edge--\r\n"


def test_forms() -> None:
    file = b'Content-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nhello'
    field = b'Content-Disposition: form-data; name="model"\r\n\r\ndigits'
    parts = read_form("multipart/form-data; boundary=edge", _form(file, field), LIMITS)
    assert [(part.name, part.filename, bytes(part.content)) for part in parts] == [
        ("files", "a.png", b"hello"),
        ("model", None, b"digits"),
    ]
    for kind, body, status in (
        ("multipart/form-data", _form(file), 400),
        ("multipart/form-data; boundary=edge", _form(file)[:-12], 400),
        ("multipart/form-data; boundary=edge", b"nothing", 400),
        ("multipart/form-data; boundary=edge", _form(*[file] * 4), 413),
        ("multipart/form-data; boundary=edge", _form(*[field] * 20), 413),
        ("multipart/form-data; boundary=edge", _form(field + b"x" * 70000), 413),
        ("multipart/form-data; boundary=edge", _form(b"X: " + b"x" * 9000 + b"\r\n\r\n"), 400),
    ):
        with pytest.raises(Refused) as refused:
            read_form(kind, body, LIMITS)
        assert refused.value.status == status
