"""What the server costs beside the network alone, what it takes under load, and what is left when it is killed.

The network is a ResNet-18 of timm's at 224 pixels (without pretrained weights: it is the time that counts), asked with
JPEG photos of 320 x 240 pixels. Beside the server, in the same run: a raw ONNX Runtime session of the same network with
the same decoding and resizing in one process, without HTTP, alone and in batches; and a plain FastAPI endpoint that
calls the eager network. Where `assay export` is there, the run is exported before it is served; else the server calls
the eager network. A copy that is exported with `--int8` is served beside them, too: how many times the plain endpoint's
throughput that gives, depends on the processor's arithmetic of eight bits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from _beside_server import plain_endpoint, rate, raw_session, timed
from _command import run_assay
from _common import Bench, Json, Target, interleaved, open_bench, say, spread
from _mutations import FORM, form
from _server import served

_LOAD = Path(__file__).with_name("_http_load.py")
_PHOTOS = 32
_BATCHES = (1, 2, 4, 8, 16, 32, 64)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10.0, help="of the piece about memory")


def main() -> None:
    bench = open_bench("serving", __doc__, add_options)
    how = _Sizes.of(bench)
    bench.settings = {**vars(how), "photos": _PHOTOS}
    run = trained(bench)
    exported = bench.piece("export", partial(export, run))
    small = bench.piece("export-int8", partial(export_int8, run))
    # Pieces that are taken over tell of a run that is gone.
    if exported["exported"] and not _is_exported(run):
        export(run)
    if small["exported"] and not _is_exported(_int8(run)):
        export_int8(run)
    asks = write_asks(bench, run)
    start = bench.piece("start", partial(starts, bench, run, how))
    one = bench.piece("one-request", partial(one_request, bench, run, asks, how))
    many = bench.piece("many-clients", partial(many_clients, bench, run, asks, how, small["exported"]))
    crowd = bench.piece("connections", partial(connections, bench, run, asks, how))
    memory = bench.piece("memory", partial(memory_over_time, bench, run, asks, how))
    killed = bench.piece("killed", partial(killed_under_load, bench, run, asks, how))
    summary = {
        "served_by": "ONNX Runtime" if exported["exported"] else "eager PyTorch",
        "healthy_s": start["healthy_s"]["median"],
        "ready_s": start["ready_s"]["median"],
        "one_request_ms": one["server_ms"]["median"],
        "one_request_ratio": one["ratio"],
        "throughput_per_s": {name: many[name]["median"] for name in ("server", "int8", "raw", "plain") if name in many},
        "connections": {name: crowd[name] for name in ("answered", "per_s", "p50_ms", "p99_ms", "statuses")},
        "memory_growth_mb": memory["growth_mb"],
    }
    targets = [
        Target("seconds until the server answers", start["healthy_s"]["median"], "<", 2.0),
        Target("seconds until its model answers", start["ready_s"]["median"], "<", 2.0),
        Target("one request: p50 of a raw session's", one["ratio"], "<=", 1.3),
        Target("64 clients: of the raw session's best throughput", many["of_raw"], ">=", 0.8),
        Target("64 clients: times a plain endpoint's throughput", many["server_of_plain"], ">=", 3.0),
        Target("64 clients, int8: times a plain endpoint's throughput", many.get("int8_of_plain"), ">=", 3.0),
        Target("500 connections: answers", crowd["answered"], ">", 0),
        Target("500 connections: wrong answers", crowd["wrong"], "==", 0),
        Target("500 connections: refusals without a time to come back", crowd["refused_unclearly"], "==", 0),
        Target("500 connections: broken connections", crowd["broken_connections"], "==", 0),
        Target("500 connections: errors in the log that nobody expected", crowd["unexpected"], "==", 0),
        Target("memory: seconds that it was watched under load", memory["watched_s"], ">=", 0.9 * how.memory_s),
        Target("memory: growth in MB after the first minute", memory["growth_mb"], "<=", memory["allowed_mb"]),
        Target("killed: the run is as it was, and answers as before", killed["as_before"], "==", True),
        Target("killed: uploads that are left once it runs again", killed["left"], "==", 0),
    ]
    bench.finish(
        summary, targets, seeds=[0], packages=["fastapi", "uvicorn", "httptools", "onnxruntime", "timm", "pillow"]
    )


class _Sizes:
    """How long and how much."""

    def __init__(self, side: int, network: str, rounds: int, asked: int, clients: int, crowd: int, seconds: float,
                 crowd_s: float, memory_s: float) -> None:  # fmt: skip
        self.side, self.network, self.rounds, self.asked = side, network, rounds, asked
        self.clients, self.crowd, self.seconds, self.crowd_s, self.memory_s = clients, crowd, seconds, crowd_s, memory_s

    @staticmethod
    def of(bench: Bench) -> _Sizes:
        """Of a full call, or of one that only tries the program."""
        if bench.smoke:
            return _Sizes(16, "mlp", 1, 5, 4, 12, 1.0, 1.5, 2.0)
        return _Sizes(224, "timm/resnet18", 5, 60, 64, 500, 15.0, 60.0, 60 * bench.options.minutes)


# The run and what it is asked -----------------------------------------------------------------------------------------


def trained(bench: Bench) -> Path:
    """A run on two kinds of made-up photos."""
    how = _Sizes.of(bench)
    run, photos = bench.work / "run", bench.work / "photos"
    if (run / "summary.json").exists():
        return run
    shutil.rmtree(run, ignore_errors=True)  # of a call that was stopped
    for number in range(40):
        file = photos / ("stripes", "spots")[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_photo(number, (320, 240)))
    words = ("--set", "pretrained=false") if how.network.startswith("timm/") else ("--set", "width=16")
    run_assay("train", photos, "--out", run, "--network", how.network, *words, "--image-size", how.side, "--epochs", 1,
              "--evidence", "none", "--json")  # fmt: skip
    return run


def _photo(seed: int, size: tuple[int, int]) -> bytes:
    """A JPEG with the detail of a photo: stripes or spots of some width, and noise."""
    import io

    import numpy as np
    from PIL import Image

    dice = np.random.default_rng(seed)
    width, height = size
    y, x = np.mgrid[:height, :width]
    wave = np.sin(x / dice.uniform(5, 30)) * (np.sin(y / dice.uniform(5, 30)) if seed % 2 else 1)
    colour = dice.uniform(60, 200, 3)
    image = 40 * wave[:, :, None] + colour + dice.normal(0, 8, (height, width, 3))
    content = io.BytesIO()
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=90)
    return content.getvalue()


def export(run: Path, *words: str) -> Json:
    """Export the run where Assay can."""
    try:
        run_assay("export", run, *words, "--json")
    except SystemExit as error:
        say(f"  not exported: {str(error).splitlines()[0][:200]}")
        return {"exported": False}
    return {"exported": True}


def _is_exported(run: Path) -> bool:
    return (run / "model" / "export.json").exists()


def export_int8(run: Path) -> Json:
    """Export a copy of the run in eight bits."""
    copy = _int8(run)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(run, copy)
    return export(copy, "--int8")


def _int8(run: Path) -> Path:
    return run.with_name(f"{run.name}-int8")


def write_asks(bench: Bench, run: Path) -> Path:
    """The requests of the clients, and what each is answered when it is asked alone."""
    import assay

    folder = bench.work / "asks"
    folder.mkdir(exist_ok=True)
    model = assay.load(run)
    asks = []
    for number in range(_PHOTOS):
        photo = folder / f"{number}.jpg"
        photo.write_bytes(_photo(1000 + number, (320, 240)))
        body = folder / f"{number}.form"
        body.write_bytes(form([("files", b"photo.jpg", photo.read_bytes())]))
        (answer,) = model.predict(photo)
        asks.append({"file": str(body.resolve()), "label": answer.label, "confidence": answer.confidence})
    file = folder / "asks.json"
    file.write_text(json.dumps({"path": "/predict", "media": FORM, "asks": asks}), encoding="utf-8")
    return file


def loaded(address: str, asks: Path, clients: int, seconds: float, most: int | None = None) -> Json:
    """What clients in a process of their own met."""
    words = ["--clients", str(clients), "--seconds", str(seconds), *([] if most is None else ["--most", str(most)])]
    done = subprocess.run([sys.executable, str(_LOAD), address, str(asks), *words], capture_output=True, text=True,
                          check=True)  # fmt: skip
    return dict(json.loads(done.stdout))


# Pieces ---------------------------------------------------------------------------------------------------------------


def starts(bench: Bench, run: Path, how: _Sizes) -> Json:
    """Seconds from the start of the process until it answers, and until its model does."""
    healthy, ready = [], []
    for number in range(how.rounds):
        with served(bench.work / f"start-{number}", [run]) as server:
            healthy.append(server.healthy_s)
            ready.append(server.ready_s)
            server.end()
    return {"healthy_s": spread(healthy), "ready_s": spread(ready)}


def one_request(bench: Bench, run: Path, asks: Path, how: _Sizes) -> Json:
    """Milliseconds of one request after the other, and of the raw session's answers to the same photos, in turn."""
    ask = raw_session(run)
    photos = [file.read_bytes() for file in sorted((bench.work / "asks").glob("*.jpg"))]
    times: dict[str, list[float]] = {"server": [], "raw": []}
    with served(bench.work / "one", [run]) as server:
        loaded(server.url, asks, 1, 60, 10)
        for photo in photos[:10]:
            ask([photo])
        for _, name in interleaved(("server", "raw"), 2 * how.rounds):
            if name == "server":
                times[name].append(loaded(server.url, asks, 1, 600, how.asked)["p50_ms"])
            else:
                times[name].append(1000 * statistics.median(timed(ask, [photos[one % len(photos)]])
                                                            for one in range(how.asked)))  # fmt: skip
        server.end()
    found = {f"{name}_ms": spread(values) for name, values in times.items()}
    return {**found, "ratio": statistics.median(times["server"]) / statistics.median(times["raw"])}


