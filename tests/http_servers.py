"""Servers on loopback for tests, and models without a network."""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from assay.errors import DataError
from assay.run import RunFolder
from assay.serving.http.hosted import Hosted
from assay.serving.predictor import Prediction
from assay.sources.records import Records, records_from_table
from assay.task import Traits

FASTAPI = ("fastapi", "uvicorn", "httpx", "prometheus_client", "python_multipart")


@dataclass(frozen=True)
class Length:
    """How long a text is."""

    label: str


@dataclass
class FakeModel:
    """Answers texts, or files as texts, with their length; waits where it is told to."""

    takes: tuple[str, ...] = ("text",)
    gate: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)
    spec: Any = None

    def __post_init__(self) -> None:
        self.gate.set()
        self.task = SimpleNamespace(
            name="fake", traits=Traits("fake", "fakes", "all", takes=self.takes, answering={"beams": "how many"})
        )
        self.summary = {"metric": {"name": "accuracy", "value": 0.5}}

    def records(self, source: Any) -> Records:
        if source.path is not None:
            names = source.store.names
            texts = [source.store.read(name).decode("utf-8", "replace") for name in names]
        else:
            texts = source.value
            names = [f"data:{row}" for row in range(1, len(texts) + 1)]
        if any("unreadable" in text for text in texts):
            raise DataError("this cannot be read", "Send another.", file=str(source.path or "data"))
        return records_from_table(pa.table({"id": names, "text": pa.array(texts, pa.string())}), "fake")

    def answers(
        self, records: Records, *, options: Mapping[str, Any] | None = None
    ) -> tuple[list[Prediction], tuple[()]]:
        rows = [row for batch in records.batches() for row in batch.to_pylist()]
        self.batches.append([row["text"] for row in rows])
        self.begun.set()
        self.gate.wait(30)
        if any("poison" in row["text"] for row in rows):
            raise ZeroDivisionError("secret content")
        return [Prediction(row["id"], Length(str(len(row["text"])))) for row in rows if row["text"] != "skip"], ()

    def predict(self, inputs: Any) -> Sequence[Any]:
        return [Length("0")]


def hosted(tmp_path: Path, name: str = "fake") -> Hosted:
    """A run that only its name is needed of."""
    return Hosted(name, RunFolder(tmp_path / name))


@dataclass
class Running:
    """A server that runs."""

    url: str
    server: Any
    app: Any
    lines: list[str]

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def wait_ready(self, seconds: float = 300) -> None:
        import httpx

        until = time.monotonic() + seconds
        while httpx.get(f"{self.url}/ready", timeout=60, headers=self.headers).status_code != 200:
            if time.monotonic() > until:
                pytest.fail("the server is not ready")
            time.sleep(0.02)

    headers: dict[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def running(runs: list[Hosted], load: Any, ready: bool = True, token: str = "", **options: Any) -> Iterator[Running]:
    """A server of some runs on a port of its own, in a thread."""
    import uvicorn

    from assay.serving.http.app import make_app
    from assay.serving.http.connections import bounded
    from assay.serving.http.server import listening
    from assay.serving.http.telling import Log

    lines: list[str] = []
    app = make_app(runs, load, log=Log(lines.append), **options)
    opened = listening("127.0.0.1", 0)
    config = uvicorn.Config(
        app,
        http=bounded(options["limits"].time_s if "limits" in options else 30.0),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=20,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
    thread.start()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    found = Running(f"http://127.0.0.1:{opened.getsockname()[1]}", server, app, lines, headers)
    try:
        if ready:
            found.wait_ready()
        yield found
    finally:
        server.should_exit = True
        thread.join(30)
        opened.close()


def picture(size: tuple[int, int] = (8, 8), kind: str = "PNG") -> bytes:
    """A grey picture."""
    from PIL import Image

    content = io.BytesIO()
    Image.new("L", size, 128).save(content, kind)
    return content.getvalue()
