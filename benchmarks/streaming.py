"""Training on shards that are decoded where they are needed: memory, waiting for data, and every sample seen once.

SYNTHETIC photos, 192 px, written by this program; `ASSAY_CACHE_GB=0` keeps Assay from decoding them to disk, as it does
where they are too many for that. Linux only.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from _command import environment, memory_of, run_assay
from _common import Json, Target, open_bench, spread

_GIGABYTES = (1.0, 4.0)
_SIDE, _DIFFERENT, _CLASSES = 192, 500, 10
_STEPS, _BATCH_SIZE, _IMAGE_SIZE = 300, 128, 64
_STOPS = 3
#: Runs `assay` and notes which windows each training batch holds.
_NOTING = """
import os, sys
from assay.samples.samples import Samples
from assay.cli import main
plain = Samples.batch
def batch(self, windows, exact=False):
    if not exact:
        with open(os.environ["ASSAY_SEEN"], "a") as file:
            file.write(" ".join(map(str, windows.tolist())) + "\\n")
    return plain(self, windows, exact)
Samples.batch = batch
main()
"""


def write_photos(folder: Path, wanted_bytes: float, seed: int = 0) -> int:
    """JPEG files in ten class folders until there are so many bytes; gives how many.

    A few hundred are drawn, tinted squares in noise; each file is one of them with a comment of its own, so that no two
    have the same content and each costs as much to read, check and decode as any.
    """
    from PIL import Image

    random = np.random.default_rng(seed)
    drawn = []
    for number in range(_DIFFERENT):
        label = number % _CLASSES
        pixels = random.integers(0, 90, (_SIDE, _SIDE, 3))
        corner = random.integers(0, _SIDE // 2, 2)
        side = _SIDE // 2
        tint = np.asarray([label & 1, label >> 1 & 1, label >> 2 & 1]) * 90 + 30 * (label >> 3)
        pixels[corner[0] : corner[0] + side, corner[1] : corner[1] + side] += tint
        stream = io.BytesIO()
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=85)
        drawn.append((label, stream.getvalue()))
    for label in range(_CLASSES):
        (folder / f"class-{label}").mkdir(parents=True, exist_ok=True)
    written = count = 0
    while written < wanted_bytes:
        label, content = drawn[count % len(drawn)]
        comment = b"%012d" % count
        content = content[:2] + b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment + content[2:]
        (folder / f"class-{label}" / f"{count:07}.jpg").write_bytes(content)
        written, count = written + len(content), count + 1
    return count


def make_shards(work: Path, name: str, wanted_bytes: float) -> tuple[Path, Json]:
    """Shards of so many bytes of photos, and how long writing them took."""
    target = work / f"shards-{name}"
    shutil.rmtree(target, ignore_errors=True)
    photos = work / f"photos-{name}"
    shutil.rmtree(photos, ignore_errors=True)
    images = write_photos(photos, wanted_bytes)
    done = run_assay("data", "shard", photos, target, "--json", cache=work / "cache", watch=True)
    shutil.rmtree(photos)
    told = done.json
    peak = max((stage.get("RssAnon", 0) for stage in done.peaks.values()), default=0)
    return target, {"images": images, "bytes": told["bytes"], "shards": len(told["shards"]), "wall_s": done.wall_s,
                    "mb_per_s": told["bytes"] / 1e6 / done.wall_s, "peak_anonymous_bytes": peak}  # fmt: skip


def streamed(work: Path, name: str, wanted_bytes: float, steps: int, batch_size: int) -> Json:
    """The memory and the waiting of one training of so many steps, whatever the amount of data."""
    shards, written = make_shards(work, name, wanted_bytes)
    run, cache = work / f"run-{name}", work / "cache"
    shutil.rmtree(run, ignore_errors=True)
    epochs = steps * batch_size / (0.8 * written["images"])
    how = ("--epochs", f"{epochs:.5f}", "--set", f"batch_size={batch_size}", "--network", "convnet",
           "--image-size", _IMAGE_SIZE, "--evidence", "none", "--json")  # fmt: skip
    done = run_assay("train", shards, *how, "--out", run, cache=cache, watch=True)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    waited = [(line["step"], line["seconds"], line["data_seconds"]) for line in lines if "data_seconds" in line]
    kinds = ("RssAnon", "RssFile", "VmRSS")
    peaks = {kind: max((stage.get(kind, 0) for stage in done.peaks.values()), default=0) for kind in kinds}
    decoded = any(cache.glob("samples/*"))
    for folder in (shards, run, cache):
        shutil.rmtree(folder, ignore_errors=True)
    step, seconds, data = waited[-1]
    checks = sum(line.get("check_seconds", 0.0) for line in lines if line["step"] < step)
    return {"written": written, "wall_s": done.wall_s, "steps": step, "loop_s": seconds - checks, "data_s": data,
            "waiting_share": data / max(seconds - checks, 1e-9), "peaks": peaks, "decoded_to_disk": decoded,
            "accuracy": done.json["metric"]["value"], "stages_s": dict(done.stages)}  # fmt: skip


def stopped(work: Path, wanted_bytes: float, epochs: int, stops: int, batch_size: int) -> Json:
    """A training that is stopped some times and resumed, against one that is not: which windows each epoch saw."""
    shards, written = make_shards(work, "stopped", wanted_bytes)
    how = ("--epochs", epochs, "--set", f"batch_size={batch_size}", "--network", "convnet", "--image-size",
           _IMAGE_SIZE, "--evidence", "none", "--json")  # fmt: skip
    whole, parts = work / "run-whole", work / "run-parts"
    for folder in (whole, parts):
        shutil.rmtree(folder, ignore_errors=True)
    first, second = work / "seen-whole", work / "seen-parts"
    for file in (first, second):
        file.unlink(missing_ok=True)
    _noted(first, "train", shards, *how, "--out", whole)
    steps = len(_seen(first))
    moments = [steps * (number + 1) // (stops + 1) for number in range(stops)]
    words: tuple[object, ...] = ("train", shards, *how, "--out", parts)
    met = 0
    for moment in moments:
        met += _noted(second, *words, stop_at=moment)
        words = ("resume", parts, "--json")
    _noted(second, *words)
    seen = _seen(second)
    plan = json.loads((parts / "plan.json").read_text())["plan"]
    per_epoch = steps // epochs
    counts = [Counter(window for step in seen[begin : begin + per_epoch] for window in step)
              for begin in range(0, per_epoch * epochs, per_epoch)]  # fmt: skip
    digests = [hashlib.sha256((run / "model" / "model.safetensors").read_bytes()).hexdigest() for run in (whole, parts)]
    shutil.rmtree(shards)
    return {"images": written["images"], "steps": steps, "steps_of_stopped": len(seen), "stops": met,
            "planned_steps": plan["steps"], "most_often_seen": max(max(count.values()) for count in counts),
            "seen_an_epoch": [len(count) for count in counts], "wanted_an_epoch": per_epoch * len(seen[0]),
            "same_batches": seen == _seen(first), "same_weights": digests[0] == digests[1]}  # fmt: skip


def _noted(seen: Path, *words: object, stop_at: int | None = None) -> int:
    """Run a command that notes its batches; stop it politely after so many. Gives whether it was stopped."""
    given = {**environment(seen.parent / "cache"), "ASSAY_SEEN": str(seen)}
    command = [sys.executable, "-c", _NOTING, *map(str, words)]
    log = seen.with_suffix(".log")
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=given)
        while process.poll() is None:
            if stop_at is not None and len(_seen(seen)) >= stop_at:
                process.send_signal(signal.SIGTERM)
                process.wait()
            time.sleep(0.02)
    if process.returncode not in ((0, 130) if stop_at is not None else (0,)):
        raise SystemExit(f"it ended with {process.returncode}:\n{log.read_text()[-2000:]}")
    return int(process.returncode == 130)


def _seen(file: Path) -> list[list[int]]:
    """The windows of each training batch so far."""
    if not file.exists():
        return []
    return [[int(word) for word in line.split()] for line in file.read_text().splitlines()]


def main() -> None:
    if not memory_of(os.getpid()):
        raise SystemExit("streaming.py reads /proc: it needs Linux")
    os.environ["ASSAY_CACHE_GB"] = "0"
    bench = open_bench("streaming", __doc__)
    sizes = (0.003, 0.006) if bench.smoke else _GIGABYTES
    steps, batch_size = (4, 16) if bench.smoke else (_STEPS, _BATCH_SIZE)
    runs = [
        bench.piece(f"{size:g}-gb", partial(streamed, bench.work, f"{size:g}", size * 1e9, steps, batch_size))
        for size in sizes
    ]
    resumed = bench.piece(
        "stopped",
        partial(stopped, bench.work, 3e6 if bench.smoke else 2e8, 2, 1 if bench.smoke else _STOPS, batch_size),
    )
    few, many = (run["peaks"] for run in runs)
    anonymous = many["RssAnon"] / max(1, few["RssAnon"])
    once = resumed["most_often_seen"] == 1 and set(resumed["seen_an_epoch"]) == {resumed["wanted_an_epoch"]}
    summary = {
        "bytes": [run["written"]["bytes"] for run in runs],
        "peak_bytes": [run["peaks"] for run in runs],
        "many_over_few": {"RssAnon": anonymous, "VmRSS": many["VmRSS"] / max(1, few["VmRSS"])},
        "waiting_share": [run["waiting_share"] for run in runs],
        "step_s": [run["loop_s"] / run["steps"] for run in runs],
        "writing_mb_per_s": spread([run["written"]["mb_per_s"] for run in runs]),
        "resumed": resumed,
    }
    targets = [
        Target("peak resident memory of the larger, GB", many["VmRSS"] / 1e9, "<=", 1.5),
        Target("peak anonymous memory, larger over smaller", anonymous, "<=", 1.1),
        Target("share of the training's time that steps wait for data", max(summary["waiting_share"]), "<", 0.05),
        Target("each sample of an epoch is seen exactly once, stopped and resumed", once, "==", True),
        Target("stopped and resumed, the same batches and weights",
               resumed["same_batches"] and resumed["same_weights"], "==", True),
        Target("nothing is decoded to disk", any(run["decoded_to_disk"] for run in runs), "==", False),
    ]  # fmt: skip
    bench.settings = {
        "data": "SYNTHETIC",
        "image": f"{_SIDE}x{_SIDE}x3 JPEG, brought to {_IMAGE_SIZE}",
        "network": "convnet",
        "steps": steps,
        "batch_size": batch_size,
        "ASSAY_CACHE_GB": 0,
        "sampled_every_s": 0.05,
    }
    bench.finish(summary, targets, seeds=[0], packages=["pillow", "pyarrow"])


if __name__ == "__main__":
    main()
