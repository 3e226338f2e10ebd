"""Does training memory grow with the number of images? Peaks at 10,000 and 60,000 images of 64x64x3.

Looks at anonymous memory, which the process alone holds; pages of mapped files, which the system drops when it needs
the room, stand beside it. Linux only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

from _command import memory_of, run_assay
from _common import Json, Target, open_bench
from _data import write_photos

_SIDE, _STEPS, _BATCH_SIZE = 64, 300, 128
_COUNTS = (10_000, 60_000)


def measure(work: Path, count: int, smoke: bool, evidence: str) -> Json:
    """One training of the same number of steps, whatever the number of images."""
    folder = work / f"photos-{count}"
    write_photos(folder, count, _SIDE, smoke)
    steps, batch_size = (3, 16) if smoke else (_STEPS, _BATCH_SIZE)
    epochs = steps * batch_size / (0.8 * count)
    with tempfile.TemporaryDirectory() as place:
        how = ("--epochs", f"{epochs:.4f}", "--set", f"batch_size={batch_size}", "--network", "convnet")
        done = run_assay("train", folder, *how, "--evidence", evidence, "--json", "--out", Path(place) / "run",
                         cache=Path(place) / "cache", watch=True)  # fmt: skip
    shutil.rmtree(folder)
    peaks = {stage: dict(of) for stage, of in done.peaks.items()}
    training = next(of for stage, of in peaks.items() if stage.startswith("Training"))
    whole = {kind: max(of.get(kind, 0) for of in peaks.values()) for kind in training}
    return {"images": count, "wall_s": done.wall_s, "training": training, "whole": whole, "stages": peaks,
            "stages_s": dict(done.stages)}  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--evidence", default="none", choices=["none", "quick", "full"], help="of the trainings")


def main() -> None:
    if not memory_of(os.getpid()):
        raise SystemExit("memory.py reads /proc: it needs Linux")
    bench = open_bench("memory", __doc__, add_options)
    counts = (100,) if bench.smoke else _COUNTS
    evidence = bench.options.evidence
    runs = [
        bench.piece(f"{count}-images", partial(measure, bench.work, count, bench.smoke, evidence)) for count in counts
    ]
    few, many = runs[0], runs[-1]
    parts = ("training", "whole")
    summary = {
        "peak_bytes": {run["images"]: {part: run[part] for part in parts} for run in runs},
        "grown_anonymous_bytes": {part: many[part]["RssAnon"] - few[part]["RssAnon"] for part in parts},
        "decoded_bytes_more": (counts[-1] - counts[0]) * _SIDE * _SIDE * 3,
        "anonymous_many_over_few": {part: many[part]["RssAnon"] / few[part]["RssAnon"] for part in parts},
    }
    times = summary["anonymous_many_over_few"]["training"]
    targets = [Target("peak anonymous memory of training, many over few", times, "<=", 1.1)]
    bench.settings = {
        "image": f"{_SIDE}x{_SIDE}x3 JPEG",
        "steps": _STEPS,
        "batch_size": _BATCH_SIZE,
        "evidence": evidence,
        "network": "convnet",
        "sampled_every_s": 0.05,
    }
    bench.finish(summary, targets, seeds=[0], packages=["pillow", "psutil"])


if __name__ == "__main__":
    main()
