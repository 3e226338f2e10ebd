"""What stands beside the server in its benchmark: a raw session of the network, and a plain endpoint."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _server import free_port

_PLAIN = Path(__file__).with_name("_plain_endpoint.py")


def raw_session(run: Path) -> Callable[[Sequence[bytes]], Any]:
    """What answers photos by an ONNX Runtime session of the run's network, with Assay's decoding and resizing."""
    import numpy as np
    import torch

    import assay
    from assay.samples.image_form import bring
    from assay.serving.onnx_runtime import onnx_runtime
    from assay.sources.decode import decode_image

    file = run.parent / "raw.onnx"
    model = assay.load(run)
    spec = model.spec
    if not file.exists():
        example = torch.zeros((2, spec.channels, spec.height, spec.width), dtype=torch.uint8)
        free = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(model.network, (example,), file, dynamo=True, dynamic_shapes=free, verbose=False)
    session = onnx_runtime().InferenceSession(str(file), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    pool = ThreadPoolExecutor(2)

    def decoded(photo: bytes) -> Any:
        return bring(decode_image(photo, least_side=max(spec.height, spec.width)), spec)

    def ask(photos: Sequence[bytes]) -> Any:
        images = [decoded(photos[0])] if len(photos) == 1 else list(pool.map(decoded, photos))
        logits = session.run(None, {name: np.stack(images)})[0]
        shares = np.exp(logits - logits.max(1, keepdims=True))
        return shares / shares.sum(1, keepdims=True)

    return ask


def timed(ask: Callable[[Sequence[bytes]], Any], photos: Sequence[bytes]) -> float:
    begun = time.perf_counter()
    ask(photos)
    return time.perf_counter() - begun


def rate(ask: Callable[[Sequence[bytes]], Any], photos: Sequence[bytes], size: int, seconds: float) -> float:
    """Photos a second in batches of a size."""
    chosen = [photos[number % len(photos)] for number in range(size)]
    ask(chosen)
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        ask(chosen)
        count += size
    return count / (time.perf_counter() - begun)


@contextmanager
def plain_endpoint(work: Path, run: Path) -> Iterator[str]:
    """The address of the plain endpoint in a process of its own."""
    import httpx

    port = free_port()
    with open(work / "plain.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen([sys.executable, str(_PLAIN), str(run), str(port)], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 300
        while True:
            try:
                httpx.get(f"{address}/ready", timeout=60).raise_for_status()
                break
            except httpx.HTTPError:
                if process.poll() is not None or time.monotonic() > until:
                    raise SystemExit((work / "plain.log").read_text(encoding="utf-8")) from None
                time.sleep(0.1)
        yield address
    finally:
        process.kill()
        process.wait()
