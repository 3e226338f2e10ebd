"""What a server makes of requests and run folders that mean harm: thousands of them, made up from a seed.

A server of a network for pictures, one for rows, one for sounds and one for texts runs as a process of its own. It is
started in an empty folder, with a folder of its own for uploads. Each request is a picture, sound, JSON body, table,
zip or form that is damaged at random, or one of the known kinds of harm: bombs, path traversal, polyglots, links, wrong
types, huge sizes. Afterwards it has to answer as before, with no status of a crash, no traceback, no file elsewhere.
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from _command import run_assay
from _common import Bench, Json, Target, open_bench
from _mutations import FORM, Attack, attacks, form
from _server import Server, served
from _strange_runs import strange_runs

_REQUESTS = 2000
_RUNS = 200
_CLIENTS = 8
_SECONDS_TO_REMOVE = 10.0
#: Headers that are another with every answer, whatever was asked.
_OWN = ("date", "x-request-id")
#: Folders that may stand beside uploads: the server's own, and PyTorch's for what it compiles, as long as it is empty.
_KNOWN = ("assay-serve-", "torchinductor_")
#: No crash: what was asked was answered, refused, or came at a bad time.
_GOOD = (200, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 503, 504)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=_REQUESTS, help="how many harmful requests")
    parser.add_argument("--seed", type=int, default=0, help="of the requests")


def main() -> None:
    bench = open_bench("security", __doc__, add_options)
    requests = 60 if bench.smoke else bench.options.requests
    seed = bench.options.seed
    bench.settings = {"requests": requests, "clients": _CLIENTS, "runs": 12 if bench.smoke else _RUNS}
    runs = trained(bench)
    found = bench.piece("requests", partial(harmful_requests, bench, runs, requests, seed))
    tokens = bench.piece("tokens", partial(wrong_tokens, bench, runs["row"]))
    described = bench.piece("described", partial(requests_described, bench, runs))
    strangers = partial(strange_runs, bench.work / "strange", runs["picture"], bench.settings["runs"], seed)
    folders = bench.piece("runs", strangers)
    summary = {
        "requests": requests,
        "statuses": found["statuses"],
        "server_errors": found["server_errors"],
        "peak_memory_mb": found["peak_memory_mb"],
        "described": described["asked"],
        "runs": folders["outcomes"],
        "answers_to_wrong_tokens": tokens["different"],
    }
    targets = [
        Target("requests that ended in a server error", found["server_errors"], "==", 0),
        Target("requests whose answer or log held a traceback", found["tracebacks"], "==", 0),
        Target("files left or written elsewhere", found["files"], "==", 0),
        Target("the server answers as before", found["answers_as_before"], "==", True),
        Target("Schemathesis: answers that are a server error or not as described", described["faults"], "==", 0),
        Target("different answers to wrong and missing tokens", tokens["different"], "==", 1),
        Target("the right token is answered", tokens["right"] == 200, "==", True),
        Target("runs with a pickle, a link or a wrong tensor that were not refused", folders["taken"], "==", 0),
        Target("strange runs that raised anything but an error of Assay", folders["unexpected"], "==", 0),
    ]
    bench.finish(summary, targets, seeds=[seed], packages=["fastapi", "uvicorn", "pillow", "soundfile"])


# Runs -----------------------------------------------------------------------------------------------------------------


def trained(bench: Bench) -> dict[str, Path]:
    """A small run for each kind of input."""
    data = bench.work / "data"
    if not data.exists():
        _write_pictures(data / "pictures")
        _write_sounds(data / "sounds")
        _write_tables(data)
    quick = ("--evidence", "none", "--epochs", 2)
    tiny = ("--network", "mlp", "--set", "width=16")
    how: dict[str, tuple[object, ...]] = {
        "picture": (data / "pictures", *tiny),
        "row": (data / "rows.csv", "--target", "kind", *tiny),
        "sound": (data / "sounds", "--task", "voice-commands"),
        "text": (data / "texts.csv", "--task", "text-classification", "--target", "label"),
    }
    runs = {}
    for kind, words in how.items():
        runs[kind] = bench.work / "runs" / kind
        if not (runs[kind] / "summary.json").exists():
            shutil.rmtree(runs[kind], ignore_errors=True)
            run_assay("train", *words, "--out", runs[kind], *quick, "--json")
    return runs


def _write_pictures(folder: Path) -> None:
    import numpy as np
    from PIL import Image

    dice = np.random.default_rng(0)
    for number in range(60):
        file = folder / ("dark", "light")[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        low = 130 * (number % 2)
        Image.fromarray(dice.integers(low, low + 120, (12, 12, 3), dtype=np.uint8)).save(file)


def _write_sounds(folder: Path) -> None:
    import numpy as np
    import soundfile

    dice = np.random.default_rng(0)
    for word, hertz in (("high", 1200), ("low", 400)):
        (folder / word).mkdir(parents=True, exist_ok=True)
        for number in range(24):
            tone = np.sin(2 * np.pi * hertz * dice.uniform(0.9, 1.1) * np.arange(3000) / 8000)
            soundfile.write(folder / word / f"{number:02}.wav", 0.3 * tone + dice.normal(0, 0.01, 3000), 8000)


def _write_tables(folder: Path) -> None:
    dice = random.Random(0)
    rows = ["width,height,colour,kind"]
    texts = ["text,label"]
    for number in range(120):
        small = number % 2
        colour = dice.choice(("red", "green"))
        rows.append(f"{dice.random() + small:.3f},{dice.random():.3f},{colour},{('small', 'large')[small]}")
        words = dice.choices(("good", "fine", "great") if small else ("bad", "poor", "awful"), k=8)
        texts.append(f"{' '.join(words)} {number},{('no', 'yes')[small]}")
    (folder / "rows.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "texts.csv").write_text("\n".join(texts) + "\n", encoding="utf-8")


# Requests -------------------------------------------------------------------------------------------------------------


def harmful_requests(bench: Bench, runs: dict[str, Path], count: int, seed: int) -> Json:
    """What came of all of them."""
    row = {"width": 0.5, "height": 0.5, "colour": "red"}
    canary = {"model": "row", "inputs": [row]}
    found: Counter[str] = Counter()
    by_kind: dict[str, Counter[str]] = {}
    bad: list[str] = []
    tracebacks = peak = 0
    with served(bench.work / "server", [f"{kind}={run.resolve()}" for kind, run in runs.items()]) as server:
        import httpx

        with httpx.Client(base_url=server.url, timeout=120) as client, ThreadPoolExecutor(_CLIENTS) as pool:
            before = client.post("/predict", json=canary).json()
            for attack, status, text in pool.map(
                partial(_sent, client), attacks(count, seed, {kind: kind for kind in runs}, row)
            ):
                found[str(status)] += 1
                by_kind.setdefault(attack.name.removesuffix(", request mutated"), Counter())[str(status)] += 1
                if status not in _GOOD:
                    bad.append(f"{attack.name}: {status}")
                told = "Traceback" in text or "assay-serve" in text or str(server.temporary) in text
                tracebacks += told
                peak = max(peak, server.memory)
            after = client.post("/predict", json=canary).json()
        files = _files(server)
        alive = server.process.poll() is None
        server.end()
        tracebacks += server.log.read_text(encoding="utf-8").count("Traceback")
        unexpected = [line["unexpected"] for line in server.lines() if "unexpected" in line]
    return {
        "statuses": dict(sorted(found.items())),
        "server_errors": len(bad),
        "bad": bad[:20],
        "unexpected": unexpected[:20],
        "tracebacks": tracebacks,
        "files": len(files),
        "file_names": files[:20],
        "answers_as_before": alive and before == after,
        "peak_memory_mb": round(peak / 1e6),
        "by_kind": {name: dict(counts) for name, counts in sorted(by_kind.items())},
    }


def _sent(client: Any, attack: Attack) -> tuple[Attack, int, str]:
    """The status and the text of what came back; a status of 0 where nothing did."""
    import httpx

    try:
        answer = client.post(attack.path, content=attack.body, headers={"content-type": attack.media})
    except httpx.HTTPError as error:
        return attack, 0, type(error).__name__
    return attack, answer.status_code, answer.text


def _files(server: Server) -> list[str]:
    """Files that are left of uploads some seconds after the last answer, and all that stand where none should."""
    until = time.monotonic() + _SECONDS_TO_REMOVE
    while (left := [path for path in server.temporary.rglob("*") if path.is_file()]) and time.monotonic() < until:
        time.sleep(0.1)
    elsewhere = [*server.folder.rglob("*"), *Path("/tmp").glob("escaped*"), *server.folder.parent.glob("escaped*")]
    others = [path for path in server.temporary.iterdir() if not path.name.startswith(_KNOWN)]
    return [str(path) for path in (*left, *elsewhere, *others)]


def requests_described(bench: Bench, runs: dict[str, Path]) -> Json:
    """What comes of requests that Schemathesis makes up from the server's own description."""
    from _described import PATHS, faults

    with served(bench.work / "described", [f"{kind}={run.resolve()}" for kind, run in runs.items()]) as server:
        counts = {path: 5 if bench.smoke else count for path, count in PATHS.items()}
        found = {f"{method} {path}": faults(server.url, method, path, count)
                 for (method, path), count in counts.items()}  # fmt: skip
        alive = server.process.poll() is None
        server.end()
        unexpected = [line["unexpected"] for line in server.lines() if "unexpected" in line]
    told = {name: text[:2000] for name, text in found.items() if text}
    asked = {f"{method} {path}": count for (method, path), count in counts.items()}
    return {"asked": asked, "faults": len(told) + len(unexpected) + (not alive), "told": told,
            "unexpected": unexpected[:20]}  # fmt: skip