def many_clients(bench: Bench, run: Path, asks: Path, how: _Sizes, int8: bool) -> Json:
    """Answers a second of the server in both precisions, the raw session in its best batches and the plain endpoint."""
    ask = raw_session(run)
    photos = [file.read_bytes() for file in sorted((bench.work / "asks").glob("*.jpg"))]
    batches = _BATCHES[: 2 if bench.smoke else None]
    raw: dict[int, list[float]] = {size: [] for size in batches}
    with ExitStack() as held:
        server = held.enter_context(served(bench.work / "many", [run]))
        addresses = {"server": server.url, "plain": held.enter_context(plain_endpoint(bench.work, run))}
        if int8:
            addresses["int8"] = held.enter_context(served(bench.work / "many-int8", [_int8(run)])).url
        for address in addresses.values():
            loaded(address, asks, how.clients, min(2.0, how.seconds))
        rates: dict[str, list[float]] = {name: [] for name in ("raw", *addresses)}
        for _, name in interleaved(tuple(rates), how.rounds):
            if name == "raw":
                for size in batches:
                    raw[size].append(rate(ask, photos, size, how.seconds / len(batches)))
                rates[name].append(max(values[-1] for values in raw.values()))
            else:
                rates[name].append(loaded(addresses[name], asks, how.clients, how.seconds)["per_s"])
        together = [line["together"] for line in server.lines() if "together" in line]
        server.end()
    middle = {name: statistics.median(values) for name, values in rates.items()}
    of_plain = {f"{name}_of_plain": middle[name] / middle["plain"] for name in addresses if name != "plain"}
    return {
        **{name: spread(values) for name, values in rates.items()},
        "raw_by_batch": {str(size): statistics.median(values) for size, values in raw.items()},
        "answered_together": statistics.fmean(together),
        "of_raw": middle["server"] / middle["raw"],
        **of_plain,
    }


