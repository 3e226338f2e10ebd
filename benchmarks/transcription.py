"""Speech to text: yesno from nothing, prompts with a fine-tuned Whisper and from nothing, the speed of an hour."""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import run_assay
from _common import ROOT, Bench, Json, Target, mean_interval, open_bench
from _data import pretrained_folder
from _speech import FOLDS, RATE, invented, linked, long_recording, prompts_folder, yesno_folder

#: Minutes of training speech of the learning curve of the network from nothing.
_MINUTES = (2.0, 5.0, 10.0, 20.0)
_CASES = (
    *(f"yesno-fold-{fold}" for fold in range(FOLDS)),
    *(f"whisper-fold-{fold}" for fold in range(FOLDS)),
    *(f"own-fold-{fold}" for fold in range(FOLDS)),
    *(f"own-{minutes:g}-minutes" for minutes in _MINUTES),
    "speed",
)
_WANTED_YESNO, _WANTED_LESS, _WANTED_FACTOR = 0.02, 0.30, 0.12
#: Seconds of the recordings whose memory is compared; how much more the longer one may take.
_SHORT_S, _LONG_S, _FLAT = 600.0, 3600.0, 1.1


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", default=",".join(_CASES), help="which of them, separated by commas")
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--yesno-budget", default="5m", help="the time of fitting of each fold")
    parser.add_argument("--whisper-budget", default="12m", help="the time of fitting of each fold")
    parser.add_argument("--own-budget", default="12m", help="the time of fitting of each fold from nothing")


def measure(bench: Bench, case: str) -> Json:
    """One `assay train`, quick evidence and everything else included; of Whisper, also the network as it comes."""
    kind = case.partition("-")[0]
    options = bench.options
    budget = "2s" if bench.smoke else {"yesno": options.yesno_budget, "whisper": options.whisper_budget,
                                       "own": options.own_budget}[kind]  # fmt: skip
    fold = int(case.rpartition("-")[2]) if "fold" in case else 0
    minutes = float(case.split("-")[1]) if case.endswith("minutes") else None
    source = (
        invented(bench.work)
        if bench.smoke
        else yesno_folder(bench.work, fold)
        if kind == "yesno"
        else prompts_folder(bench.work, fold, minutes)
    )
    network = ["--network", f"hf/{_whisper()}"] if kind == "whisper" and not bench.smoke else []
    language = [] if kind == "yesno" or bench.smoke else ["--language", "en"]
    with tempfile.TemporaryDirectory() as folder:
        run, cache = Path(folder) / "run", Path(folder) / "cache"
        done = run_assay("train", source, *network, *language, "--task", "transcription", "--evidence", "quick",
                         "--json", "--budget", budget, "--seed", options.seed, "--out", run, cache=cache)  # fmt: skip
        found = _told(source, run, cache)
        before = _as_it_comes(source, found["truth"]) if network else None
    summary = done.json
    return {"case": case, "budget": budget, "wall_s": done.wall_s, "fit_s": summary["seconds"],
            "wer": summary["metric"], "cer": summary["metrics"]["cer"], "baseline": summary["baseline"],
            "verdict": summary["verdict"], "samples": summary["samples"], "told": found, "before": before,
            "parameters": summary["network"]["parameters"],
            "stages": {key.split(" hf/")[0]: at for key, at in done.stages.items()}}  # fmt: skip


