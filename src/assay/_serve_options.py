"""The command `assay serve` with its options. As `assay.cli`, it imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs; NAME=RUN gives one a name.")],
    host: Annotated[
        str, typer.Option("--host", help="The address; others than this machine need tokens.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="The port; 0 for any that is free.")] = 8000,
    tokens: Annotated[
        Path | None, typer.Option("--tokens", help="A file of tokens, one a line; or set ASSAY_TOKENS.")
    ] = None,
    origins: Annotated[
        list[str] | None, typer.Option("--allow-origin", help="A site whose pages may ask; may be repeated.")
    ] = None,
    max_mib: Annotated[float, typer.Option("--max-mib", help="The largest request, in MiB.")] = 32,
    time_limit: Annotated[float, typer.Option("--time-limit", help="Seconds for a request.")] = 30,
    delay: Annotated[float, typer.Option("--delay", help="Milliseconds that an input waits for others at most.")] = 5,
    batch: Annotated[int, typer.Option("--batch", help="Inputs that are answered together.")] = 32,
    queue: Annotated[int, typer.Option("--queue", help="Requests at once; more are told to come back.")] = 128,
    json: Annotated[bool, typer.Option("--json", help="The address as JSON on standard output.")] = False,
) -> None:
    """Answer over HTTP: /predict, /explain, /models, /health, /ready, /metrics, /docs."""
    from assay.hosting import limits_of, serve_and_tell

    limits = limits_of(max_mib, time_limit, delay, batch, queue)
    serve_and_tell(runs, host, port, tokens, origins or (), limits, json)