def connections(bench: Bench, run: Path, asks: Path, how: _Sizes) -> Json:
    """What very many connections met."""
    with served(bench.work / "crowd", [run]) as server:
        found = loaded(server.url, asks, how.crowd, how.crowd_s)
        server.end()
        return {**found, "unexpected": sum("unexpected" in line for line in server.lines())}


def memory_over_time(bench: Bench, run: Path, asks: Path, how: _Sizes) -> Json:
    """The memory of the server's process, sampled while 16 clients ask without an end."""
    samples: list[tuple[float, int]] = []
    with served(bench.work / "memory", [run]) as server, _clients(server.url, asks, 16, how.memory_s) as busy:
        begun = time.monotonic()
        while not samples or (busy.poll() is None and samples[-1][0] < how.memory_s):
            samples.append((time.monotonic() - begun, server.memory))
            time.sleep(min(5.0, how.memory_s / 20))
        server.end()
        answered = sum("together" in line for line in server.lines())
    tenth = max(1, len(samples) // 10)
    second, last = samples[tenth : 2 * tenth] or samples[:1], samples[-tenth:]
    early, late = (statistics.median(size for _, size in some) for some in (second, last))
    return {
        "watched_s": samples[-1][0],
        "answered": answered,
        "growth_mb": (late - early) / 1e6 if early else None,  # 0 where the system does not tell
        "allowed_mb": 0.05 * early / 1e6,
        "early_mb": early / 1e6,
        "late_mb": late / 1e6,
        "samples": [[round(at), round(size / 1e6, 1)] for at, size in samples],
    }


def killed_under_load(bench: Bench, run: Path, asks: Path, how: _Sizes) -> Json:
    """Whether a server that is killed while many ask leaves the run as it was, and starts again."""
    before, work = _digest(run), bench.work / "killed"
    with served(work, [run]) as server, _clients(server.url, asks, 16, 30):
        time.sleep(min(2.0, how.seconds))
        server.end(signal.SIGKILL)
        left = len(list(server.temporary.rglob("*")))
    with served(work, [run]) as server:
        again = loaded(server.url, asks, 4, 30, 5)
        mine = [path for path in server.temporary.iterdir() if f"-{server.process.pid}-" not in path.name]
        server.end()
    right = again["answered"] == 20 and not again["wrong"] and _digest(run) == before
    return {"as_before": right, "left_by_the_kill": left, "left": len(mine), "again": again}


@contextmanager
def _clients(address: str, asks: Path, clients: int, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Clients that ask while something else is done."""
    command = [sys.executable, str(_LOAD), address, str(asks), "--clients", str(clients), "--seconds", str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _digest(run: Path) -> Mapping[str, str]:
    return {
        str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(run.rglob("*")) if file.is_file()
    }


if __name__ == "__main__":
    main()
