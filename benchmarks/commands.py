"""Spoken digits of six speakers: each speaker left out once, and a random split; SVM and DTW on the same clips."""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _command import run_assay
from _common import Bench, Json, Target, data_root, open_bench

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
#: On these alone the recipe was chosen, both left out at once (`docs/log.md`); the other four chose nothing.
CHOSEN_ON = ("jackson", "nicolas")
#: Of fitting; a fold may take five minutes in all.
_BUDGET, _WALL_S = "260s", 300.0
_BASELINE_S = 60.0
_WANTED = {"speakers": 0.93, "random": 0.985}
_WANTED_MS, _ASKED = 20.0, 60

# N clips, C classes


def add_options(parser: argparse.ArgumentParser) -> None:
    known = ",".join([*SPEAKERS, "random", "latency"])
    parser.add_argument("--cases", default=known, help=f"which trainings, separated by commas ({known})")
    parser.add_argument("--seed", default="0", help="of the trainings")
    parser.add_argument("--budget", default=_BUDGET, help=f"of fitting, for each training ({_BUDGET})")


def clips(bench: Bench) -> list[Path]:
    """All clips, named DIGIT_SPEAKER_NUMBER.wav, unpacked into the work folder."""
    folder = bench.work / "clips"
    if not folder.exists():
        folder.mkdir(parents=True)
        if bench.smoke:
            _write_tones(folder)
        else:
            with zipfile.ZipFile(data_root() / "fsdd" / "recordings.zip") as archive:
                for member in archive.namelist():
                    if member.endswith(".wav"):
                        (folder / Path(member).name).write_bytes(archive.read(member))
    return sorted(folder.glob("*.wav"))


def _write_tones(folder: Path) -> None:
    """Three words of two tones each, of every speaker: data for a smoke run."""
    import soundfile

    random = np.random.default_rng(0)
    for number, speaker in enumerate(SPEAKERS):
        for word in range(3):
            for take in range(6):
                pitch = np.linspace(400 * (word + 1), 1500 / (word + 1), 2400) * (1 + 0.05 * number)
                sound = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 8000) + random.normal(0, 0.01, 2400)
                soundfile.write(folder / f"{word}_{speaker}_{take}.wav", sound.astype(np.float32), 8000)


def table_of(bench: Bench, case: str) -> Path:
    """The clips with their words, and for a speaker that is left out with the sides."""
    file = bench.work / f"{case}.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        named = ("path", "label") if case == "random" else ("path", "label", "split")
        rows.writerow(named)
        for clip in clips(bench):
            word, speaker, _ = clip.stem.split("_")
            side = "test" if speaker == case else "train"
            rows.writerow([f"clips/{clip.name}", f"word {word}", side][: len(named)])
    return file


def measure(bench: Bench, case: str) -> Json:
    """One `assay train`, then both classical models on the same clips."""
    source = table_of(bench, case)
    budget = "2s" if bench.smoke else bench.options.budget
    with tempfile.TemporaryDirectory() as folder:
        done = run_assay("train", source, "--task", "voice-commands", "--target", "label", "--budget", budget, "--seed",
                         bench.options.seed, "--evidence", "none", "--json", "--out", Path(folder) / "run",
                         cache=Path(folder) / "cache")  # fmt: skip
        summary = done.json
        beside = classical(source, Path(folder) / "samples", 1.0 if bench.smoke else _BASELINE_S)
    return {"case": case, "budget": budget, "wall_s": done.wall_s, "fit_s": summary["seconds"],
            "accuracy": summary["metric"], "metrics": summary["metrics"], "samples": summary["samples"],
            "network": summary["network"], "classical": beside, "stages": dict(done.stages)}  # fmt: skip


def classical(source: Path, folder: Path, budget_s: float) -> Json:
    """The accuracy of the SVM and of the templates on the test side, and the seconds that they take."""
    from assay.baselines.dtw_templates import DtwTemplates
    from assay.baselines.mfcc_svm import MfccSvm
    from assay.flow import prepare
    from assay.registry import load_task
    from assay.samples.samples import build_samples
    from assay.samples.split import TEST, TRAIN, VALIDATION
    from assay.sources.source import DataOptions

    task, options = load_task("voice-commands"), DataOptions(task="voice-commands", target="label")
    made = prepare(source, options, task=task)
    spec = task.fit_spec(made.records, made.split.side == TRAIN, options)
    samples = build_samples(task, made.records, spec, made.split.side, folder=folder)
    test, found = samples.view(TEST), {}
    for name, kind in (("svm", MfccSvm), ("dtw", DtwTemplates)):
        model = kind(spec.target, spec.rate, spec.other)
        model.load_libraries()
        begun = time.perf_counter()
        note = model.fit(samples.view(TRAIN), samples.view(VALIDATION), budget_s, 0)
        fitted_s, begun = time.perf_counter() - begun, time.perf_counter()
        right = np.asarray(model.predict(test)).argmax(axis=1) == np.asarray(test.truths())
        found[name] = {"accuracy": float(right.mean()), "fit_s": fitted_s, "note": note,
                       "clip_ms": 1000 * (time.perf_counter() - begun) / len(right)}  # fmt: skip
    return found


