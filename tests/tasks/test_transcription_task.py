"""Transcription as an application: the acceptance test, long recordings, partial answers, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("soundfile")
pytest.importorskip("soxr")
pytest.importorskip("jiwer")

import itertools

import assay
from assay.answer_files import part_names
from assay.check import check_task
from assay.errors import DataError, SettingError
from assay.evaluation.transcripts import Heard, Stretch, Transcript, Word
from assay.model import Model
from assay.samples.recording_windows import long_recordings
from assay.samples.speech_places import BANDS, stretches
from assay.serving.dictation import Dictation, gathered
from assay.serving.subtitles import srt, vtt
from assay.sources.records import ProblemLog
from assay.sources.source import DataOptions, open_source
from assay.tasks.transcription import Transcription
from speech_examples import RATE, sentence, write_sentences


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sentences(tmp_path_factory.mktemp("said") / "said", 48)


@pytest.fixture(scope="module")
def run(said: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assay.train(
        said, task="transcription", epochs=2, evidence="none", out=folder, settings={"depth": "1", "width": "32"}
    )
    return folder


@pytest.mark.slow
def test_it_fulfils_the_contract(said: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    broken = write_sentences(tmp_path / "broken", 30, long=0)
    (broken / "003.wav").write_bytes(b"RIFF nothing")
    (broken / "007.wav").write_bytes(b"")
    small = {"depth": "2", "width": "64"}
    results = check_task(Transcription(), said, corrupt=[tmp_path / "empty", broken], settings=small)
    bad = [(result.name, result.detail) for result in results if not result.ok]
    assert not bad, bad


def test_what_is_learned_before_the_first_step(said: Path) -> None:
    task, options = Transcription(), DataOptions(extra={"language": "de"})
    records = task.read(open_source(said), options)
    sides = np.asarray(records.index()["split"].to_pylist())
    spec = task.fit_spec(records, sides == "train", options)
    assert spec.language == "de" and spec.longest_s == 5 and len(spec.sentences) == (sides == "train").sum()
    assert task.spec_type.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    log, whole = ProblemLog(), next(iter(records.batches()))
    encoded = task.encode(whole, records, spec, log)
    tokens, rows = encoded.fields["tokens"], encoded.row
    texts = whole.column("target").to_pylist()
    counts = np.bincount(rows)
    assert counts[:48].tolist() == [1] * 48 and (counts[48:] > 5).all()
    for ids, row in zip(tokens, rows, strict=True):
        assert spec.tokenizer.decode(ids) == (texts[row] if row < 48 else "")
    assert [problem.kind for problem in log.problems()] == ["recording-too-long-to-learn-from"]
    with pytest.raises(SettingError, match="tokens"):
        task.fit_spec(records, sides == "train", DataOptions(extra={"tokens": "words"}))


def test_recordings_that_are_all_too_long_are_told(tmp_path: Path) -> None:
    folder = write_sentences(tmp_path / "long", 0, long=3)
    task = Transcription()
    records = task.read(open_source(folder), DataOptions())
    with pytest.raises(DataError, match="longer than 30 s"):
        task.fit_spec(records, np.ones(3, bool), DataOptions())


class Echo:
    """A task whose network tells the seconds of each window."""

    @staticmethod
    def predict(network: object, batch: object, spec: object, options: dict) -> list[Heard]:
        lengths = batch.mask.sum(dim=1).tolist()  # type: ignore[attr-defined]
        starts = batch.start.tolist()  # type: ignore[attr-defined]
        words = () if options.get("words") == 0 else (Word("so", 0.0, 0.1, 1.0),)
        return [Heard((Stretch(f"{length / 16000:.2f}", start, start + length / 16000, -1.0, 2, words),))
                for length, start in zip(lengths, starts, strict=True)]  # fmt: skip


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run's network hears in a window are the window's seconds."""
    monkeypatch.setattr(Transcription, "predict", staticmethod(Echo.predict))


class EchoTask(Transcription):
    """As `echo`, without patching."""

    predict = staticmethod(Echo.predict)  # type: ignore[assignment]


def dictation(**options: object) -> Dictation:
    from types import SimpleNamespace

    from assay.serving.predictor import Predictor

    spec = SimpleNamespace(longest_s=5.0)
    return Dictation(Predictor(EchoTask(), spec, torch.nn.Identity(), options))  # type: ignore[arg-type]


def test_partial_answers_come_before_final_ones() -> None:
    import soxr

    random = np.random.default_rng(0)
    sound = soxr.resample(sentence(["up", "down"] * 4, random), RATE, 16_000)
    sound = np.concatenate([sound, np.zeros(40_000, np.float32), sound])
    whole = dictation()
    expected = [*whole.push(sound), *whole.close()]
    small = dictation()
    given = [answer for start in range(0, len(sound), 777) for answer in small.push(sound[start : start + 777])]
    assert [*given, *small.close()] == expected
    final = [one for one in expected if one.final]
    assert len(final) >= 2 and len(expected) > len(final) + 1
    for one in final:
        assert one.words and one.end > one.start
    silent = dictation(partials=0)
    assert [*silent.push(sound), *silent.close()] == final
    text = gathered(final)
    assert text.text.split() == [one.text for one in final] and text.confidence == pytest.approx(np.exp(-0.5))
    with pytest.raises(SettingError):
        dictation(partials=-1)


