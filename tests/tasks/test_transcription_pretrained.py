"""Transcription with a pretrained network: a tiny one of random weights stands for Whisper."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("soundfile")
pytest.importorskip("soxr")
pytest.importorskip("jiwer")
pytest.importorskip("transformers")

from assay.baselines.transcription_classical import transcription_baselines, why_none
from assay.check import check_task
from assay.evaluation.spoken_text import spoken
from assay.networks.speech_networks import speech_networks
from assay.networks.transcribing import transcribed
from assay.samples.transcript_spec import TranscriptSpec
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, open_source
from assay.task import NetworkKind, Settings, Situation
from assay.tasks.transcription import Transcription
from assay.training.plan import Plan
from speech_examples import write_sentences
from whisper_examples import write_whisper


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_whisper(tmp_path_factory.mktemp("whisper") / "tiny")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sentences(tmp_path_factory.mktemp("said") / "said", 48, long=1)


def built(folder: Path) -> Any:
    from assay.networks.speech_marks import HfSpeechSettings
    from assay.samples.tokens import pretrained
    from assay.samples.transcript_spec import TranscriptSpec

    spec = TranscriptSpec(pretrained(folder), 5.0, "en", plain=False)
    return spec, speech_networks(spec)[1].build(spec, HfSpeechSettings(str(folder))).eval()


class FromNothing(Transcription):
    """With rates of learning for random weights, which have far more to learn than those that learned before."""

    def networks(self, spec: TranscriptSpec) -> Sequence[NetworkKind]:
        return [replace(kind, recipe=partial(faster, kind.recipe)) for kind in super().networks(spec)]


def faster(recipe: Callable[[Situation], tuple[Settings, Plan]], situation: Situation) -> tuple[Settings, Plan]:
    settings, plan = recipe(situation)
    return settings, replace(plan, learning_rate=1e-2)


@pytest.mark.slow
def test_a_pretrained_network_fulfils_the_contract(said: Path, whisper: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    broken = write_sentences(tmp_path / "broken", 30, long=0)
    (broken / "003.wav").write_bytes(b"RIFF nothing")
    options, corrupt = DataOptions(network=f"hf/{whisper}"), [tmp_path / "empty", broken]
    results = check_task(FromNothing(), said, options, corrupt=corrupt, network=f"hf/{whisper}")
    bad = [(result.name, result.detail) for result in results if not result.ok]
    assert not bad, bad


@pytest.mark.slow
def test_an_export_hears_and_writes_what_the_network_does(
    command: Any, said: Path, whisper: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript")
    run, how = tmp_path / "run", ("--epochs", 2, "--evidence", "none", "--json")
    assert command("train", said, "--network", f"hf/{whisper}", "--out", run, *how).code == 0
    clip = next(said.glob("*.wav"))
    before = command("predict", run, clip, "--json").json
    exported = command("export", run, "--json")
    assert exported.code == 0, exported.err
    assert exported.json["parity"]["float"]["equal"] == 1.0
    assert {file.name for file in (run / "model").glob("*.onnx")} == {"model.onnx", "model.step.onnx"}
    after = command("predict", run, clip, "--json").json
    assert (after["text"], len(after["words"])) == (before["text"], len(before["words"]))


def test_a_transcript_too_long_for_the_network_is_told_and_left_out(said: Path, whisper: Path, tmp_path: Path) -> None:
    folder = tmp_path / "said"
    shutil.copytree(said, folder)
    rows = (folder / "said.csv").read_text(encoding="utf-8").splitlines()
    name, _, side = rows[1].split(",")
    rows[1] = f"{name},{'up down left right ' * 20},{side}"
    (folder / "said.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    task, options = Transcription(), DataOptions(network=f"hf/{whisper}")
    records = task.read(open_source(folder), options)
    spec = task.fit_spec(records, np.asarray(records.index()["split"].to_pylist()) == "train", options)
    assert spec.most_tokens == 60
    log, batch = ProblemLog(), next(iter(records.batches()))
    encoded = task.encode(batch, records, spec, log)
    lengths = [len(one) for one in encoded.fields["tokens"]]
    assert lengths[0] == 0 and all(0 < length <= 60 for length in lengths[1:48])
    told = {problem.kind: problem for problem in log.problems()}
    assert told["transcript-too-long-to-learn-from"].count == 1
    assert told["transcript-too-long-to-learn-from"].examples[0].file == name
    _, network = built(whisper)
    tokens = torch.from_numpy(np.resize(spec.tokenizer.encode_batch([" up"])[0], spec.most_tokens))[None]
    assert np.isfinite(float(network.losses(torch.randn(1, 16_000), None, tokens, None).detach()[0]))
    torch.manual_seed(0)
    (long,) = transcribed(network, torch.randn(1, 20 * 16_000), None, spec, {})  # it would write far more than 60
    assert 1 < long.tokens <= 61


def test_no_text_begins_with_what_the_network_never_begins_with(tmp_path: Path) -> None:
    torch.manual_seed(3)
    sound = 0.1 * torch.randn(2, 20_000)
    spec, network = built(write_whisper(tmp_path / "any", first=[0]))
    with torch.inference_mode():
        heard = network.heard(sound)
        logits = network._logits(heard, torch.zeros(2, 0, dtype=torch.int64))[:, 0, : network.marks.end + 1].clone()
    favourites = {*logits.argmax(dim=1).tolist(), network.marks.end}
    other_spec, other = built(write_whisper(tmp_path / "other", first=sorted(favourites)))
    with torch.inference_mode():
        logits[:, list(favourites)] = float("-inf")
    for row, one in enumerate(transcribed(other, sound, None, other_spec, {"words": 0})):
        first = spec.tokenizer.decode([int(logits[row].argmax())])
        assert one.text and one.text.startswith(first.strip())
    silent = transcribed(other, torch.zeros(1, 20_000), None, other_spec, {"words": 0})
    assert silent[0].text == ""


def test_a_pretrained_network_has_templates_beside_it(said: Path, whisper: Path) -> None:
    task, options = Transcription(), DataOptions(network=f"hf/{whisper}")
    records = task.read(open_source(said), options)
    train = np.asarray(records.index()["split"].to_pylist()) == "train"
    spec = task.fit_spec(records, train, options)
    assert {word for text in spec.sentences for word in text.split()} == {"up", "down", "left", "right"}
    assert all(text == spoken(text) for text in spec.sentences) and not spec.plain
    model, floor = transcription_baselines(spec)
    assert model.name.startswith("DTW") and floor.floor and why_none(spec) == ""
