"""Questions about texts: XQuAD by folds of articles with a pretrained encoder, JaQuAD from nothing, the time of one."""

from __future__ import annotations

import argparse
import json
import tempfile
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

from _command import asked_in_turn, named, run_assay, stages_of
from _common import Bench, Json, Target, data_root, mean_interval, open_bench, write_json
from _data import minilm

_FOLDS = 5
_CASES = (*(f"xquad-fold-{fold}" for fold in range(_FOLDS)), "jaquad", "latency")
#: F1 wanted over the folds, and milliseconds of one question about a text of so many words.
_WANTED_F1, _WANTED_MS, _WORDS = 0.50, 150.0, 300
_ASKED = 30


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", default=",".join(_CASES), help="which of them, separated by commas")
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--xquad-budget", default="7m", help="the time of fitting of each fold")
    parser.add_argument("--jaquad-budget", default="15m", help="the time of fitting on JaQuAD")


def fold_of(bench: Bench, fold: int) -> Path:
    """English XQuAD as two files: every fifth article, from this one on, is tested."""
    if bench.smoke:
        return _sides(bench.work / "smoke", _invented(20), _invented(30)[20:])
    whole = json.loads((data_root() / "xquad" / "xquad.en.json").read_text(encoding="utf-8"))
    articles = sorted(whole["data"], key=lambda article: str(article["title"]))
    train = [article for number, article in enumerate(articles) if number % _FOLDS != fold]
    return _sides(bench.work / f"xquad-{fold}", train, articles[fold::_FOLDS])


def jaquad(bench: Bench) -> Path:
    """JaQuAD, whose public development side is tested; validation is cut from its training side."""
    sides: dict[str, list[Any]] = {"train": [], "dev": []}
    with zipfile.ZipFile(data_root() / "jaquad" / "jaquad.zip") as archive:
        for name in sorted(archive.namelist()):
            side = name.partition("/")[0]
            if side in sides and name.endswith(".json"):
                sides[side] += json.loads(archive.read(name))["data"]
    return _sides(bench.work / "jaquad", sides["train"], sides["dev"])


def _sides(folder: Path, train: list[Any], test: list[Any]) -> Path:
    for side, articles in (("train", train), ("test", test)):
        write_json(folder / f"{side}.json", {"version": "1.1", "data": articles})
    return folder


def _invented(count: int) -> list[Json]:
    """Articles of one text with one question, for the smoke test."""
    articles: list[Json] = []
    for number in range(count):
        town = f"Town{number % 7}"
        context = f"Person{number} lives in {town} since {1900 + number}."
        asked = {"id": str(number), "question": f"Where does Person{number} live?",
                 "answers": [{"text": town, "answer_start": context.index(town)}]}  # fmt: skip
        articles.append({"title": f"article {number}", "paragraphs": [{"context": context, "qas": [asked]}]})
    return articles


def _encoder(bench: Bench) -> list[str]:
    """What asks for MiniLM; nothing in the smoke test, which takes the network of ours."""
    return [] if bench.smoke else minilm()


def measure(bench: Bench, case: str) -> Json:
    """One `assay train`, quick evidence and everything else included."""
    own = case == "jaquad"
    source = jaquad(bench) if own else fold_of(bench, int(case.rpartition("-")[2]))
    budget = bench.options.jaquad_budget if own else bench.options.xquad_budget
    encoder = [] if own else _encoder(bench)
    with tempfile.TemporaryDirectory() as folder:
        done = run_assay("train", source, *encoder, "--task", "question-answering", "--evidence", "quick", "--json",
                         "--budget", "2s" if bench.smoke else budget, "--seed", bench.options.seed,
                         "--out", Path(folder) / "run", cache=Path(folder) / "cache")  # fmt: skip
    summary = done.json
    return {"case": case, "budget": budget, "wall_s": done.wall_s, "fit_s": summary["seconds"],
            "f1": summary["metric"], "exact_match": summary["metrics"]["exact_match"], "baseline": summary["baseline"],
            "verdict": summary["verdict"], "samples": summary["samples"], "network": named(summary["network"]),
            "stages": stages_of(done)}  # fmt: skip


def latency(bench: Bench) -> Json:
    """One question after the other about a long text."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run_assay("train", fold_of(bench, 0), *_encoder(bench), "--budget", "2s", "--evidence", "none", "--json",
                  "--out", run, "--task", "question-answering", cache=Path(folder) / "cache")  # fmt: skip
        words = [f"The {number}th house of the street was built by another family." for number in range(_WORDS)]
        text = " ".join(" ".join(words).split()[:_WORDS])
        count = 3 if bench.smoke else _ASKED
        asked = [(f"Who built the {number}th house of the street?", text) for number in range(count)]
        return {"words": _WORDS, **asked_in_turn(run, asked)}


def main() -> None:
    bench = open_bench("questions", __doc__, add_options)
    cases = ["xquad-fold-0", "latency"] if bench.smoke else bench.options.cases.split(",")
    runs: dict[str, Json] = {}
    for case in cases:
        how = partial(latency, bench) if case == "latency" else partial(measure, bench, case)
        runs[case] = bench.piece(case, how)
    folds = [run for case, run in runs.items() if case.startswith("xquad-fold-")]
    summary: Json = {case: {"f1": run["f1"], "exact_match": run["exact_match"], "baseline": run["baseline"],
                            "fit_s": run["fit_s"], "wall_s": run["wall_s"]} if case != "latency" else run
                     for case, run in runs.items()}  # fmt: skip
    targets: list[Target] = []
    if folds:
        network = mean_interval([run["f1"]["value"] for run in folds])
        classical = mean_interval([run["baseline"]["value"] for run in folds if run["baseline"]])
        summary["xquad"] = {"folds": len(folds), "f1": network, "baseline": classical}
        whole = len(folds) == _FOLDS
        targets.append(Target("xquad: mean F1 over five folds", network["mean"] if whole else None, ">=", _WANTED_F1))
        targets.append(Target("xquad: mean F1 above the baseline's", network["mean"] if whole else None, ">",
                              classical["mean"]))  # fmt: skip
    if "latency" in runs:
        targets.append(Target(f"one question about {_WORDS} words: median ms", runs["latency"]["median_ms"], "<=",
                              _WANTED_MS))  # fmt: skip
    bench.settings = {"xquad": "English, every fifth article tested, MiniLM-L6, 22.7 M",
                      "jaquad": "its development side tested, the network of ours"}  # fmt: skip
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["transformers", "tokenizers"])


if __name__ == "__main__":
    main()