def test_long_recordings_are_answered_while_they_are_read(run: Path, tmp_path: Path, echo: None) -> None:
    import soundfile

    random = np.random.default_rng(3)
    long = np.concatenate([sentence(["up", "left", "down"], random, 0.6) for _ in range(120)])
    assert len(long) > 300 * RATE
    soundfile.write(tmp_path / "long.wav", long, RATE)
    soundfile.write(tmp_path / "short.wav", long[: 20 * RATE], RATE)
    model = assay.load(run)
    records = model.task.read_inputs(open_source(tmp_path), model.spec)
    assert [name for name, _ in long_recordings(records, ProblemLog())] == ["long.wav"]
    found, _ = model.predictions(tmp_path, options={"beams": 1})
    assert [one.id for one in found] == ["long.wav", "short.wav"]
    lines = found[0].answer.segments
    assert len(lines) > 50 and found[0].answer.text.split() == [line.text for line in lines]
    assert all(line.start < line.end <= after.start + 1e-3 for line, after in itertools.pairwise(lines))
    heard = sum(line.end - line.start for line in lines)
    assert 0.8 * len(long) / RATE < heard <= len(long) / RATE and lines[-1].end <= len(long) / RATE + 0.1
    assert sum(float(line.text) for line in lines) == pytest.approx(heard, abs=0.01 * len(lines))


def test_a_damaged_long_recording_costs_no_other_its_answer(run: Path, tmp_path: Path) -> None:
    import soundfile

    random = np.random.default_rng(4)
    long = np.concatenate([sentence(["up", "left"], random, 1.0) for _ in range(160)])
    assert len(long) > 300 * RATE
    soundfile.write(tmp_path / "a.flac", long, RATE)
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) // 2])
    soundfile.write(tmp_path / "b.wav", np.where(np.arange(len(long)) % 1000 == 0, np.nan, long), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "c.wav", long[: 4 * RATE], RATE)
    model = assay.load(run)
    found, problems = model.predictions(tmp_path, options={"beams": 1})
    assert [one.id for one in found] == ["b.wav", "c.wav"]
    told = {problem.kind: (problem.action, problem.examples[0].file) for problem in problems}
    assert told["unreadable-input"] == ("skipped", "a.flac") and told["not-finite-samples"] == ("repaired", "b.wav")
    with pytest.raises(DataError, match="damaged"):
        model.predictions(tmp_path / "a.flac")


def test_answers_are_written_in_the_form_of_the_name(run: Path, said: Path, tmp_path: Path, command: Any) -> None:
    for name in ("x.srt", "x.vtt", "x.json", "x.csv", "x.txt"):
        done = command("predict", run, said / "049.wav", "--out", tmp_path / name, "--beams", "1")
        assert done.code == 0, done.err
    (row,) = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert {"id", "text", "confidence", "segments", "words"} <= set(row)
    assert (tmp_path / "x.srt").read_text(encoding="utf-8") == srt(row)
    assert (tmp_path / "x.vtt").read_text(encoding="utf-8") == vtt(row)
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").startswith("id,text,confidence\n049.wav,")
    assert (tmp_path / "x.txt").read_text(encoding="utf-8") == row["text"] + "\n"
    assert part_names(Transcript("", 1.0)) == {"segments", "words"}


def test_silence_has_the_columns_that_speech_has(run: Path, said: Path, tmp_path: Path, command: Any) -> None:
    import soundfile

    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    done = command("predict", run, tmp_path / "silent.wav", "--out", tmp_path / "x.csv")
    assert done.code == 0, done.err
    assert (tmp_path / "x.csv").read_text(encoding="utf-8").startswith("id,text,confidence\nsilent.wav,,")
    told = command("predict", run, tmp_path / "silent.wav")
    assert told.out.count("\t") == 2


