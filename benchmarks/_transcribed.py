"""One training of a transcriber as a user runs it, and what the finished run hears."""

from __future__ import annotations

import csv
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _command import run_assay
from _common import Json, mean_interval
from _speech import linked


def trained(source: Path, budget: str, seed: str, *words: object) -> Json:
    """One `assay train` of a folder with transcripts, quick evidence and everything else included."""
    with tempfile.TemporaryDirectory() as folder:
        run, cache = Path(folder) / "run", Path(folder) / "cache"
        done = run_assay("train", source, *words, "--task", "transcription", "--evidence", "quick", "--json",
                         "--budget", budget, "--seed", seed, "--out", run, cache=cache)  # fmt: skip
        found = _told(source, run)
    summary = done.json
    return {"budget": budget, "wall_s": done.wall_s, "fit_s": summary["seconds"],
            "wer": summary["metric"], "cer": summary["metrics"]["cer"], "baseline": summary["baseline"],
            "verdict": summary["verdict"], "samples": summary["samples"], "told": found,
            "minutes": _minutes(source), "parameters": summary["network"]["parameters"],
            "stages": {key.split(" hf/")[0]: at for key, at in done.stages.items()}}  # fmt: skip


def of_folds(folds: Sequence[Json]) -> Json:
    """Word error rates of several folds and of the classical models beside them."""
    beside = [run["baseline"]["value"] for run in folds if run["baseline"]]
    return {"folds": len(folds), "wer": mean_interval([run["wer"]["value"] for run in folds]),
            "baseline": mean_interval(beside) if beside else None,
            "fit_s": statistics.fmean(run["fit_s"] for run in folds)}  # fmt: skip


def _told(source: Path, run: Path) -> Json:
    """What the finished run hears in the recordings of the test side, and what is said in them."""
    import assay

    with (source / "transcripts.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            linked(source / row["file"], Path(folder) / row["file"])
        answers, _ = assay.load(run).predictions(folder, options={"words": 0})
    return {"truth": {row["file"]: row["text"] for row in rows}, "text": {one.id: one.answer.text for one in answers}}


def _minutes(source: Path) -> float:
    """Minutes of speech to learn from."""
    import soundfile

    with (source / "transcripts.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["split"] == "train"]
    return sum(soundfile.info(source / name).duration for name in names) / 60
