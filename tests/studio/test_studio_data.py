"""What is put into a project stays where it belongs, and is told of."""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from studio_asking import OWN, Asked, png


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _files(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def _made(asked: Asked, kind: str = "pictures", name: str = "Cats & Dogs") -> str:
    return str(asked.post("projects", {"name": name, "kind": kind}, 201)["id"])


def test_a_folder_that_holds_a_file_is_its_class(asked: Asked, tmp_path: Path) -> None:
    name = _made(asked)
    taken = asked.upload(
        f"projects/{name}/files", [("pets/cat/1.png", png(1)), ("pets/dog/1.png", png(2)), ("notes.txt", b"x")]
    )
    assert (taken["added"], taken["skipped"], taken["left"]) == (2, 1, ["notes.txt"])
    again = asked.upload(f"projects/{name}/files?label=cat", [("1.png", png(1)), ("1.png", png(3))])
    assert (again["added"], again["there"]) == (1, 1)
    assert asked.get(f"projects/{name}")["classes"] == {"cat": 2, "dog": 1}
    assert _files(tmp_path / "studio/cats-dogs/data/cats-dogs") == ["cat/1-2.png", "cat/1.png", "dog/1.png"]


def test_nothing_leaves_the_folder(asked: Asked, tmp_path: Path) -> None:
    name = _made(asked)
    asked.upload(
        f"projects/{name}/files",
        [("../../../evil/x.png", png(1)), ("/etc/cat/y.png", png(2)), ("..\\..\\z\\w.png", png(3))],
    )
    content = _zip({"../../../../evil/a.png": png(4), "C:\\boot\\b.png": png(5), ".hidden/c.png": png(6)})
    asked.post(f"projects/{name}/zip", content=content, status=201)
    assert {file.split("/")[0] for file in _files(tmp_path)} == {"studio"}
    for path in ("../project.json", "/etc/passwd", "cat/../../project.json", "a\0b"):
        asked.get(f"projects/{name}/sample", 422, params={"id": path})
    asked.post(f"projects/{name}/samples/delete", {"ids": ["../project.json"]}, 422)
    asked.post(f"projects/{name}/samples/move", {"ids": ["../project.json"], "label": "cat"}, 422)
    asked.post(f"projects/{name}/classes", {"label": "../up"}, 422)
    asked.post(f"projects/{name}/classes", {"label": "train"}, 422)
    for other in ("..", "%2e%2e", "cats-dogs%2f..", "Cats"):
        assert asked.client.get(f"/api/projects/{other}", headers={"host": "127.0.0.1"}).status_code in (404, 422)


def test_bad_uploads_are_told_in_one_error_and_one_hint(asked: Asked) -> None:
    name = _made(asked)
    bomb = _zip({"cat/a.png": b"\0" * (1 << 20)})
    for content in (b"", b"no zip", bomb[:200]):
        told = asked.post(f"projects/{name}/zip", content=content, status=422)
        assert told["error"] == "the zip is damaged" and told["hint"]
    asked.upload(f"projects/{name}/files", [("cat/a.png", b"\x1f\x8b" + png(1))], 415)
    for body in ({"name": "", "kind": "pictures"}, {"name": "x", "kind": "nothing"}, {"name": 1, "kind": "texts"}, {}):
        assert asked.post("projects", body, 422)["hint"]
    assert asked.post(f"projects/{name}/texts", {"label": "a", "texts": ["x"]}, 422)["error"]


@pytest.mark.parametrize("path", ["files?label=cat", "zip", "texts"])
def test_an_upload_that_is_cut_off_leaves_nothing(asked: Asked, path: str) -> None:
    import asyncio

    name = _made(asked)
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": b"--x\r\nhalf of it", "more_body": True}])

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    place, _, query = path.partition("?")
    whole = {**OWN, "content-type": "multipart/form-data; boundary=x", "content-length": "1000"}
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
             "path": f"/api/projects/{name}/{place}", "raw_path": b"", "query_string": query.encode(), "root_path": "",
             "headers": [(key.encode(), value.encode()) for key, value in whole.items()],
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8001)}  # fmt: skip
    asyncio.run(asked.client.app(scope, receive, send))
    assert sent[0]["status"] == 400 and b"cut off" in sent[1]["body"] and b"hint" in sent[1]["body"]
    assert asked.get(f"projects/{name}")["total"] == 0


def test_a_zip_that_unpacks_to_too_much_is_refused(asked: Asked, monkeypatch: Any) -> None:
    from dataclasses import replace

    from assay.studio import data_paths

    monkeypatch.setattr(data_paths, "ZIPS", replace(data_paths.ZIPS, unpacked_bytes=1 << 20))
    name = _made(asked)
    told = asked.post(f"projects/{name}/zip", content=_zip({"cat/a.png": b"\0" * (2 << 20)}), status=413)
    assert "unpacks to more" in told["error"]


