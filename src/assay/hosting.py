"""`assay serve`: trained networks behind HTTP."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from assay.errors import SettingError
from assay.serving.http.limits import Limits
from assay.serving.http.server import serve
from assay.serving.http.tokens import read_tokens
from assay.shell import print_json

if TYPE_CHECKING:
    from assay.model import Model

_BOUNDS = {
    "max_mib": ("--max-mib", 1, 4096),
    "time_s": ("--time-limit", 0.1, 3600),
    "delay_ms": ("--delay", 0, 1000),
    "batch": ("--batch", 1, 1024),
    "waiting": ("--queue", 1, 100_000),
}


def limits_of(max_mib: float, time_s: float, delay_ms: float, batch: int, waiting: int) -> Limits:
    """The limits that options ask for; raises `SettingError` where one is not possible."""
    given = {"max_mib": max_mib, "time_s": time_s, "delay_ms": delay_ms, "batch": batch, "waiting": waiting}
    for name, (option, low, high) in _BOUNDS.items():
        if not low <= given[name] <= high:
            raise SettingError(f"{option} {given[name]:g} is not possible", f"Give a number from {low:g} to {high:g}.")
    size = int(max_mib * (1 << 20))
    usual = Limits()
    return replace(usual, body_bytes=size, held_bytes=max(usual.held_bytes, 2 * size), time_s=time_s,
                   unpacked_bytes=max(usual.unpacked_bytes, size), delay_s=delay_ms / 1000, batch=batch,
                   waiting=waiting)  # fmt: skip


def serve_and_tell(
    runs: Sequence[Path],
    host: str,
    port: int,
    tokens: Path | None,
    origins: Sequence[str],
    limits: Limits,
    as_json: bool,
) -> None:
    """Serve runs until a signal comes."""
    if not 0 <= port <= 65535:
        raise SettingError(f"--port {port} is no port", "Give a number from 1 to 65535.")

    def say(address: str) -> None:
        if as_json:
            print_json({"format": 1, "address": address}, one_line=True)
            sys.stdout.flush()
        else:
            sys.stderr.write(f"{address} (what can be asked: {address}/docs; end with Ctrl-C)\n")
            sys.stderr.flush()

    def load(path: Path) -> Model:
        from assay.loading import load_to_answer  # what it needs takes longer than the port may wait

        return load_to_answer(path)

    serve(runs, load, host, port, read_tokens(tokens), limits, tuple(origins), say)
