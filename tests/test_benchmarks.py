"""The benchmarks run, keep what they measured, and search and compare as they say."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from programs import run_file, told
from real_data import DATA

FOLDER = Path(__file__).parent.parent / "benchmarks"
NAMES = sorted(
    file.relative_to(FOLDER).with_suffix("").as_posix()
    for file in FOLDER.rglob("*.py")
    if not file.stem.startswith("_")
)
_ALL = ("psutil", "torch", "sklearn", "lightgbm", "PIL")
_PEERS = {
    "time_to_90": ("fastai", "keras", "torchvision"),
    "bccd": ("timm", "torchvision"),
    "road_signs": ("timm", "torchvision"),
    "videos": ("timm", "torchvision", "cv2"),
    "cats_dogs": ("timm", "torchvision"),
    "dsb2018_masks": ("timm", "torchvision"),
    "cell_slides": ("skimage", "scipy", "tifffile"),
    "crc_nuclei": ("skimage", "scipy"),
    "dsb2018_cells": ("skimage", "scipy"),
    "car_racing": ("gymnasium", "Box2D", "pygame"),
    "commands": ("soundfile", "soxr"),
    "stream": ("soundfile", "soxr", "scipy"),
    "transcription": ("soundfile", "soxr", "jiwer", "tokenizers", "transformers"),
    "serving": ("fastapi", "uvicorn", "httpx", "onnxruntime", "onnxscript"),
    "security": ("fastapi", "uvicorn", "httpx", "soundfile", "soxr", "tokenizers"),
    "unlike": ("pandas",),
    "yesno": ("soundfile", "soxr", "jiwer"),
    "export_parity": ("onnx", "onnxruntime", "onnxscript"),
    "run_extra": ("onnx", "onnxruntime", "onnxscript"),
    "resize_in_graph": ("onnx", "onnxruntime"),
    "transcription_speed": ("soundfile", "soxr", "jiwer", "tokenizers", "transformers"),
    "sentences": ("tokenizers",),
    "tuning": ("optuna",),
    "cluster": ("ray", "pandas", "fsspec", "optuna"),
    "studio": ("fastapi", "uvicorn", "playwright", "onnxscript", "tokenizers"),
    "questions": ("tokenizers",),
    "shakespeare": ("tokenizers",),
    "translation": ("tokenizers", "sacrebleu", "transformers", "accelerate"),
}
#: Data that a smoke run reads, too, below `ASSAY_DATA`.
_DATA = {"shakespeare": "tiny_shakespeare/input.txt"}


def _missing(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is None]


#: Run as a user runs them: one of each folder, and one with libraries that change others where they are imported. The
#: others run in the process of the tests, which has imported what they need.
_PROCESSES = ("startup", "time_to_90", "truth/baseline")
#: What these measure is a process' end or its memory: `assay` has one of its own.
_OF_PROCESSES = ("cell_slides", "kill_resume", "memory", "streaming", "videos")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_runs_on_tiny_data(name: str, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing := _missing(_ALL + _PEERS.get(name, ())):
        pytest.skip(f"needs {', '.join(missing)}")
    data = DATA / _DATA.get(name, "")
    if not data.exists() and name in _DATA:
        pytest.skip(f"needs {_DATA[name]} in ASSAY_DATA")
    if name == "studio" and not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("needs Chromium")
    if name in ("memory", "streaming") and not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    file, words = FOLDER / f"{name}.py", ("--smoke", "--results", str(tmp_path))
    if name in _PROCESSES:
        done = subprocess.run([sys.executable, str(file), *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    else:
        monkeypatch.syspath_prepend(str(FOLDER))
        if name not in _OF_PROCESSES:
            run_in_this_process(command, monkeypatch)
        ended = run_file(file, *words)
        assert ended.code == 0, ended.err
    result = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    assert result["smoke"] and result["pieces"] and result["summary"]
    assert {"processor", "cores", "memory_gb", "system"} <= result["machine"].keys()
    assert {"python", "assay", "torch"} <= result["versions"].keys()
    assert not (tmp_path / ".partial" / f"{name}-smoke").exists()
    if name in ("loop_overhead", "kill_resume"):
        assert result["summary"]["equal"] is True


def run_in_this_process(command: Any, patch: pytest.MonkeyPatch) -> None:
    """Let what a benchmark runs as `assay …` or as `python FILE …` run without a process of its own."""
    from assay import demo

    module = importlib.import_module("_command")
    plain = subprocess.run

    def run_assay(*words: object, cache: Path | None = None, program: Any = module.ASSAY) -> Any:
        begun = time.perf_counter()
        with pytest.MonkeyPatch.context() as inner:
            if cache is not None:
                inner.setenv("ASSAY_CACHE", str(cache))
            inner.setattr(demo, "DEMOS", dict(demo.DEMOS))
            code = program[2:]  # of `python -m assay`, or of `python -c CODE`
            done = command(*words) if program == module.ASSAY else told(lambda: exec(*code, {}), "-c", *words)
        if done.code:
            raise SystemExit(f"assay {' '.join(map(str, words))} ended with {done.code}:\n{done.err}")
        listener = module._Listener(io.StringIO(done.err))
        listener.run()
        return module.Finished(time.perf_counter() - begun, done.out, dict(listener.stages), {})

    def run(words: Any, *rest: Any, **how: Any) -> Any:
        if words[0] != sys.executable or not words[1].endswith(".py"):
            return plain(words, *rest, **how)
        done = run_file(Path(words[1]), *words[2:])
        if how.get("check") and done.code:
            raise subprocess.CalledProcessError(done.code, words, done.out, done.err)
        return subprocess.CompletedProcess(words, done.code, done.out, done.err)

    patch.setattr(module, "run_assay", run_assay)
    patch.setattr(subprocess, "run", run)


@pytest.fixture
def common(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("_common")


def test_what_was_measured_is_not_measured_again(common: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["x.py", "--results", str(tmp_path)])
    calls: list[str] = []

    def measure(key: str) -> Any:
        calls.append(key)
        if calls.count(key) == 1 and key == "second":
            raise KeyboardInterrupt
        return {"value": len(calls)}

    with pytest.raises(KeyboardInterrupt):
        for key in ("first", "second"):
            common.open_bench("x", "A benchmark.").piece(key, lambda key=key: measure(key))
    bench = common.open_bench("x", "A benchmark.")
    for key in ("first", "second"):
        bench.piece(key, lambda key=key: measure(key))
    assert calls == ["first", "second", "second"]
    bench.finish({"done": True})
    assert set(json.loads((tmp_path / "x.json").read_text())["pieces"]) == {"first", "second"}
    assert not (tmp_path / ".partial" / "x").exists()
    monkeypatch.setattr(sys, "argv", ["x.py", "--results", str(tmp_path), "--add"])
    added = common.open_bench("x", "A benchmark.")
    assert added.piece("second", lambda: measure("second")) == {"value": 3}
    assert added.piece("third", lambda: measure("third")) == {"value": 4}


def test_rounds_turn_their_order(common: Any) -> None:
    assert list(common.interleaved(["a", "b"], 3)) == [(0, "a"), (0, "b"), (1, "b"), (1, "a"), (2, "a"), (2, "b")]


def test_an_unmeasured_target_is_neither_met_nor_missed(common: Any) -> None:
    assert common.Target("x", None, ">=", 1.0).met is None
    assert common.Target("x", 1.0, ">=", 1.0).met is True
    assert common.Target("x", 1.0, ">", 1.0).met is False


@pytest.mark.parametrize(("needed", "start"), [(0.35, 1.0), (2.0, 0.5), (0.5, 0.5), (0.125, 0.25), (99.0, 4.0)])
def test_the_walk_finds_the_shortest_schedule(common: Any, needed: float, start: float) -> None:
    time_to_90 = importlib.import_module("time_to_90")
    rules = time_to_90.Rules(0.9, time_to_90.GRID, (), 0.5, 15, (0, 1, 2), (), 0, False)
    asked: list[float] = []

    def answer(name: str, request: Any) -> Any:
        epochs = request[1]["epochs"]
        asked.append(epochs)
        return {"accuracy": 0.91 if epochs >= needed else 0.89, "train_s": epochs, "prepare_s": 0.0}

    found = time_to_90.take_turns({"x": time_to_90.shortest("x", start, rules, tune=False)}, answer)["x"]
    assert found["reached"] is (needed < 99)
    assert found.get("epochs") == (needed if needed < 99 else None)
    assert all(asked.count(epochs) <= 3 for epochs in asked)


def test_a_contestant_has_a_process_of_its_own(common: Any) -> None:
    pytest.importorskip("sklearn")
    asked = {"epochs": 1, "seed": 0, "goal": 0.0, "smoke": True}
    answer = importlib.import_module("time_to_90").in_process("hist-gradient-boosting", asked)
    assert answer["asked"] == asked
    assert answer["train_s"] > 0 and 0 <= answer["accuracy"] <= 1


def test_the_answers_of_several_splits_are_compared_by_row(common: Any) -> None:
    pytest.importorskip("lightgbm")
    tables = importlib.import_module("tables")
    ids, truths = [f"row {number}" for number in range(40)], [number % 2 for number in range(40)]
    wrong = [1 - truth for truth in truths[:15]] + truths[15:]
    answers = {"network": truths, "LightGBM": wrong, "linear": truths, "LightGBM, its defaults": wrong}
    run = {"metric": "accuracy", "ids": ids, "truths": truths, "answers": answers}
    found = tables.pooled([run, run])
    assert found["pooled"]["LightGBM"]["value"] == pytest.approx(25 / 40)
    winners = {name: other["winner"] for name, other in found["network minus"].items()}
    assert winners == {"LightGBM": "network", "linear": "tie", "LightGBM, its defaults": "network"}


def test_no_text_of_a_prompt_is_on_two_sides(common: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("inflect")
    speech = importlib.import_module("_speech")
    said = [(f"{number}.flac", f"Text number {number // 3}{'.' * (number % 3)}", 30.0) for number in range(240)]
    monkeypatch.setattr(speech, "prompts", lambda: said)
    monkeypatch.setattr(speech, "linked", lambda *_: None)
    for fold in range(speech.FOLDS):
        with (speech.prompts_folder(tmp_path, fold) / "transcripts.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        sides: dict[str, set[str]] = {}
        for row in rows:
            sides.setdefault(row["text"].rstrip("."), set()).add(row["split"])
        assert len(rows) == 240 and all(len(found) == 1 for found in sides.values())
        assert {side for found in sides.values() for side in found} == {"train", "validation", "test"}
    rows = (speech.prompts_folder(tmp_path, 0, 4.0) / "transcripts.csv").read_text(encoding="utf-8").splitlines()
    assert sum(row.endswith(",train") for row in rows) == 8


def test_the_learning_curve_says_how_much_more_speech_it_takes(common: Any) -> None:
    pytest.importorskip("jiwer")
    module = importlib.import_module("transcription")
    truth = {f"{number:03}": "one two three four five six seven eight nine ten" for number in range(200)}

    def run(minutes: float, rate: float) -> Any:
        """A share `rate` of all words wrong, which is a power of the minutes."""
        random = np.random.default_rng(int(minutes))
        texts = {name: " ".join("x" if random.random() < rate else word for word in text.split())
                 for name, text in truth.items()}  # fmt: skip
        return {"minutes": minutes, "wer": {"value": rate}, "told": {"truth": truth, "text": texts}}

    found = module.curve_of([run(minutes, 0.8 * minutes**-0.5) for minutes in (2.0, 4.0, 8.0, 16.0)])
    assert found["slope"]["low"] < 0.5 < found["slope"]["high"] and abs(found["slope"]["value"] - 0.5) < 0.1
    needed = found["minutes_needed"]
    # At 16 minutes 20 % are wrong, within chance; a tenth takes about four times as much, more since curves flatten.
    assert needed["0.2"]["value"] < 20 and 50 < needed["0.1"]["value"] < 150
    assert needed["0.1"]["low"] < needed["0.1"]["value"] and needed["0.05"]["value"] > 2 * needed["0.1"]["value"]
    assert found["with_twice_the_speech"]["value"] < 0.2


def test_what_is_done_is_timed_by_the_clock_from_the_sound_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numpy as np

    from assay.serving.listening import Heard

    monkeypatch.syspath_prepend(str(FOLDER))
    real_time = importlib.import_module("_real_time")

    class Session:
        rate_hz, commands = 8000, ("on", "off")

        def push(self, block: np.ndarray) -> list[Heard]:
            return [Heard("off", 0.9, 0.0, 0.1, 0.2)] if block[0] > 0 else []

        def close(self) -> list[Heard]:
            return []

    sound = np.zeros(4800, np.float32)
    sound[2400] = 1.0
    ((command, at_s),) = real_time.acted_on(Session(), sound, 0.1, tmp_path)
    assert command == "off"
    assert at_s >= 0.4  # the block's end, not its beginning