def test_several_answers_for_one_file_are_refused_before_the_work(
    run: Path, said: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it went to work")

    monkeypatch.setattr(Model, "predictions", never)
    for inputs in ((said / "001.wav", said / "002.wav"), (said,)):
        two = command("predict", run, *inputs, "--out", tmp_path / "two.srt")
        assert two.code == 1 and "one answer" in two.err and not (tmp_path / "two.srt").exists()


def bad_recording(folder: Path, kind: str) -> tuple[Path, float]:
    """A recording with something wrong about it, and its seconds."""
    import soundfile

    speech = sentence(["up", "down"], np.random.default_rng(0))
    file, seconds = folder / ("x.mp3" if kind == "name" else "x.wav"), len(speech) / RATE
    match kind:
        case "empty":
            file.write_bytes(b"")
        case "tiny":
            soundfile.write(file, speech[:80], RATE)
            seconds = 80 / RATE
        case "silent":
            soundfile.write(file, np.zeros(400 * RATE), RATE)
        case "loud":
            soundfile.write(file, np.clip(speech * 100, -1, 1), RATE)
        case "nan":
            soundfile.write(file, np.where(np.arange(len(speech)) % 1000 == 0, np.nan, speech), RATE, subtype="FLOAT")
        case "fast":
            soundfile.write(file, np.repeat(speech, 24), 24 * RATE)
        case "channels":
            soundfile.write(file, np.stack([speech] * 8, axis=1), RATE)
        case "name":
            soundfile.write(folder / "y.wav", speech, RATE)
            (folder / "y.wav").rename(file)
    return file, seconds


@pytest.mark.parametrize(("kind", "told"), [
    ("tiny", {"short-recording"}), ("loud", {"clipped-recording"}), ("nan", {"not-finite-samples"}), ("fast", set()),
    ("channels", set()), ("name", {"mislabelled-file"}),
])  # fmt: skip
def test_bad_recordings_are_heard_and_told(run: Path, tmp_path: Path, kind: str, told: set[str], echo: None) -> None:
    file, seconds = bad_recording(tmp_path, kind)
    (found,), problems = assay.load(run).predictions(file)
    assert float(found.answer.text) == pytest.approx(seconds, abs=0.011)
    assert {problem.kind for problem in problems} >= told and (told or not problems)


def test_where_nothing_can_be_heard_nothing_is_said(run: Path, tmp_path: Path) -> None:
    model = assay.load(run)
    for kind in ("silent", "tiny"):
        (answer,) = model.predict(bad_recording(tmp_path, kind)[0])
        assert answer.text == "" and not answer.words and not answer.segments and 0 <= answer.confidence <= 1
    with pytest.raises(DataError):
        model.predict(bad_recording(tmp_path, "empty")[0])


def test_what_is_understood_so_far_is_told_while_a_recording_is_listened_to(
    run: Path, said: Path, command: Any, echo: None
) -> None:
    file = said / "048.wav"
    done = command("listen", run, "--wav", file, "--json", "--beams", "1", "--partials", "0.5")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["final"] for row in rows].count(False) > 5 and any(row["final"] for row in rows)
    assert all({"text", "start", "end", "words", "actions"} <= set(row) for row in rows)
    told = command("listen", run, "--wav", file, "--beams", "1", "--partials", "0")
    lines = [line.split("\t") for line in told.out.splitlines()]
    assert [line[0] for line in lines] == [row["text"] for row in rows if row["final"]]
    assert all(len(line) == 6 and "[" not in line for line in lines)
    refused = command("predict", run, file, "--partials", "1")
    assert refused.code == 1 and "--partials" in refused.err and "assay listen" in refused.err


def test_recordings_are_seen_and_heard_on_the_page(said: Path, tmp_path: Path) -> None:
    import base64
    import io

    import soundfile

    from assay.samples.samples import build_samples

    task = Transcription()
    records = task.read(open_source(said), DataOptions())
    train = np.asarray(records.index()["split"].to_pylist()) == "train"
    spec = task.fit_spec(records, train, DataOptions())
    samples = build_samples(task, records, spec, np.zeros(len(train), np.int8), folder=tmp_path / "samples")

    def seconds(audio: str | None) -> float:
        assert audio is not None and audio.startswith("data:audio/")
        return soundfile.info(io.BytesIO(base64.b64decode(audio.partition(",")[2]))).duration

    shortest = task.amount(samples, np.arange(48), spec)
    lengths = [soundfile.info(said / f"{number:03}.wav").duration for number in range(48)]
    assert shortest.value == pytest.approx(sum(lengths) / 60, rel=0.02)
    assert task.amount(samples, np.arange(50), spec).value == pytest.approx(shortest.value, rel=0.02)
    assert task.amount(samples, np.asarray([48, 49]), spec).value == 0  # too long to learn from

    short, long = task.draw(samples, 1, spec), task.draw(samples, 48, spec)
    length = soundfile.info(said / "001.wav").duration
    assert short.image and short.lines == ("001.wav", f"seconds: {length:.1f}")
    assert seconds(short.audio) == pytest.approx(length, abs=0.2) and seconds(long.audio) == pytest.approx(30, abs=0.2)
    windows = samples.view_of(np.asarray([48])).windows
    sound = samples.field("sound", windows[2:3])[0]
    grid = np.linspace(-0.5, 0.5, BANDS * stretches(len(sound))).reshape(BANDS, -1)
    weights = np.pad(grid, ((0, 0), (0, 3)), constant_values=np.nan)
    names = task.part_names(samples, int(windows[2]), spec)
    begin = float(samples.field("start", windows[2:3])[0])
    assert len(names) == grid.size and names[0].startswith(f"{begin:.2f} to ")
    drawn = task.draw_explained(samples, 48, weights, spec, int(windows[2]))
    assert drawn.image and drawn.image != long.image
    assert seconds(drawn.audio) == pytest.approx(len(sound) / 16_000, abs=0.2)
    other = task.draw_explained(samples, 48, -weights, spec, int(windows[2]))
    assert other.image != drawn.image
