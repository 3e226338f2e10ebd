"""Speech to text: yesno from nothing, prompts with a fine-tuned Whisper and from nothing, the speed of an hour."""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import run_assay
from _common import ROOT, Bench, Json, Target, interleaved, mean_interval, open_bench, spread
from _data import pretrained_folder
from _speech import (
    FOLDS,
    RATE,
    invented,
    invented_files,
    linked,
    long_recording,
    prompt_files,
    prompts_folder,
    yesno_folder,
)

#: Minutes of training speech of the learning curve of the network from nothing; the first fold has all there is.
_MINUTES = (2.0, 4.0, 8.0)
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
#: Turns that each takes at the shorter one, in an order that turns round.
_ROUNDS = 3
_KINDS = ("yesno-fold-0", "whisper-fold-0", "own-fold-0", "own-2-minutes", "own-4-minutes", "speed")
_ASKED = (0.2, 0.1, 0.05)  # word error rates that the learning curve says the data for


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
    network = ["--network", f"hf/{_whisper(bench)}"] if kind == "whisper" else []
    language = [] if kind == "yesno" or bench.smoke else ["--language", "en"]
    with tempfile.TemporaryDirectory() as folder:
        run, cache = Path(folder) / "run", Path(folder) / "cache"
        done = run_assay("train", source, *network, *language, "--task", "transcription", "--evidence", "quick",
                         "--json", "--budget", budget, "--seed", options.seed, "--out", run, cache=cache)  # fmt: skip
        found = _told(source, run, cache)
        before = _as_it_comes(source, found["truth"], _whisper(bench)) if network else None
    summary = done.json
    return {"case": case, "budget": budget, "wall_s": done.wall_s, "fit_s": summary["seconds"],
            "wer": summary["metric"], "cer": summary["metrics"]["cer"], "baseline": summary["baseline"],
            "verdict": summary["verdict"], "samples": summary["samples"], "told": found, "before": before,
            "minutes": _minutes(source),
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


def _minutes(source: Path) -> float:
    """Minutes of speech to learn from."""
    import soundfile

    with (source / "transcripts.csv").open(encoding="utf-8") as file:
        names = [row["file"] for row in csv.DictReader(file) if row["split"] == "train"]
    return sum(soundfile.info(source / name).duration for name in names) / 60


def _as_it_comes(source: Path, truth: Json, whisper: str) -> Json:
    """What Whisper hears without any training, by transformers' own `generate`, in 30 s as it was trained."""
    import torch
    import transformers

    from assay.samples.speech_windows import speech_pieces
    from assay.samples.tokens import pretrained
    from assay.sources.audio import decode_audio

    network = transformers.WhisperForConditionalGeneration.from_pretrained(whisper).eval()
    listens = transformers.WhisperFeatureExtractor(feature_size=network.config.num_mel_bins)
    tokenizer, end = pretrained(whisper), int(network.generation_config.eos_token_id)
    texts = {}
    for file in truth:
        sound = decode_audio(source / file, RATE).samples
        parts = [sound] if len(sound) <= 30 * RATE else [one.sound for one in speech_pieces([sound], RATE, 30.0)]
        given = listens(parts, sampling_rate=RATE, return_tensors="pt")["input_features"]
        with torch.inference_mode():
            ids = network.generate(given, num_beams=1, do_sample=False)
        said = [[token for token in row if token < end] for row in ids.tolist()]
        texts[file] = " ".join(tokenizer.decode(row).strip() for row in said)
    return {"text": texts}


def _whisper(bench: Bench) -> str:
    """Whisper tiny.en; for a smoke test without it, a network of random weights."""
    folder = Path(os.environ.get("ASSAY_WHISPER", ROOT / ".pretrained" / "whisper-tiny.en"))
    if bench.smoke and not folder.exists():
        sys.path.insert(0, str(ROOT / "tests"))
        from whisper_examples import write_whisper

        return str(write_whisper(bench.work / "tiny"))
    return str(pretrained_folder("whisper-tiny.en", "ASSAY_WHISPER").resolve())


def curve_of(runs: Sequence[Json]) -> Json:
    """The learning curve of one fold in minutes of speech, and how many it takes to some word error rates.

    Args:
        runs: of the same test side, with what each was trained on (`minutes`); the last has all of it.
    """
    from assay.evaluation.learning_curve import Answers, fit_power_law
    from assay.evaluation.spoken_text import spoken
    from assay.evaluation.transcription_metrics import WordErrorRate

    metric, truth = WordErrorRate("en"), runs[-1]["told"]["truth"]
    files = sorted(truth)
    points = [Answers(round(60 * run["minutes"]), [run["told"]["text"].get(file, "") for file in files])
              for run in runs]  # fmt: skip
    said = [truth[file] for file in files]
    groups = np.unique([spoken(text, "en") for text in said], return_inverse=True)[1]
    law = fit_power_law(metric, points[:-1], points[-1], said, groups)
    found: Json = {"points": [{"minutes": run["minutes"], "wer": run["wer"]} for run in runs]}
    if law is None:
        return found
    slope = np.quantile(law.slopes, [0.025, 0.975])
    twice = law.at(2 * law.anchor)
    return {**found, "slope": {"value": law.slope, "low": float(slope[0]), "high": float(slope[1])},
            "with_twice_the_speech": vars(twice),
            "minutes_needed": {f"{rate:g}": minutes_for(law, rate) for rate in _ASKED}}  # fmt: skip


def minutes_for(law: Any, rate: float, most: float = 1e5) -> Json | None:
    """The minutes of speech at which the law reaches an error, with the interval; None for more than `most` times."""

    def reached(errors: Callable[[float], float]) -> float | None:
        sizes = law.anchor * np.geomspace(1, most, 400)
        below = [size for size in sizes if errors(float(size)) <= rate]
        return None if not below else float(below[0]) / 60

    value = reached(lambda size: law.at(size).value)
    if value is None:
        return None
    return {"value": value, "low": reached(lambda size: law.at(size).low),
            "high": reached(lambda size: law.at(size).high)}  # fmt: skip


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
    """Ten minutes by Whisper tiny.en in Assay and by transformers' pipeline, in turns, and an hour by Assay.

    The network is as it comes: its one step of training moves no weight to speak of. Each is a process of its own, in
    which a short file comes first, which nobody times.
    """
    seconds = [20.0, 40.0] if bench.smoke else [_SHORT_S, _LONG_S]
    whisper, rounds = _whisper(bench), 2 if bench.smoke else _ROUNDS
    parts = invented_files(bench.work) if bench.smoke else prompt_files()
    warm, short, long = (long_recording(bench.work, length, parts) for length in (10.0, *seconds))
    source = invented(bench.work) if bench.smoke else prompts_folder(bench.work, 0)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run_assay("train", source, "--network", f"hf/{whisper}", "--language", "en", "--task", "transcription",
                  "--evidence", "none", "--epochs", "0.01", "--set", "learning_rate=1e-9", "--set", "context_s=30",
                  "--json", "--out", run, cache=Path(folder) / "cache")  # fmt: skip
        programs: dict[str, tuple[Any, ...]] = {
            "short": (_OURS, run, short[0], warm[0]),
            "pipeline": (_THEIRS, whisper, short[0], warm[0], "text"),
            "pipeline_words": (_THEIRS, whisper, short[0], warm[0], "words"),
        }
        if not (Path(whisper) / "preprocessor_config.json").exists():  # random weights: no pipeline takes them
            programs = {"short": programs["short"]}
        turns: dict[str, list[Json]] = {name: [] for name in programs}
        for _, name in interleaved(list(programs), rounds):
            turns[name].append(_apart(*programs[name], said=short[1]))
        found: Json = {name: _all_turns(some, _seconds(short[0])) for name, some in turns.items()}
        hour = _apart(_OURS, run, long[0], warm[0], said=long[1])
        found["long"] = _all_turns([hour], _seconds(long[0]))
    return found


def _all_turns(turns: Sequence[Json], length_s: float) -> Json:
    """The turns of one program at a recording: the median of its seconds counts."""
    seconds = spread([turn["seconds"] for turn in turns])
    return {"seconds": seconds, "factor": seconds["median"] / length_s, "wer": turns[-1]["wer"],
            "peak": max(turn["peak"] for turn in turns), "of_s": length_s}  # fmt: skip


def _seconds(file: Path) -> float:
    import soundfile

    return float(soundfile.info(file).duration)


def _apart(program: str, *arguments: Any, said: str) -> Json:
    """What a program prints that runs in a process of its own, and how much of what is said it has wrong."""
    from assay.evaluation.transcription_metrics import WordErrorRate

    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: Json = json.loads(done.stdout.strip().splitlines()[-1])
    result["wer"] = WordErrorRate("en").value([result.pop("text")], [said])
    return result


def main() -> None:
    bench = open_bench("transcription", __doc__, add_options)
    cases = list(_KINDS) if bench.smoke else bench.options.cases.split(",")
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
    curve = [run for case, run in runs.items() if case.endswith("minutes")]
    if curve and "own-fold-0" in runs:
        summary["learning_curve"] = curve_of([*curve, runs["own-fold-0"]])
    if "speed" in runs:
        summary["speed"] = found = runs["speed"]
        targets.append(Target("tiny.en: real-time factor over an hour", found["long"]["factor"], "<=", _WANTED_FACTOR))
        if "pipeline" in found:
            beside = found["short"]["seconds"]["median"] / found["pipeline"]["seconds"]["median"]
            targets.append(Target("tiny.en: seconds over those of transformers' pipeline", beside, "<=", 1.0))
            worse = found["short"]["wer"] - found["pipeline"]["wer"]
            targets.append(Target("tiny.en: word error rate minus that of the pipeline", worse, "<=", 0.01))
        more = found["long"]["peak"] / found["short"]["peak"]
        targets.append(Target("memory of an hour over that of ten minutes", more, "<=", _FLAT))
    bench.settings = {"yesno": "every fifth recording tested", "prompts": "folds by a hash of what is said, all words",
                      "form": "assay.evaluation.spoken_text", "network": "Whisper tiny.en, 37.8 M"}  # fmt: skip
    packages = ["transformers", "jiwer", "pocketsphinx", "soundfile"]
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=packages, hidden=("told", "before"))


if __name__ == "__main__":
    main()