def wrong_tokens(bench: Bench, run: Path) -> Json:
    """How many different answers there are to wrong and missing tokens, over all paths and methods."""
    import httpx

    token = "a-token-of-the-benchmark-0123456789"
    file = bench.work / "tokens"
    file.write_text(token, encoding="utf-8")
    seen: set[tuple[int, bytes, tuple[tuple[str, str], ...]]] = set()
    with _locked(run, file) as server:
        paths = (
            "/",
            "/predict",
            "/explain",
            "/models",
            "/health",
            "/ready",
            "/metrics",
            "/docs",
            "/openapi.json",
            "/x",
        )
        for path in paths:
            for shown in (None, "", "Bearer", "Bearer x", f"Basic {token}", f"Bearer {token}0", f"Bearer {token[:-1]}"):
                for method in ("GET", "POST", "PUT", "OPTIONS"):
                    headers = {} if shown is None else {"authorization": shown}
                    body = form([("files", b"a.csv", b"x")]) if method == "POST" else b""
                    answer = httpx.request(method, f"{server}{path}", content=body,
                                           headers={**headers, "content-type": FORM}, timeout=120)  # fmt: skip
                    told = {name: value for name, value in answer.headers.items() if name not in _OWN}
                    seen.add((answer.status_code, answer.content, tuple(sorted(told.items()))))
        right = httpx.get(f"{server}/ready", headers={"authorization": f"Bearer {token}"}, timeout=120)
    return {"different": len(seen), "statuses": sorted({status for status, *_ in seen}), "right": right.status_code}


def _locked(run: Path, file: Path) -> Any:
    """A server in this process that asks for a token, and its address."""
    import contextlib
    import threading

    import uvicorn

    import assay
    from assay.serving.http.app import make_app
    from assay.serving.http.hosted import named_runs
    from assay.serving.http.server import listening
    from assay.serving.http.telling import Log
    from assay.serving.http.tokens import read_tokens

    @contextlib.contextmanager
    def running() -> Any:
        app = make_app(named_runs([run]), assay.load, tokens=read_tokens(file, {}), log=Log(lambda line: None))
        opened = listening("127.0.0.1", 0)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="on", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{opened.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)
            opened.close()

    return running()


if __name__ == "__main__":
    main()
