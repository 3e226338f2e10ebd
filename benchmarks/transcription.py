"""Speech to text: spoken prompts with a fine-tuned Whisper and with a network from nothing."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _common import Bench, Json, Target, open_bench
from _speech import FOLDS, RATE, invented, prompts_folder
from _transcribed import of_folds, trained
from transcription_speed import random_whisper, whisper_folder

#: Minutes of training speech of the learning curve of the network from nothing; the first fold has all there is.
_MINUTES = (2.0, 4.0, 8.0)
_CASES = (
    *(f"whisper-fold-{fold}" for fold in range(FOLDS)),
    *(f"own-fold-{fold}" for fold in range(FOLDS)),
    *(f"own-{minutes:g}-minutes" for minutes in _MINUTES),
)
_WANTED_LESS = 0.30
_KINDS = ("whisper-fold-0", "own-fold-0", "own-2-minutes", "own-4-minutes")
_ASKED = (0.2, 0.1, 0.05)  # word error rates that the learning curve says the data for


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cases", default=",".join(_CASES), help="which of them, separated by commas")
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--whisper-budget", default="12m", help="the time of fitting of each fold")
    parser.add_argument("--own-budget", default="12m", help="the time of fitting of each fold from nothing")


def measure(bench: Bench, case: str, known: dict[str, Json]) -> Json:
    """One `assay train`, quick evidence and everything else included; of Whisper, also the network as it comes.

    Args:
        bench: the call.
        case: one of `_CASES`.
        known: takes what was measured; under `--smoke`, where all recordings are the same, a second network from
            nothing is not trained.
    """
    kind = case.partition("-")[0]
    same = "whisper" if kind == "whisper" else "own"
    if not (bench.smoke and same in known):
        known[same] = _measured(bench, case, kind)
    return {**known[same], "case": case}


def _measured(bench: Bench, case: str, kind: str) -> Json:
    options = bench.options
    budget = "2s" if bench.smoke else {"whisper": options.whisper_budget, "own": options.own_budget}[kind]
    fold = int(case.rpartition("-")[2]) if "fold" in case else 0
    minutes = float(case.split("-")[1]) if case.endswith("minutes") else None
    source = invented(bench.work) if bench.smoke else prompts_folder(bench.work, fold, minutes)
    whisper = (random_whisper(bench.work) if bench.smoke else whisper_folder()) if kind == "whisper" else None
    network = [] if whisper is None else ["--network", f"hf/{whisper}"]
    language = [] if bench.smoke else ["--language", "en"]
    found = trained(source, budget, options.seed, *network, *language)
    found["before"] = None if whisper is None else _as_it_comes(source, found["told"]["truth"], whisper)
    return found


def _as_it_comes(source: Path, truth: Json, whisper: Path) -> Json:
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


def main() -> None:
    bench = open_bench("transcription", __doc__, add_options)
    cases = list(_KINDS) if bench.smoke else bench.options.cases.split(",")
    known: dict[str, Json] = {}
    runs = {case: bench.piece(case, partial(measure, bench, case, known)) for case in cases}
    summary: Json = {}
    targets: list[Target] = []
    for kind in ("whisper", "own"):
        folds = [run for case, run in runs.items() if case.startswith(f"{kind}-fold-")]
        if folds:
            summary[kind] = of_folds(folds)
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
    bench.settings = {"prompts": "folds by a hash of what is said, all words",
                      "form": "assay.evaluation.spoken_text", "network": "Whisper tiny.en, 37.8 M"}  # fmt: skip
    packages = ["transformers", "jiwer", "pocketsphinx", "soundfile"]
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=packages)


if __name__ == "__main__":
    main()