def test_samples_are_moved_and_deleted(asked: Asked) -> None:
    name = _made(asked)
    asked.upload(f"projects/{name}/files?label=cat", [("a.png", png(1)), ("b.png", png(2))])
    asked.upload(f"projects/{name}/files?aside=1", [("later/c.png", png(3)), ("x.txt", b"x")])
    asked.post(f"projects/{name}/samples/move", {"ids": ["cat/a.png"], "label": "dog"})
    asked.post(f"projects/{name}/samples/move", {"ids": ["c.png"], "label": "dog", "aside": True})
    found = asked.get(f"projects/{name}")
    assert (found["classes"], found["unlabelled"]) == ({"cat": 1, "dog": 2}, 0)
    asked.post(f"projects/{name}/classes/rename", {"label": "cat", "to": "dog"})
    assert asked.get(f"projects/{name}")["classes"] == {"dog": 3}
    listed = asked.get(f"projects/{name}/samples?label=dog")
    assert listed["total"] == 3
    asked.post(f"projects/{name}/samples/delete", {"ids": [one["id"] for one in listed["samples"]]})
    asked.post(f"projects/{name}/delete")
    asked.get(f"projects/{name}", 422)


def test_a_sample_is_no_page(asked: Asked) -> None:
    name = _made(asked, "files")
    asked.upload(
        f"projects/{name}/files", [("a.html", b"<script>alert(1)</script>"), ("b.svg", b"<svg/>"), ("c.png", png(1))]
    )
    kinds = {}
    for file in ("a.html", "b.svg", "c.png"):
        found = asked.client.get(f"/api/projects/{name}/sample", params={"id": file}, headers={"host": "127.0.0.1"})
        assert found.headers["content-security-policy"] == "sandbox"
        kinds[file] = found.headers["content-type"]
    assert kinds == {"a.html": "application/octet-stream", "b.svg": "application/octet-stream", "c.png": "image/png"}


def test_texts_are_kept_in_one_table(asked: Asked, tmp_path: Path) -> None:
    name = _made(asked, "texts", "Mail")
    asked.post(f"projects/{name}/classes", {"label": "spam"}, 201)
    taken = asked.post(
        f"projects/{name}/texts", {"label": "spam", "texts": ["win, now", "win, now", " ", 'say "yes"']}, 201
    )
    assert (taken["added"], taken["there"], taken["skipped"]) == (2, 1, 1)
    asked.upload(f"projects/{name}/files", [("m.csv", b"text,label\nlunch at noon?,ham\n"), ("ham/n.txt", b"see you")])
    assert asked.upload(f"projects/{name}/files", [("m.csv", b"a,b\n1,2\n")], 422)["hint"]
    assert asked.get(f"projects/{name}")["classes"] == {"ham": 2, "spam": 2}
    ((first, *_),) = (asked.get(f"projects/{name}/samples?label=spam")["samples"],)
    asked.post(f"projects/{name}/samples/move", {"ids": [first["id"]], "label": "ham"})
    assert asked.get(f"projects/{name}")["classes"] == {"ham": 3, "spam": 1}
    asked.post(f"projects/{name}/classes/delete", {"label": "spam"})
    assert asked.get(f"projects/{name}")["classes"] == {"ham": 3}
    assert (tmp_path / "studio/mail/data/mail/texts.csv").read_text().startswith("text,label\n")


def test_boxes_are_read_as_they_were_drawn(asked: Asked, tmp_path: Path) -> None:
    from assay.sources.boxes_voc import recognise
    from assay.sources.source import open_source

    name = _made(asked, "boxes", "Find")
    asked.upload(f"projects/{name}/files", [("a.png", png(1, 40)), ("b.png", png(2, 40))])
    drawn = [{"label": "cat & co", "x0": 3, "y0": 4.4, "x1": 20, "y1": 300}]
    told = asked.post(f"projects/{name}/boxes-of", {"id": "a.png", "boxes": drawn}, 422)
    assert "class" in told["error"]
    drawn[0]["label"] = "cat"
    assert asked.post(f"projects/{name}/boxes-of", {"id": "a.png", "boxes": drawn}) == {"boxes": 1}
    assert asked.post(f"projects/{name}/boxes-of", {"id": "b.png", "boxes": []}) == {"boxes": 0}
    found = asked.get(f"projects/{name}/boxes-of?id=a.png")["boxes"]
    assert found == [{"label": "cat", "x0": 3.0, "y0": 4.0, "x1": 20.0, "y1": 40.0}]
    listed = asked.get(f"projects/{name}/boxes")
    assert [one["boxes"] for one in listed["pictures"]] == [1, 0] and listed["labels"] == ["cat"]
    assert recognise(open_source(tmp_path / "studio/find/data/find")) is not None
    for bad in ([{"label": "cat"}], [{"label": "cat", "x0": 1, "y0": 1, "x1": 1, "y1": 5}], "no list", [1]):
        asked.post(f"projects/{name}/boxes-of", {"id": "a.png", "boxes": bad}, 422)


def test_what_is_in_the_data_is_told(asked: Asked) -> None:
    name = _made(asked)
    for label in ("dark", "bright"):
        files = [(f"{number}.png", png(number, bright=label == "bright")) for number in range(12)]
        asked.upload(f"projects/{name}/files?label={label}", files)
    found = _looked(asked, name)
    assert found["state"] == "done", found
    assert (
        found["found"]["task"] == "image-classification"
        and sum(found["found"]["split"][side] for side in ("train", "validation", "test")) == 24
    )
    asked.post(f"projects/{name}/samples/delete", {"ids": [f"bright/{number}.png" for number in range(12)]})
    found = _looked(asked, name)
    assert found["state"] == "failed" and found["failure"]["error"] and found["failure"]["hint"]


def _looked(asked: Asked, name: str) -> Any:
    until = time.monotonic() + 300
    while (found := asked.post(f"projects/{name}/inspect"))["state"] == "running":
        assert time.monotonic() < until
        time.sleep(0.2)
    return found
