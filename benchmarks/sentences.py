"""Sentences by class: TREC, SST-2 and SMS spam, with a pretrained encoder and from nothing, TF-IDF beside each."""

from __future__ import annotations

import argparse
import csv
import tempfile
from functools import partial
from pathlib import Path

from _command import asked_in_turn, named, run_assay, stages_of
from _common import Bench, Json, Target, data_root, open_bench
from _data import minilm

#: The lines "LABEL TEXT" of each side, as the sets come.
_SIDES = {
    "trec": {"train": "TREC.train.all", "test": "TREC.test.all"},
    "sst2": {"train": "stsa.binary.train", "validation": "stsa.binary.dev", "test": "stsa.binary.test"},
}
_ENCODINGS = {"trec": "latin-1", "sst2": "utf-8"}
#: What is trained: the data, the network, the time of fitting, and the test accuracy that is wanted.
_CASES = {
    "trec-minilm": ("trec", "minilm", "8m", 0.95),
    "sst2-minilm": ("sst2", "minilm", "12m", 0.90),
    "trec-own": ("trec", "own", "3m", 0.88),
    "sms-minilm": ("sms", "minilm", "8m", 0.985),
    "sms-own": ("sms", "own", "3m", 0.985),
}

#: Milliseconds of one sentence, and how many are asked about.
_WANTED_MS, _ASKED = 12.0, 60


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", default=",".join([*_CASES, "latency"]), help="which trainings, separated by commas")
    parser.add_argument("--seed", default="0", help="of the trainings")


def source_of(bench: Bench, name: str) -> Path:
    """A table with the columns text, label and split; SMS spam as it comes, which has no split."""
    if bench.smoke:
        return _table(bench.work / "smoke.csv", [(f"{word} {number}", word, side) for side in ("train", "test")
                                                 for number in range(30) for word in ("yes", "no")])  # fmt: skip
    if name == "sms":
        return data_root() / "sms_spam" / "sms.tsv"
    rows: list[tuple[str, str, str]] = []
    for side, file in _SIDES[name].items():
        text = (data_root() / "sentence_classification" / file).read_text(encoding=_ENCODINGS[name])
        for line in text.split("\n"):
            if not line:
                continue
            label, _, sentence = line.partition(" ")
            rows.append((sentence, f"class {label}", side))
    return _table(bench.work / f"{name}.csv", rows)


def _table(file: Path, rows: list[tuple[str, str, str]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("text", "label", "split"), *rows])
    return file


def measure(bench: Bench, case: str) -> Json:
    """One `assay train`, quick evidence and everything else included."""
    name, network, budget, _ = _CASES[case]
    how = [] if network == "own" or bench.smoke else minilm()
    target = [] if name == "sms" and not bench.smoke else ["--target", "label"]
    with tempfile.TemporaryDirectory() as folder:
        done = run_assay("train", source_of(bench, name), *how, *target, "--budget", "2s" if bench.smoke else budget,
                         "--seed", bench.options.seed, "--evidence", "quick", "--json", "--out", Path(folder) / "run",
                         "--task", "text-classification", cache=Path(folder) / "cache")  # fmt: skip
    summary = done.json
    return {"case": case, "budget": budget, "wall_s": done.wall_s, "fit_s": summary["seconds"],
            "accuracy": summary["metric"], "baseline": summary["baseline"], "verdict": summary["verdict"],
            "samples": summary["samples"], "network": named(summary["network"]),
            "stages": stages_of(done)}  # fmt: skip


def latency(bench: Bench) -> Json:
    """One sentence after the other."""
    encoder = [] if bench.smoke else minilm()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run_assay("train", source_of(bench, "trec"), "--target", "label", *encoder, "--budget", "2s", "--evidence",
                  "none", "--json", "--out", run, "--task", "text-classification",
                  cache=Path(folder) / "cache")  # fmt: skip
        count = 5 if bench.smoke else _ASKED
        return asked_in_turn(
            run, [f"Who was the {number}th president of the United States?" for number in range(count)]
        )


def main() -> None:
    bench = open_bench("sentences", __doc__, add_options)
    cases = ["trec-own", "latency"] if bench.smoke else bench.options.cases.split(",")
    runs = {case: bench.piece(case, partial(measure, bench, case)) for case in cases if case in _CASES}
    targets: list[Target] = []
    for case, run in runs.items():
        targets.append(Target(f"{case}: test accuracy", run["accuracy"]["value"], ">=", _CASES[case][3]))
        targets.append(Target(f"{case}: seconds, everything included", run["wall_s"], "<=", 900.0))
    summary = {case: {"accuracy": run["accuracy"], "baseline": run["baseline"], "fit_s": run["fit_s"],
                      "wall_s": run["wall_s"]} for case, run in runs.items()}  # fmt: skip
    if "latency" in cases:
        summary["latency"] = bench.piece("latency", partial(latency, bench))
        targets.append(Target("one sentence: median ms", summary["latency"]["median_ms"], "<=", _WANTED_MS))
    bench.settings = {"split": "as the sets come; SMS spam by content, 80/10/10", "encoder": "MiniLM-L6, 22.7 M"}
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["transformers", "tokenizers"])


if __name__ == "__main__":
    main()
