"""Real runs behind HTTP."""

from __future__ import annotations

import base64
import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from http_servers import Running, picture
from programs import Result


def _files(folder: Path, count: int) -> list[Path]:
    return sorted(folder.rglob("*.png"))[:count]


def _post(served: Running, path: str = "/predict", **request: Any) -> httpx.Response:
    return httpx.post(f"{served.url}{path}", timeout=120, **request)


def _rows(wine: Path, count: int) -> list[dict[str, Any]]:
    import csv

    with open(wine, encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items() if name != "cultivar"}
                for row, _ in zip(csv.DictReader(file), range(count), strict=False)]  # fmt: skip


def test_files_are_answered_as_the_model_answers_them(
    served: Running, digits: Path, digits_run: tuple[Path, Result]
) -> None:
    import assay

    files = _files(digits, 3)
    wanted = [answer.label for answer in assay.load(digits_run[0]).predict(files)]
    sent = [("files", (file.name, file.read_bytes(), "image/png")) for file in files]
    answer = _post(served, data={"model": "digits"}, files=sent).raise_for_status().json()
    assert [(row["id"], row["label"]) for row in answer["answers"]] == list(
        zip([file.name for file in files], wanted, strict=True)
    )
    assert answer["format"] == 1 and answer["model"] == "digits" and answer["problems"] == []
    coded = [{"name": file.name, "base64": base64.b64encode(file.read_bytes()).decode()} for file in files]
    assert _post(served, json={"model": "digits", "inputs": coded}).json() == answer


def test_rows_are_answered_as_the_model_answers_them(
    served: Running, wine: Path, wine_run: tuple[Path, Result]
) -> None:
    import assay

    rows = _rows(wine, 3)
    wanted = [answer.label for answer in assay.load(wine_run[0]).predict(rows)]
    answer = _post(served, json={"model": "wine", "inputs": rows}).raise_for_status().json()
    assert [row["label"] for row in answer["answers"]] == wanted
    sent = {"files": ("wine.csv", wine.read_bytes(), "text/csv")}
    answers = _post(served, data={"model": "wine"}, files=sent).raise_for_status().json()["answers"]
    assert [row["label"] for row in answers[:3]] == wanted and len(answers) == 178


def test_many_clients_get_their_own_answers(
    served: Running, digits: Path, digits_run: tuple[Path, Result], wine: Path
) -> None:
    import assay

    files = _files(digits, 12)
    wanted = [answer.probabilities for answer in assay.load(digits_run[0]).predict(files)]

    def ask(file: Path) -> dict[str, Any]:
        answer = _post(served, data={"model": "digits"}, files={"files": (file.name, file.read_bytes())})
        return dict(answer.raise_for_status().json()["answers"][0])

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(ask, files))
    assert [row["id"] for row in found] == [file.name for file in files]
    for row, probabilities in zip(found, wanted, strict=True):
        assert row["probabilities"] == pytest.approx(probabilities, abs=1e-5)


def test_archives_and_what_is_wrong_with_their_members(served: Running, digits: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for file in _files(digits, 2):
            archive.write(file, f"../../{file.name}")
        archive.writestr("broken.png", picture()[:40])
    sent = {"files": ("many.zip", content.getvalue())}
    answer = _post(served, data={"model": "digits"}, files=sent).raise_for_status().json()
    assert [row["id"] for row in answer["answers"]] == [file.name for file in _files(digits, 2)]
    assert [problem["kind"] for problem in answer["problems"]] == ["truncated-image"]


def test_what_cannot_be_read_is_told_without_where_it_lies(served: Running) -> None:
    for content in (b"", b"not a picture", picture()[:40], b"\x89PNG\r\n\x1a\n" + b"\0" * 100):
        found = _post(served, data={"model": "digits"}, files={"files": ("a.png", content)})
        assert found.status_code == 422 and found.json()["error"] and found.json()["hint"]
        assert "assay-serve" not in found.text and "/tmp" not in found.text


def test_explanations(served: Running, digits: Path) -> None:
    file = _files(digits, 1)[0]
    sent = {"files": (file.name, file.read_bytes())}
    answer = _post(served, "/explain", data={"model": "digits"}, files=sent).raise_for_status().json()
    assert answer["explanation"]["id"] == file.name and answer["explanation"]["parts"] and answer["of"] == 1
    assert answer["picture"].startswith("data:image/")


def test_models_are_told(served: Running) -> None:
    models = {one["name"]: one for one in httpx.get(f"{served.url}/models").json()["models"]}
    assert set(models) == {"digits", "wine"} and models["digits"]["state"] == "ready"
    assert models["digits"]["takes"] == ["picture"] and ".png" in models["digits"]["endings"]
    assert models["wine"]["takes"] == ["row"] and models["wine"]["metric"]["name"] == "accuracy"


def test_the_description_has_an_example_of_each_model_that_works(served: Running) -> None:
    page = httpx.get(f"{served.url}/openapi.json", timeout=60).json()
    operation = page["paths"]["/predict"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"digits", "wine"}
    for example in examples.values():
        assert len(_post(served, json=example["value"]).raise_for_status().json()["answers"]) == 1
    assert set(operation["responses"]["200"]["content"]["application/json"]["examples"]) == {"digits", "wine"}
    shown = httpx.get(f"{served.url}/docs").text
    assert "grignolino" in shown and "src=" not in shown and "http:" not in shown and "https:" not in shown


def test_wrong_requests_are_refused(served: Running, wine: Path) -> None:
    row = _rows(wine, 1)[0]
    wrong: list[tuple[dict[str, Any], int]] = [
        ({"json": {"model": "wine", "inputs": []}}, 422),
        ({"json": {"model": "wine", "inputs": ["text"]}}, 422),
        ({"json": {"model": "wine", "inputs": [row], "more": 1}}, 422),
        ({"json": {"model": "wine", "inputs": [{"alcohol": [1]}]}}, 422),
        ({"json": {"model": "wine", "inputs": [{"alcohol": 1}]}}, 422),
        ({"json": {"model": "wine", "inputs": [row], "options": {"beams": 3}}}, 422),
        ({"json": {"model": "port", "inputs": [row]}}, 404),
        ({"json": {"inputs": [row]}}, 422),
        ({"json": {"model": "digits", "inputs": ["/etc/passwd"]}}, 422),
        ({"json": {"model": "digits", "inputs": [{"name": "a.png", "base64": "?"}]}}, 422),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 422),
        ({"content": b"x", "headers": {"content-type": "text/plain"}}, 415),
        ({"content": b"x"}, 415),
        ({"data": {"model": "digits"}, "files": {"files": ("a.exe", b"MZ")}}, 415),
        ({"data": {"model": "digits", "other": "x"}, "files": {"files": ("a.png", picture())}}, 422),
        ({"data": {"model": "digits", "options": "["}, "files": {"files": ("a.png", picture())}}, 422),
    ]
    for request, status in wrong:
        found = _post(served, **request)
        assert found.status_code == status, (request, found.text)
        assert set(found.json()) == {"format", "error", "hint"} and found.json()["hint"]


def test_what_is_odd_but_possible_in_a_row_is_answered(served: Running, wine: Path) -> None:
    row = _rows(wine, 1)[0]
    odd = [{**row, "alcohol": value} for value in (None, "many", 10**40, 1e308, True, "\u0000", "😀")]
    body = _post(served, json={"model": "wine", "inputs": odd}).raise_for_status().json()
    assert len(body["answers"]) == len(odd)
