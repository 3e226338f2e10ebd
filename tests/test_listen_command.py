"""`assay listen`: what it prints, what it does, and how it refuses."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import assay
import assay.errors
from assay import registry
from fakes import tones
from programs import complains

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed")
WORDS = [("low", 1.0), ("high", 3.0), ("low", 5.0)]


@pytest.fixture(scope="module", autouse=True)
def known() -> Iterator[None]:
    """The fake task stands in the registry."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.BUILT_IN, "tones", "fakes.tones:Tones")
        yield


@pytest.fixture(scope="module")
def run(known: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "tones"
    assay.train(tones.examples(), task="tones", epochs=12, evidence="none", out=folder)
    return folder


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stereo at another rate, 7 s."""
    file = tmp_path_factory.mktemp("sounds") / "words.wav"
    sound = tones.mixed(WORDS, 7.0)
    double = np.repeat(sound, 2)  # 16 kHz; what is above 4 kHz is filtered out again
    soundfile.write(file, np.stack([double, double], axis=1), 16_000)
    return file


def test_a_recording_as_text_and_as_json(command: Any, run: Path, wav: Path) -> None:
    result = command("listen", run, "--wav", wav, "--json")
    assert result.code == 0, result.err
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["command"] for row in rows] == [kind for kind, _ in WORDS]
    for row, (_, at_s) in zip(rows, WORDS, strict=True):
        assert set(row) == {"format", "command", "confidence", "start_s", "end_s", "at_s", "actions"}
        assert row["format"] == 1
        assert row["actions"] == []
        assert row["start_s"] == pytest.approx(at_s, abs=0.1)
        assert at_s < row["at_s"] < at_s + 0.55
    assert "3 answers in 7.0 s of sound" in result.err
    told = command("listen", run, "--wav", wav).out.splitlines()
    assert [line.split("\t")[0] for line in told] == [kind for kind, _ in WORDS]


def test_commands_do_what_the_file_says(command: Any, run: Path, wav: Path, tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'a').write(sys.argv[2])"
    file = tmp_path / "actions.toml"
    listed = ", ".join(f"'''{word}'''" for word in (sys.executable, "-c", code, tmp_path / "log", "; x"))
    file.write_text(f"[actions.lamp]\ncommand = 'low'\nmost_per_minute = 1\nrun = [{listed}]\n")
    dry = command("listen", run, "--wav", wav, "--actions", file, "--dry-run", "--json")
    assert [json.loads(line)["actions"] for line in dry.out.splitlines()] == [
        [{"action": "lamp", "status": "dry run"}], [], [{"action": "lamp", "status": "limited"}]]  # fmt: skip
    assert "lamp: would run" in dry.err
    assert not (tmp_path / "log").exists()
    wet = command("listen", run, "--wav", wav, "--actions", file)
    assert wet.code == 0, wet.err
    assert wet.out.splitlines()[0].endswith("\tlamp: queued")
    assert "lamp: done in" in wet.err
    assert (tmp_path / "log").read_text() == "; x"


def test_the_threshold_can_be_chosen(command: Any, run: Path, wav: Path) -> None:
    assert command("listen", run, "--wav", wav, "--threshold", 1).out == ""
    complains(command("listen", run, "--wav", wav, "--threshold", 2), "--threshold 2")


def test_the_help_names_options_of_answers_and_not_of_data(command: Any) -> None:
    told = " ".join(command("listen", "--help").out.split())
    assert "--beams" in told and "--image-size" not in told


def test_a_session_in_python(run: Path) -> None:
    session = assay.load(run).session({"threshold": 0.6})
    assert (session.rate_hz, tuple(session.commands)) == (tones.RATE_HZ, ("high", "low"))
    sound = tones.mixed(WORDS, 7.0)
    heard = [one for start in range(0, len(sound), 1000) for one in session.push(sound[start : start + 1000])]
    assert [one.command for one in [*heard, *session.close()]] == [kind for kind, _ in WORDS]


def test_what_cannot_be_listened_to(command: Any, run: Path, wav: Path, tmp_path: Path, wine_run: Any) -> None:
    complains(command("listen", run), "nothing to listen to", "--wav FILE or --microphone")
    complains(command("listen", run, "--wav", wav, "--microphone"), "two things")
    complains(command("listen", run, "--wav", wav, "--input", "1"), "--input")
    complains(command("listen", run, "--wav", wav, "--dry-run"), "--dry-run", "--actions")
    complains(command("listen", run, "--wav", tmp_path / "none.wav"), "none.wav", "not there")
    complains(command("listen", run, "--wav", tmp_path), str(tmp_path))
    (tmp_path / "text.wav").write_text("no sound")
    complains(command("listen", run, "--wav", tmp_path / "text.wav"), "text.wav")
    (tmp_path / "empty.wav").write_bytes(b"")
    complains(command("listen", run, "--wav", tmp_path / "empty.wav"), "empty.wav")
    complains(command("listen", wine_run[0], "--wav", wav), "table", "while input arrives")
    complains(command("listen", tmp_path, "--wav", wav), "not a run")


def said(command: Any, run: Path, file: Path) -> tuple[list[str], str]:
    """The commands that are heard in a recording, and what is told beside them."""
    result = command("listen", run, "--wav", file, "--json")
    assert result.code == 0, result.err
    return [json.loads(line)["command"] for line in result.out.splitlines()], result.err


def test_odd_recordings_are_heard_and_what_is_doubtful_is_told(command: Any, run: Path, tmp_path: Path) -> None:
    words = [kind for kind, _ in WORDS]
    sound = tones.mixed(WORDS, 7.0)
    file = tmp_path / "take.wav"
    soundfile.write(file, np.clip(4 * sound, -1, 1), tones.RATE_HZ)
    heard, told = said(command, run, file)
    assert heard == words
    assert "take.wav: clipped-recording (kept)" in told
    high = np.repeat(sound, 192_000 // tones.RATE_HZ)
    eight = np.zeros((len(high), 8), np.float32)
    eight[:, 3] = 8 * high
    soundfile.write(file, eight, 192_000, subtype="FLOAT")
    assert said(command, run, file)[0] == words
    holes = sound.copy()
    holes[[3, 20_000]] = [np.nan, np.inf]
    soundfile.write(file, holes, tones.RATE_HZ, subtype="FLOAT")
    heard, told = said(command, run, file)
    assert heard == words and "not-finite-samples (repaired)" in told
    soundfile.write(file, sound[:80], tones.RATE_HZ)  # 0.01 s
    heard, told = said(command, run, file)
    assert heard == [] and "0 answers in 0.0 s" in told
    soundfile.write(file, np.zeros(16_000), tones.RATE_HZ)
    heard, told = said(command, run, file)
    assert heard == [] and "silent-recording" in told
    soundfile.write(file, sound, tones.RATE_HZ)
    file.write_bytes(file.read_bytes()[: 44 + 2 * 4 * tones.RATE_HZ])  # its header promises 7 s, and there are 4
    heard, told = said(command, run, file)
    assert heard == words[:2] and "truncated-recording (kept)" in told


def test_what_is_before_the_damage_is_heard_and_done(command: Any, run: Path, tmp_path: Path) -> None:
    file, actions = tmp_path / "long.flac", tmp_path / "actions.toml"
    words = [("low", 1.0), ("high", 3.0), ("low", 20.0), ("high", 50.0)]
    soundfile.write(file, tones.mixed(words, 60.0), tones.RATE_HZ)
    whole = file.read_bytes()
    hole = len(whole) // 2
    file.write_bytes(whole[:hole] + bytes(20_000) + whole[hole + 20_000 :])
    code = "import sys; open(sys.argv[1], 'a').write('x')"
    listed = ", ".join(f"'''{word}'''" for word in (sys.executable, "-c", code, tmp_path / "log"))
    actions.write_text(f"[actions.lamp]\ncommand = 'low'\nrun = [{listed}]\n")
    result = command("listen", run, "--wav", file, "--actions", actions, "--json")
    assert [json.loads(line)["command"] for line in result.out.splitlines()] == ["low", "high", "low"]
    complains(result, "long.flac", "damaged", "seconds behind its start")
    assert (tmp_path / "log").read_text() == "xx"


@pytest.mark.slow
def test_an_hour(command: Any, run: Path, tmp_path: Path) -> None:
    file, quiet = tmp_path / "hour.wav", tones.mixed([], 60.0)
    with soundfile.SoundFile(file, "w", tones.RATE_HZ, 1, "PCM_16") as out:
        for minute in range(60):
            out.write(tones.mixed([("high", 30.0)], 60.0) if minute in (0, 59) else quiet)
    heard, told = said(command, run, file)
    assert heard == ["high", "high"] and "3600.0 s of sound" in told


def test_a_file_of_actions_that_is_wrong(command: Any, run: Path, wav: Path, tmp_path: Path) -> None:
    file = tmp_path / "actions.toml"
    file.write_text('[actions.a]\ncommand = "hihg"\nurl = "http://localhost/"\n')
    complains(command("listen", run, "--wav", wav, "--actions", file), "actions.toml", "actions.a.command", "'high'")
    file.write_text('[actions.a]\ncommand = "high"\nurll = "http://localhost/"\n')
    complains(command("listen", run, "--wav", wav, "--actions", file), "actions.toml", "actions.a", "'url'")
    complains(command("listen", run, "--wav", wav, "--actions", tmp_path / "no.toml"), "no.toml", "docs/listen.md")


# Microphones ----------------------------------------------------------------------------------------------------------


class FakeMicrophones:
    """What sounddevice gives: one microphone that knows 16 kHz alone, and so many channels alone, or none."""

    class PortAudioError(Exception):
        pass

    def __init__(self, sound: np.ndarray | None, rate_hz: int = 16_000, channels: int = 1) -> None:
        self._sound, self._rate_hz, self._channels = sound, rate_hz, channels

    def query_devices(self, device: Any = None, kind: str | None = None) -> Any:
        one = {"name": "USB ear", "max_input_channels": self._channels, "default_samplerate": float(self._rate_hz)}
        if kind is None:
            return [] if self._sound is None else [{"name": "speaker", "max_input_channels": 0}, one]
        if self._sound is None or device not in (None, 1, "USB"):
            raise (self.PortAudioError("Error querying device -1") if device is None
                   else ValueError(f"No input device matching {device!r}"))  # fmt: skip
        return one

    def check_input_settings(self, samplerate: float, channels: int, **_: Any) -> None:
        if samplerate != self._rate_hz:
            raise self.PortAudioError("Invalid sample rate")
        if channels != self._channels:
            raise self.PortAudioError("Invalid number of channels")

    def InputStream(self, blocksize: int, callback: Any, samplerate: int, channels: int, **_: Any) -> Any:
        self.check_input_settings(samplerate, channels)
        sound = self._sound

        class Status:
            input_overflow = False

        class Stream:
            def start(self) -> None:
                assert sound is not None
                for start in range(0, len(sound), blocksize):
                    block = np.repeat(sound[start : start + blocksize, None], channels, axis=1)
                    block[:, 1:] = 0  # only one of its capsules hears anything
                    callback(block, blocksize, None, Status())

            def close(self) -> None:
                pass

        return Stream()


def test_a_microphone(command: Any, run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("soxr", reason="soxr is not installed")
    sound = np.repeat(tones.mixed(WORDS, 7.0), 2)
    monkeypatch.setitem(sys.modules, "sounddevice", FakeMicrophones(sound))
    monkeypatch.setattr("assay.sources.microphone._SILENT_S", 0.5)
    result = command("listen", run, "--microphone", "--input", "USB", "--json")
    rows = [json.loads(line) for line in result.out.splitlines()]
    assert [row["command"] for row in rows] == [kind for kind, _ in WORDS]
    complains(result, "gives no more sound")  # what happens when it is pulled out


@pytest.mark.parametrize("wanted_hz", [16_000, 8_000])
def test_a_microphone_that_cannot_give_one_channel(monkeypatch: pytest.MonkeyPatch, wanted_hz: int) -> None:
    pytest.importorskip("soxr", reason="soxr is not installed")
    from assay.sources.microphone import microphone_blocks

    sound = np.sin(np.arange(16_000, dtype=np.float32) / 20)
    monkeypatch.setitem(sys.modules, "sounddevice", FakeMicrophones(sound, channels=2))
    monkeypatch.setattr("assay.sources.microphone._SILENT_S", 0.2)
    found = []
    with pytest.raises(assay.errors.DataError, match="no more sound"):
        for block in microphone_blocks(wanted_hz):
            found.append(block)
    heard = np.concatenate(found)
    expected = sound[:: 16_000 // wanted_hz] / 2
    assert len(heard) > 0.9 * len(expected)
    assert np.abs(heard - expected[: len(heard)])[500:-500].max() < 0.01


def test_a_machine_that_is_too_slow_says_what_it_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    from assay.sources.microphone import microphone_blocks

    sound = np.arange(20 * 16_000, dtype=np.float32)
    monkeypatch.setitem(sys.modules, "sounddevice", FakeMicrophones(sound))
    told: list[str] = []
    blocks = microphone_blocks(16_000, tell=told.append)
    kept = [next(blocks) for _ in range(100)]
    assert np.array_equal(np.concatenate(kept), sound[: 10 * 16_000])
    assert told == ["10.0 s of sound were lost: this machine is too slow"]


def test_a_microphone_that_is_not_there(command: Any, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", FakeMicrophones(None))
    complains(command("listen", run, "--microphone"), "no microphone", "--wav FILE")
    monkeypatch.setitem(sys.modules, "sounddevice", FakeMicrophones(np.zeros(10, np.float32)))
    complains(command("listen", run, "--microphone", "--input", "Webcam"), "Webcam", "1 USB ear")
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    complains(command("listen", run, "--microphone"), "microphone", "assay[listen]")


def test_the_microphone_of_this_machine(command: Any, run: Path) -> None:
    """Without a fake: where there is none, or no PortAudio, that is told in two lines."""
    told: tuple[str, ...] = ("no microphone", "--wav FILE")
    try:
        import sounddevice

        there = any(one["max_input_channels"] for one in sounddevice.query_devices())
    except (ImportError, OSError) as error:
        there, told = False, ("assay[listen]",) if isinstance(error, ImportError) else ("PortAudio", "libportaudio2")
    if there:
        pytest.skip("this machine has a microphone, which would be listened to")
    complains(command("listen", run, "--microphone"), *told)


def test_ctrl_c_ends_what_runs(command: Any, run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def chunks(self: Any, session: Any) -> Iterator[np.ndarray]:
        yield tones.mixed(WORDS, 7.0)
        time.sleep(1)
        raise KeyboardInterrupt

    monkeypatch.setattr("assay.listening.Sound.chunks", chunks)
    file = tmp_path / "actions.toml"
    sleeping = f"run = ['{sys.executable}', '-c', 'import time; time.sleep(300)']"
    file.write_text(f"[actions.lamp]\ncommand = 'high'\ntimeout_s = 300\n{sleeping}\n")
    begun = time.monotonic()
    result = command("listen", run, "--microphone", "--actions", file)
    assert time.monotonic() - begun < 200
    assert result.code == 130
    assert "lamp: failed: stopped" in result.err
    assert "Traceback" not in result.err