def _told(source: Path, run: Path, cache: Path) -> Json:
    """What the finished run hears in the recordings of the test side, and what is said in them."""
    with (source / "transcripts.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            linked(source / row["file"], Path(folder) / row["file"])
        done = run_assay("predict", run, folder, "--json", "--words", "0", cache=cache)
    texts = {row["id"]: row["text"] for row in map(json.loads, done.out.splitlines())}
    return {"truth": {row["file"]: row["text"] for row in rows}, "text": texts}


def _as_it_comes(source: Path, truth: Json) -> Json:
    """What Whisper hears without any training, in 30 s as it was trained."""
    import torch

    from assay.networks.hf_loading import load_body
    from assay.networks.hf_speech import HfSpeech, HfSpeechSettings, SpeechMarks
    from assay.networks.transcribing import transcribed
    from assay.samples.speech_windows import speech_pieces
    from assay.samples.tokens import pretrained
    from assay.samples.transcript_spec import TranscriptSpec
    from assay.sources.audio import decode_audio

    settings = HfSpeechSettings(_whisper(), context_s=30.0)
    network = HfSpeech(load_body(settings, "AutoModelForSpeechSeq2Seq"), SpeechMarks.of(settings), "en", 30.0).eval()
    spec, texts = TranscriptSpec(pretrained(_whisper()), 30.0, "en", plain=False), {}
    for file in truth:
        sound = decode_audio(source / file, RATE).samples
        parts = [sound] if len(sound) <= 30 * RATE else [one.sound for one in speech_pieces([sound], RATE, 30.0)]
        with torch.inference_mode():
            texts[file] = " ".join(transcribed(network, torch.from_numpy(part)[None], None, spec, {"words": 0})[0].text
                                   for part in parts)  # fmt: skip
    return {"text": texts}


def _whisper() -> str:
    return str(pretrained_folder("whisper-tiny.en", "ASSAY_WHISPER").resolve())


def less_wrong(runs: Sequence[Json]) -> Json:
    """By what share fine-tuning lowers the word error rate over all folds, with its interval over texts of prompts."""
    from assay.evaluation.spoken_text import spoken
    from assay.evaluation.transcription_metrics import WordErrorRate

    metric, before, after, groups = WordErrorRate("en"), [], [], []
    for run in runs:
        truth = run["told"]["truth"]
        files = sorted(truth)
        said = [truth[file] for file in files]
        before.append(metric.statistics([run["before"]["text"].get(file, "") for file in files], said))
        after.append(metric.statistics([run["told"]["text"].get(file, "") for file in files], said))
        groups += [spoken(text, "en") for text in said]
    one, other = np.concatenate(before), np.concatenate(after)
    number = np.unique(groups, return_inverse=True)[1]
    random, drawn = np.random.default_rng(0), []
    for _ in range(2000):
        weight = np.bincount(random.integers(0, number.max() + 1, number.max() + 1), minlength=number.max() + 1)[number]
        drawn.append(1 - metric.aggregate(other, weight) / metric.aggregate(one, weight))
    whole = np.ones(len(one))
    rates = [metric.aggregate(side, whole) for side in (one, other)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"before": rates[0], "after": rates[1], "less": 1 - rates[1] / rates[0], "low": float(low),
            "high": float(high), "words": float(one[:, 3].sum()), "prompts": len(one)}  # fmt: skip


_OURS = """
import json, resource, sys, time
import assay
model = assay.load(sys.argv[1])
model.predict(sys.argv[3])
begun = time.perf_counter()
(answer,) = model.predict(sys.argv[2])
seconds = time.perf_counter() - begun
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"seconds": seconds, "peak": peak, "text": answer.text, "words": len(answer.words)}))
"""
_THEIRS = """
import json, resource, sys, time
import soundfile, transformers
kind, how = "automatic-speech-recognition", {"chunk_length_s": 30, "batch_size": 8}
pipe = transformers.pipeline(kind, model=sys.argv[1], device="cpu", **how)
pipe.tokenizer.pad_token_id = pipe.model.config.eos_token_id
times = "word" if sys.argv[4] == "words" else False
def heard(file):
    sound, rate = soundfile.read(file, dtype="float32")
    return pipe({"raw": sound, "sampling_rate": rate}, return_timestamps=times)["text"]
heard(sys.argv[3])
begun = time.perf_counter()
text = heard(sys.argv[2])
seconds = time.perf_counter() - begun
print(json.dumps({"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "text": text}))
"""


def speed(bench: Bench) -> Json:
    """Ten minutes and an hour by Whisper tiny.en in Assay, and ten minutes by transformers' pipeline.

    The network is as it comes: its one step of training moves no weight to speak of. Each is a process of its own, in
    which a short file comes first, which nobody times.
    """
    seconds = [20.0, 40.0] if bench.smoke else [_SHORT_S, _LONG_S]
    warm, short, long = (long_recording(bench.work, length) for length in (10.0, *seconds))
    found: Json = {"seconds": seconds}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run_assay("train", prompts_folder(bench.work, 0), "--network", f"hf/{_whisper()}", "--language", "en", "--task",
                  "transcription", "--evidence", "none", "--epochs", "0.01", "--set", "learning_rate=1e-9", "--set",
                  "context_s=30", "--json", "--out", run, cache=Path(folder) / "cache")  # fmt: skip
        for name, file in (("short", short), ("long", long)):
            found[name] = _apart(_OURS, run, file, warm)
        found["pipeline"] = _apart(_THEIRS, _whisper(), short, warm, "text")
        found["pipeline_words"] = _apart(_THEIRS, _whisper(), short, warm, "words")
    for name in ("short", "long", "pipeline", "pipeline_words"):
        found[name]["factor"] = found[name]["seconds"] / (seconds[1] if name == "long" else seconds[0])
    return found


def _apart(program: str, *arguments: Any) -> Json:
    """What a program prints that runs in a process of its own."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: Json = json.loads(done.stdout.strip().splitlines()[-1])
    result["letters"] = len(result.pop("text"))
    return result


def main() -> None:
    bench = open_bench("transcription", __doc__, add_options)
    cases = ["yesno-fold-0"] if bench.smoke else bench.options.cases.split(",")
    runs = {
        case: bench.piece(case, partial(speed, bench) if case == "speed" else partial(measure, bench, case))
        for case in cases
    }
    summary: Json = {}
    targets: list[Target] = []
    for kind in ("yesno", "whisper", "own"):
        folds = [run for case, run in runs.items() if case.startswith(f"{kind}-fold-")]
        if folds:
            beside = [run["baseline"]["value"] for run in folds if run["baseline"]]
            summary[kind] = {"folds": len(folds), "wer": mean_interval([run["wer"]["value"] for run in folds]),
                             "baseline": mean_interval(beside) if beside else None,
                             "fit_s": statistics.fmean(run["fit_s"] for run in folds)}  # fmt: skip
    if "yesno" in summary and summary["yesno"]["folds"] == FOLDS:
        targets.append(
            Target("yesno: mean word error rate over five folds", summary["yesno"]["wer"]["mean"], "<=", _WANTED_YESNO)
        )
    tuned = [run for case, run in runs.items() if case.startswith("whisper-fold-")]
    if tuned:
        summary["fine_tuning"] = less_wrong(tuned)
        whole = summary["fine_tuning"]["less"] if len(tuned) == FOLDS else None
        targets.append(
            Target("prompts: share of the word errors that fine-tuning takes away", whole, ">=", _WANTED_LESS)
        )
    curve = {case: run for case, run in runs.items() if case.endswith("minutes")}
    if curve:
        summary["learning_curve"] = {
            case: {"wer": run["wer"], "train": run["samples"]["train"]} for case, run in curve.items()
        }
    if "speed" in runs:
        summary["speed"] = found = runs["speed"]
        beside = found["short"]["seconds"] / found["pipeline"]["seconds"]
        more = found["long"]["peak"] / found["short"]["peak"]
        targets += [
            Target("tiny.en: real-time factor over an hour", found["long"]["factor"], "<=", _WANTED_FACTOR),
            Target("tiny.en: seconds over those of transformers' pipeline", beside, "<=", 1.0),
            Target("memory of an hour over that of ten minutes", more, "<=", _FLAT),
        ]
    bench.settings = {"yesno": "every fifth recording tested", "prompts": "folds by a hash of what is said, all words",
                      "form": "assay.evaluation.spoken_text", "network": "Whisper tiny.en, 37.8 M"}  # fmt: skip
    packages = ["transformers", "jiwer", "pocketsphinx", "soundfile"]
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=packages, hidden=("told", "before"))


if __name__ == "__main__":
    main()
