"""What a server tells of itself: a line of JSON for each request, and counts for Prometheus. Neither holds content."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
#: Versions of Prometheus' text that its servers ask for.
MEDIA = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        make = self._registry
        self.requests = Counter("assay_requests", "Requests by path and status.", ("path", "status"), registry=make)
        self.seconds = Histogram(
            "assay_request_seconds", "From a request to its answer.", ("path",), buckets=_SECONDS, registry=make
        )
        self.refused = Counter("assay_refused", "Requests that were refused, by reason.", ("reason",), registry=make)
        self.inputs = Counter("assay_inputs", "Inputs that were answered.", ("model",), registry=make)
        self.batch = Histogram(
            "assay_batch_inputs", "Inputs that were answered together.", buckets=_SIZES, registry=make
        )
        self.network = Histogram(
            "assay_batch_seconds", "Decoding and answering of what was answered together.", buckets=_SECONDS,
            registry=make,
        )  # fmt: skip
        self.waiting = Gauge("assay_requests_in_flight", "Requests that are read, wait or are answered.", registry=make)
        self.ready = Gauge("assay_model_ready", "1 where a model answers.", ("model",), registry=make)
        ProcessCollector(registry=make)

    def text(self) -> bytes:
        """As Prometheus reads them."""
        return generate_latest(self._registry)


class Log:
    """Writes lines of JSON.

    Args:
        write: takes a line; standard error where not given.
    """

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write
        self._lock = threading.Lock()

    def line(self, event: str, **facts: Any) -> None:
        """One line; facts that are None are left out."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"time": now, "event": event, **{name: value for name, value in facts.items() if value is not None}}
        text = json.dumps(told) + "\n"
        with self._lock:
            if self._write is not None:
                self._write(text)
            else:
                sys.stderr.write(text)
                sys.stderr.flush()


def where(error: BaseException) -> str:
    """An unexpected error without its message, which may quote an input: its type and the line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    file = trace.tb_frame.f_code.co_filename.replace("\\", "/").split("site-packages/")[-1].rsplit("/src/", 1)[-1]
    return f"{type(error).__name__} at {file}:{trace.tb_lineno}"
