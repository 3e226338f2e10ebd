"""What a server refuses, and how it ends; with a model that is no network."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay.serving.http.guard import PATHS
from assay.serving.http.limits import Limits
from assay.serving.http.tokens import Tokens
from http_servers import FakeModel, Running, hosted, running

TOKEN = "0123456789abcdef-token"


def _ask(server: Running, *texts: str, **more: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/predict", json={"inputs": list(texts)}, timeout=60, headers=server.headers, **more)


def _labels(answer: httpx.Response) -> list[str]:
    return [row["label"] for row in answer.raise_for_status().json()["answers"]]


def _in_flight(server: Running) -> int:
    text = httpx.get(f"{server.url}/metrics").text
    return int(
        float(next(line for line in text.splitlines() if line.startswith("assay_requests_in_flight ")).split()[1])
    )


def _until(condition: Any, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_requests_that_come_while_another_is_answered_are_answered_together(fake: Running, model: FakeModel) -> None:
    model.batches.clear()
    model.begun.clear()
    model.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(_ask, fake, "a")
        assert model.begun.wait(30)
        rest = [pool.submit(_ask, fake, "b" * length) for length in range(2, 6)]
        _until(lambda: _in_flight(fake) == 5)
        _until(lambda: len(fake.log()) > 0)
        time.sleep(0.3)
        model.gate.set()
        assert _labels(first.result()) == ["1"]
        assert sorted(_labels(one.result())[0] for one in rest) == ["2", "3", "4", "5"]
    assert len(model.batches) == 2 and len(model.batches[1]) == 4
    assert {line.get("together") for line in fake.log() if line["path"] == "/predict"} == {1, 4}


def test_one_that_fails_spoils_no_other_and_tells_nothing(fake: Running, model: FakeModel) -> None:
    model.begun.clear()
    model.gate.clear()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(_ask, fake, "a")
        assert model.begun.wait(30)
        good, bad, skipped = (pool.submit(_ask, fake, text) for text in ("good", "poison", "skip"))
        _until(lambda: _in_flight(fake) == 4)
        time.sleep(0.3)
        model.gate.set()
        assert _labels(first.result()) == ["1"] and _labels(good.result()) == ["4"]
        assert bad.result().status_code == 500 and "secret" not in bad.result().text
        assert "Traceback" not in bad.result().text
        assert skipped.result().status_code == 422
    lines = [line for line in fake.log() if line["status"] == 500]
    assert len(lines) == 1 and lines[0]["unexpected"].startswith("ZeroDivisionError at ")
    assert lines[0]["id"] == bad.result().headers["x-request-id"] and "secret" not in str(lines)


def test_too_many_are_told_to_come_back(tmp_path: Path, model: FakeModel) -> None:
    with running([hosted(tmp_path)], lambda path: model, limits=Limits(waiting=2)) as server:
        model.begun.clear()
        model.gate.clear()
        with ThreadPoolExecutor(4) as pool:
            inside = [pool.submit(_ask, server, "a") for _ in range(2)]
            _until(lambda: _in_flight(server) == 2)
            refused = _ask(server, "b")
            assert refused.status_code == 429 and int(refused.headers["retry-after"]) >= 1 and refused.json()["hint"]
            assert httpx.get(f"{server.url}/health").status_code == 200
            model.gate.set()
            assert all(_labels(one.result()) == ["1"] for one in inside)
        assert _labels(_ask(server, "bb")) == ["2"]
        assert 'assay_refused_total{reason="busy"} 1.0' in httpx.get(f"{server.url}/metrics").text


def test_time_limits(tmp_path: Path, model: FakeModel) -> None:
    with running([hosted(tmp_path)], lambda path: model, limits=Limits(time_s=1.0)) as server:
        assert _labels(_ask(server, "a")) == ["1"]
        model.begun.clear()
        model.gate.clear()
        with ThreadPoolExecutor(4) as pool:
            runs = pool.submit(_ask, server, "a")
            assert model.begun.wait(30)
            waits = pool.submit(_ask, server, "b")
            assert runs.result().status_code == 504
            assert waits.result().status_code == 503 and waits.result().headers["retry-after"]
        model.gate.set()
        _until(lambda: _in_flight(server) == 0)
        assert _labels(_ask(server, "ccc")) == ["3"]
        assert ["b"] not in model.batches


def test_a_body_that_does_not_come(tmp_path: Path, model: FakeModel) -> None:
    def slowly() -> Iterator[bytes]:
        yield b'{"inputs": ['
        time.sleep(3)
        yield b'"a"]}'

    with running([hosted(tmp_path)], lambda path: model, limits=Limits(time_s=0.5)) as server:
        found = httpx.post(
            f"{server.url}/predict", content=slowly(), headers={"content-type": "application/json"}, timeout=30
        )
        assert found.status_code == 408


def test_an_upload_that_is_cut_off(fake: Running, capfd: pytest.CaptureFixture[str]) -> None:
    where = httpx.URL(fake.url)
    form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhalf of it'
    for kind, body in ((b"application/json", b'{"inputs": ["a'), (b"multipart/form-data; boundary=x", form)):
        before = len(fake.log())
        with socket.create_connection((where.host, where.port or 80), timeout=30) as wire:
            head = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n"
            wire.sendall(head % kind + body)
        _until(lambda before=before: len(fake.log()) > before)  # type: ignore[misc]
        assert fake.log()[-1]["status"] == 400
        whole = httpx.post(f"{fake.url}/predict", content=body, headers={"content-type": kind.decode()}, timeout=30)
        assert whole.status_code in (400, 422) and set(whole.json()) >= {"error", "hint"}
    assert httpx.get(f"{fake.url}/health", timeout=60).status_code == 200 and _in_flight(fake) <= 1
    assert "Traceback" not in capfd.readouterr().err


def test_sizes(tmp_path: Path, model: FakeModel) -> None:
    limits = Limits(body_bytes=2000, inputs=3)

    def chunks() -> Iterator[bytes]:
        for _ in range(4):
            yield b"x" * 1000

    with running([hosted(tmp_path)], lambda path: model, limits=limits) as server:
        kind = {"content-type": "application/json"}
        assert _ask(server, "x" * 3000).status_code == 413
        assert httpx.post(f"{server.url}/predict", content=chunks(), headers=kind).status_code == 413
        assert httpx.post(f"{server.url}/health", content=b"x" * 3000).status_code == 413
        assert _ask(server, *"abcd").status_code == 413
        assert _labels(_ask(server, *"abc")) == ["1"] * 3


def test_tokens_are_asked_for_everywhere_and_tell_nothing(tmp_path: Path, model: FakeModel) -> None:
    with running(
        [hosted(tmp_path)], lambda path: model, token=TOKEN, tokens=Tokens((TOKEN, "another-token-0123"))
    ) as server:
        assert _labels(_ask(server, "abc")) == ["3"]
        seen = set()
        wrong = (None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer \xff")
        for path in ("/", *PATHS, "/no"):
            for shown in wrong if path == "/predict" else wrong[:2]:
                for method in ("GET", "POST", "OPTIONS"):
                    headers = {} if shown is None else {"authorization": shown.encode("latin-1")}
                    found = httpx.request(method, f"{server.url}{path}", headers=headers, content=b"x" * 10)
                    kept = sorted(one for one in found.headers.items() if one[0] not in ("date", "x-request-id"))
                    seen.add((found.status_code, found.content, str(kept)))
        assert len(seen) == 1 and next(iter(seen))[0] == 401
        assert (
            httpx.get(f"{server.url}/health", headers={"authorization": "bearer another-token-0123"}).status_code == 200
        )


def test_pages_of_other_sites_may_not_ask(fake: Running) -> None:
    assert httpx.get(f"{fake.url}/models", headers={"host": "evil.example"}).status_code == 403
    assert httpx.get(f"{fake.url}/models", headers={"host": "localhost:80"}).status_code == 200
    crossing = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}
    found = httpx.get(f"{fake.url}/models", headers=crossing)
    assert found.status_code == 403 and "access-control-allow-origin" not in found.headers
    found = httpx.get(f"{fake.url}/models", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in found.headers
    assert found.headers["x-content-type-options"] == "nosniff" and found.headers["cache-control"] == "no-store"


def test_an_allowed_site_may_ask(tmp_path: Path, model: FakeModel) -> None:
    with running([hosted(tmp_path)], lambda path: model, origins=("https://own.example",)) as server:
        headers = {"origin": "https://own.example", "sec-fetch-site": "cross-site"}
        found = httpx.get(f"{server.url}/models", headers=headers)
        assert found.headers["access-control-allow-origin"] == "https://own.example"
        assert httpx.get(f"{server.url}/models", headers={**headers, "origin": "https://x"}).status_code == 403


def test_it_answers_before_its_models_are_loaded(tmp_path: Path, model: FakeModel) -> None:
    gate = threading.Event()

    def load(path: Path) -> FakeModel:
        gate.wait(30)
        return model

    with running([hosted(tmp_path)], load, ready=False) as server:
        _until(lambda: server.server.started)
        assert httpx.get(f"{server.url}/health").json() == {"status": "ok"}
        waits = httpx.get(f"{server.url}/ready")
        assert waits.status_code == 503 and waits.headers["retry-after"]
        assert _ask(server, "a").status_code == 503
        assert httpx.get(f"{server.url}/models").json()["models"][0]["state"] == "loading"
        gate.set()
        server.wait_ready()
        assert _labels(_ask(server, "a")) == ["1"]


def test_a_model_that_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    from assay.errors import RunError

    failures: list[Exception] = []

    def load(path: Path) -> FakeModel:
        raise RunError("the model is damaged", "Train again.")

    with running([hosted(tmp_path)], load, ready=False, fatal=failures.append) as server:
        _until(lambda: failures)
        assert httpx.get(f"{server.url}/ready").status_code == 503


def test_what_is_being_answered_at_the_end_is_answered(tmp_path: Path, model: FakeModel) -> None:
    pool = ThreadPoolExecutor(4)
    with running([hosted(tmp_path)], lambda path: model) as server:
        model.begun.clear()
        model.gate.clear()
        inside: Future[Any] = pool.submit(_ask, server, "abc")
        assert model.begun.wait(30)
        server.server.should_exit = True
        time.sleep(0.3)
        model.gate.set()
        assert _labels(inside.result()) == ["3"]
    with pytest.raises(httpx.ConnectError):
        _ask(server, "a")


def test_the_log_and_the_metrics_hold_no_content(fake: Running) -> None:
    content = "private-words"
    _ask(fake, content)
    _ask(fake, f"unreadable {content}")
    httpx.get(f"{fake.url}/{content}?{content}={content}")
    httpx.request(content.upper().replace("-", ""), f"{fake.url}/health")
    _until(lambda: len([line for line in fake.log() if line["path"] == "other"]) == 1)
    assert all(content not in line and line.count("\n") == 1 for line in fake.lines)
    text = httpx.get(f"{fake.url}/metrics").text
    assert content not in text and 'assay_inputs_total{model="fake"} 1.0' in text
    assert 'assay_requests_total{path="/predict",status="422"} 1.0' in text
    line = next(line for line in fake.log() if line["path"] == "/predict" and line["status"] == 200)
    assert set(line) == {
        "time", "event", "id", "method", "path", "status", "ms", "bytes_out", "bytes_in", "model", "inputs", "together",
    }  # fmt: skip


def test_metrics_are_what_prometheus_reads(fake: Running) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    _ask(fake, "a")
    found = httpx.get(f"{fake.url}/metrics")
    assert found.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(found.text)}
    assert {"assay_requests", "assay_request_seconds", "assay_batch_inputs", "assay_model_ready"} <= names


def test_files_do_not_stay(tmp_path: Path) -> None:
    model = FakeModel(("picture",))
    with running([hosted(tmp_path)], lambda path: model, limits=Limits(inputs=1)) as server:
        root = server.app._inner.state.service.root.path
        for files, status in (
            ([("a.png", b"abc")], 200),
            ([("a.png", b"unreadable")], 422),
            ([("a.png", b"x"), ("b.png", b"y")], 413),
            ([("a.png", b"poison")], 500),
        ):
            sent = [("files", file) for file in files]
            assert httpx.post(f"{server.url}/predict", files=sent, timeout=60).status_code == status
        _until(lambda: not [path for path in root.rglob("*") if not path.is_dir()])
        assert root.exists()
    assert not root.exists()


def test_other_methods_and_paths(fake: Running) -> None:
    for method, path, status in (("GET", "/predict", 405), ("POST", "/health", 405), ("GET", "/../../etc/passwd", 404)):
        found = httpx.request(method, f"{fake.url}{path}")
        assert found.status_code == status and found.json()["hint"]


def _closed(server: Running, content: bytes, seconds: float) -> bool:
    """Whether a connection that sends some bytes, and then nothing, is closed without an answer."""
    host, _, port = server.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        try:
            connection.sendall(content)
            return connection.recv(100) == b""
        except TimeoutError:
            return False
        except OSError:  # while it was still being sent
            return True


def test_heads_that_have_no_end(tmp_path: Path, model: FakeModel) -> None:
    pytest.importorskip("httptools")
    with running([hosted(tmp_path)], lambda path: model, limits=Limits(time_s=0.5)) as server:
        assert _closed(server, b"GET /health HTTP/1.1\r\nX: " + b"x" * 5_000_000, 30)
        assert _closed(server, b"GET /" + b"x" * 5_000_000, 30)
        assert _closed(server, b"GET /health HTTP/1.1\r\nX: 1", 30)
        assert _closed(server, b"", 30)
        assert httpx.get(f"{server.url}/health").status_code == 200


def test_a_browser_may_ask_whether_it_may_ask_with_a_token(tmp_path: Path, model: FakeModel) -> None:
    own = {"origin": "https://own.example", "access-control-request-method": "POST",
           "access-control-request-headers": "authorization"}  # fmt: skip
    options: dict[str, Any] = {"tokens": Tokens((TOKEN,)), "token": TOKEN, "origins": ("https://own.example",)}
    with running([hosted(tmp_path)], lambda path: model, **options) as server:
        asked = httpx.options(f"{server.url}/predict", headers=own)
        assert asked.status_code == 200 and "authorization" in asked.headers["access-control-allow-headers"].lower()
        assert httpx.options(f"{server.url}/predict", headers={**own, "origin": "https://x"}).status_code == 401
        assert httpx.post(f"{server.url}/predict", headers={"origin": "https://own.example"}).status_code == 401


def test_a_table_names_no_files_of_the_machine(tmp_path: Path) -> None:
    """A lone table is read as a folder, out of which no reader goes."""
    model = FakeModel(("log",))
    seen = []
    plain = model.records
    model.records = lambda source: (seen.append(source.path), plain(source))[1]  # type: ignore[method-assign]
    with running([hosted(tmp_path)], lambda path: model) as server:
        sent = {"files": ("a.csv", b"image\n/etc/passwd")}
        assert httpx.post(f"{server.url}/predict", files=sent, timeout=60).status_code == 200
    assert seen[-1].name.isdigit()