def latency(bench: Bench) -> Json:
    """What the network computes for a single clip of a second, on one core."""
    import torch

    from assay.networks.sound_networks import sound_networks
    from assay.samples.sound_spec import ClipSpec
    from assay.targets.class_target import ClassTarget

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    found: Json = {}
    for rate in (8000, 16000):
        spec = ClipSpec(rate, 1.0, ClassTarget(tuple(map(str, range(11)))))
        kind = sound_networks(spec)[0]
        network = kind.build(spec, kind.settings()).eval()
        sound, taken = torch.randn(1, rate) / 10, []
        with torch.inference_mode():
            for _ in range(5 if bench.smoke else _ASKED):
                begun = time.perf_counter()
                network(sound)
                taken.append(1000 * (time.perf_counter() - begun))
        found[f"{rate} Hz"] = {"median_ms": statistics.median(taken[1:]), "most_ms": max(taken[1:]),
                               "parameters": sum(one.numel() for one in network.parameters())}  # fmt: skip
    torch.set_num_threads(before)
    return found


def listening(bench: Bench) -> Json:
    """What a listener computes for a second of sound, on one core, in blocks as a microphone and as a file give them.

    Once of words that stand alone, as often as they can be heard, and once of somebody who speaks all the time, of whom
    few windows are classified. Silence costs less than both. Noise stands for voices.
    """
    import torch

    from assay.listening import BLOCK_S, FILE_BLOCK_S

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    found: Json = {}
    for rate in (8000, 16000):
        for name, block_s in (("microphone", BLOCK_S), ("file", FILE_BLOCK_S)):
            for said in ("words", "speech"):
                sound = _said(said, rate, 7 if bench.smoke else 60)
                found[f"{rate} Hz, {name}, {said}"] = {"block_s": block_s, **_listened(sound, rate, block_s)}
    torch.set_num_threads(before)
    return found


def _said(kind: str, rate: int, seconds: int) -> Any:
    """(T,) words of half a second, 1.5 s apart; or four syllables a second."""
    at_s = np.arange(seconds * rate) / rate
    spoken = at_s % 1.5 < 0.5 if kind == "words" else np.sin(2 * np.pi * 4 * at_s) > 0
    loud = np.random.default_rng(0).standard_normal(len(at_s))
    return (0.2 * (0.02 + 0.98 * spoken) * loud).astype(np.float32)


def _listened(sound: Any, rate: int, block_s: float) -> Json:
    from assay.networks.sound_networks import sound_networks
    from assay.samples.sound_spec import OTHER, ClipSpec
    from assay.serving.predictor import Predictor
    from assay.targets.class_target import ClassTarget
    from assay.tasks.voice_commands import VoiceCommands

    spec = ClipSpec(rate, 1.0, ClassTarget((*map(str, range(10)), OTHER)))
    kind = sound_networks(spec)[0]
    network, windows = kind.build(spec, kind.settings()).eval(), []
    judge = network.judge

    def counted(energies: Any) -> Any:
        windows.append(len(energies))
        return judge(energies)

    network.judge = counted
    session = VoiceCommands().session(Predictor(VoiceCommands(), spec, network))
    size, taken = round(block_s * rate), []
    for start in range(0, len(sound) - size + 1, size):
        begun = time.perf_counter()
        session.push(sound[start : start + size])
        taken.append(1000 * (time.perf_counter() - begun) / block_s)
    settled = taken[max(1, round(2 / block_s)) :]
    return {"mean_ms": statistics.fmean(settled), "median_ms": statistics.median(settled),
            "windows_a_second": sum(windows) * rate / len(sound)}  # fmt: skip


def _mean(runs: dict[str, Json], speakers: Sequence[str], model: str) -> float | None:
    """The mean accuracy over speakers that were left out; None where one of them is missing."""
    if not all(speaker in runs for speaker in speakers):
        return None
    values = [runs[speaker]["accuracy"]["value"] if model == "network" else
              runs[speaker]["classical"][model]["accuracy"] for speaker in speakers]  # fmt: skip
    return statistics.fmean(values)


def main() -> None:
    bench = open_bench("commands", __doc__, add_options)
    cases = ["george", "random", "latency"] if bench.smoke else bench.options.cases.split(",")
    runs = {case: bench.piece(case, partial(measure, bench, case)) for case in cases if case != "latency"}
    unused = [speaker for speaker in SPEAKERS if speaker not in CHOSEN_ON]
    means = {model: {"all six": _mean(runs, SPEAKERS, model), "four that chose nothing": _mean(runs, unused, model)}
             for model in ("network", "svm", "dtw")}  # fmt: skip
    targets = [Target("speakers left out: mean accuracy", means["network"]["all six"], ">=", _WANTED["speakers"])]
    for case, run in runs.items():
        if case == "random":
            targets.append(Target("random: accuracy", run["accuracy"]["value"], ">=", _WANTED["random"]))
        targets.append(Target(f"{case}: seconds, everything included", run["wall_s"], "<=", _WALL_S))
    summary: Json = {"speakers left out": means}
    summary |= {case: {"accuracy": run["accuracy"], "svm": run["classical"]["svm"]["accuracy"],
                       "dtw": run["classical"]["dtw"]["accuracy"], "wall_s": run["wall_s"]}
                for case, run in runs.items()}  # fmt: skip
    if "latency" in cases:
        summary["latency"] = bench.piece("latency", partial(latency, bench))
        summary["listening"] = bench.piece("listening", partial(listening, bench))
        slowest = max(one["mean_ms"] for one in summary["listening"].values())
        targets.append(Target("a second of sound in a stream, on one core: ms", slowest, "<=", _WANTED_MS))
    bench.settings = {"split": "a speaker left out; random by content, 80/10/10", "budget": bench.options.budget,
                      "chosen on": list(CHOSEN_ON)}  # fmt: skip
    bench.finish(summary, targets, seeds=[int(bench.options.seed)], packages=["soundfile", "soxr"])


if __name__ == "__main__":
    main()
