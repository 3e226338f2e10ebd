"""Tiny Shakespeare in characters, beside nanoGPT's setting for a CPU in plain PyTorch and Kneser-Ney n-grams.

The split is nanoGPT's: the first nine tenths train, the last tenth is only judged by. Assay's own validation side is
cut from the end of the nine tenths, so that it learns from a tenth less. Losses are nats a character over the whole
last tenth.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

from _command import train_or_resume
from _common import ROOT, Bench, Json, Target, data_root, open_bench

#: Seconds of fitting, and the loss that is wanted; None: a third of what nanoGPT's setting takes.
_CASES: dict[str, tuple[float | None, float]] = {
    "third": (None, 1.88),
    "15m": (15 * 60.0, 1.68),
    "60m": (60 * 60.0, 1.58),
}
#: The loss that is published for nanoGPT's setting for a CPU, and for its setting for a GPU.
_PUBLISHED = {"cpu": 1.88, "gpu": 1.4697}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", default=",".join(_CASES), help="which trainings, separated by commas")
    parser.add_argument("--seed", default="0", help="of the trainings")


def source_of(bench: Bench) -> Path:
    """A folder with the two parts; `test` names the one that is judged by."""
    text = (data_root() / "tiny_shakespeare" / "input.txt").read_text(encoding="utf-8")
    text = text[:10_000] if bench.smoke else text
    cut = int(0.9 * len(text))
    folder = bench.work / "text"
    folder.mkdir(exist_ok=True)
    for name, part in (("train.txt", text[:cut]), ("test.txt", text[cut:])):
        with (folder / name).open("w", encoding="utf-8", newline="") as stream:
            stream.write(part)
    return folder


def nanogpt(bench: Bench) -> Json:
    asked = json.dumps({"seed": int(bench.options.seed), "smoke": bench.smoke})
    program = ROOT / "benchmarks" / "_nanogpt.py"
    done = subprocess.run([sys.executable, str(program), asked], capture_output=True, text=True, check=True)
    found: Json = json.loads(done.stdout)
    return found


def measure(bench: Bench, case: str, budget_s: float) -> Json:
    """One `assay train`."""
    run = bench.work / f"run-{case}"
    how = (source_of(bench), "--task", "text-generation", "--budget", f"{budget_s:.1f}s", "--seed", bench.options.seed,
           "--evidence", "quick")  # fmt: skip
    done, wall_s = train_or_resume(run, *how, cache=bench.work / "cache")
    summary = done.json
    return {"case": case, "budget_s": budget_s, "wall_s": wall_s,
            "fit_s": summary["seconds"], "loss": summary["metrics"]["nats_per_character"],
            "bits_per_byte": summary["metric"],
            "kneser_ney": summary["baseline"], "verdict": summary["verdict"], "samples": summary["samples"],
            "network": summary["network"], "stages": dict(done.stages)}  # fmt: skip


def main() -> None:
    bench = open_bench("shakespeare", __doc__, add_options)
    cases = ["third"] if bench.smoke else bench.options.cases.split(",")
    peer = bench.piece("nanogpt", partial(nanogpt, bench))
    targets: list[Target] = []
    summary: Json = {"nanogpt": peer, "published": _PUBLISHED}
    for case in cases:
        fixed, wanted = _CASES[case]
        budget_s = fixed or max(1.0, peer["train_s"] / 3)
        run = bench.piece(case, partial(measure, bench, case, budget_s))
        summary[case] = {name: run[name] for name in ("loss", "fit_s", "bits_per_byte", "kneser_ney")}
        targets.append(Target(f"{case}: nats a character", run["loss"], "<=", wanted))
        if case == "15m" and "60m" not in cases:
            within_an_hour = _CASES["60m"][1]
            targets.append(Target("15m: nats a character, wanted within 60 minutes", run["loss"], "<=", within_an_hour))
        if fixed is None:
            targets.append(Target("its time over nanoGPT's", run["fit_s"] / peer["train_s"], "<=", 1 / 3))
    bench.settings = {"split": "nanoGPT's: the first 90 % train, the last 10 % are judged by"}
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["tokenizers"])


if __name__ == "__main__":
    main()
