from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sounds import encoded, put, tone

from assay.errors import DataError, SettingError
from assay.sources.audio import audio_blocks, audio_header, decode_audio


def kinds(data: bytes, rate: int = 16000) -> dict[str, str]:
    return dict(decode_audio(data, rate).problems())


@pytest.mark.parametrize(("form", "subtype", "error"), [
    ("WAV", "PCM_16", 1e-4), ("WAV", "FLOAT", 1e-7), ("WAV", "PCM_24", 1e-6), ("WAV", "ULAW", 0.02),
    ("FLAC", "PCM_16", 1e-4), ("OGG", "VORBIS", 0.03), ("MP3", "MPEG_LAYER_III", 0.03), ("AIFF", "PCM_16", 1e-4),
])  # fmt: skip
def test_formats_give_the_samples_that_were_written(form: str, subtype: str, error: float) -> None:
    wave = tone(1.0)
    sound = decode_audio(encoded(wave, form=form, subtype=subtype), 16000)
    assert sound.samples.dtype == np.float32 and sound.samples.shape == wave.shape
    inner = slice(2000, -2000)  # codecs may smear the ends
    assert np.abs(sound.samples - wave)[inner].max() < error
    assert (sound.seconds, sound.rate, sound.facts.format) == (1.0, 16000, form)
    assert not sound.problems() and not sound.facts.cut


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 192000])
def test_resampling_agrees_with_scipy(rate: int) -> None:
    from scipy.signal import resample_poly

    wave = tone(1.0, rate)
    sound = decode_audio(encoded(wave, rate, subtype="FLOAT"), 16000)
    other = resample_poly(wave.astype(np.float64), 16000, rate)
    assert len(sound.samples) == 16000 and sound.facts.rate == rate
    inner = slice(1000, -1000)
    assert np.abs(sound.samples - other)[inner].max() < 1e-3
    assert np.abs(sound.samples - tone(1.0, 16000))[inner].max() < 1e-3


def test_what_would_fold_back_is_filtered_out() -> None:
    time = np.arange(48000) / 48000
    high = (0.5 * np.sin(2 * np.pi * 15000 * time)).astype(np.float32)
    assert np.abs(decode_audio(encoded(high, 48000), 16000).samples[500:-500]).max() < 1e-3


def test_channels_are_averaged() -> None:
    waves = np.stack([tone(0.5, seed=seed) for seed in range(8)], axis=1)
    sound = decode_audio(encoded(waves, subtype="FLOAT"), 16000)
    np.testing.assert_allclose(sound.samples, waves.mean(axis=1), atol=1e-6)
    assert sound.facts.channels == 8


def test_paths_and_bytes_give_the_same(tmp_path: Path) -> None:
    file = put(tmp_path / "ä b.flac", form="FLAC")
    np.testing.assert_array_equal(decode_audio(file, 8000).samples, decode_audio(file.read_bytes(), 8000).samples)


@pytest.mark.parametrize(("rate", "block_s"), [(16000, 0.1), (8000, 0.0333), (44100, 0.25), (16001, 7.0)])
def test_blocks_together_are_the_whole(rate: int, block_s: float, tmp_path: Path) -> None:
    file = put(tmp_path / "long.wav", seconds=3.21, subtype="FLOAT")
    blocks = list(audio_blocks(file, rate, block_s))
    assert {len(block) for block in blocks[:-1]} <= {round(block_s * rate)}
    assert 0 < len(blocks[-1]) <= round(block_s * rate)
    np.testing.assert_array_equal(np.concatenate(blocks), decode_audio(file, rate).samples)


def test_an_hour_in_blocks_takes_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    import soundfile

    def write(name: str, minutes: int) -> Path:
        with soundfile.SoundFile(tmp_path / name, "w", 8000, 1, "PCM_16") as out:
            for minute in range(minutes):
                out.write(tone(60.0, 8000, seed=minute % 7))
        return tmp_path / name

    def run(file: Path) -> tuple[int, int]:
        """Values, and the most bytes that were held at once."""
        tracemalloc.start()
        try:
            return sum(len(block) for block in audio_blocks(file, 16000, 30.0)), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    short, hour = write("minute.wav", 1), write("hour.wav", 60)
    run(short)  # what is imported and kept by then is no part of it
    values, few = run(short)
    assert values == 60 * 16000 and few > 4 * 30 * 16000  # a block at least is seen
    values, many = run(hour)
    assert values == 3600 * 16000
    assert many < few + 5_000_000  # an hour at once takes 230 MB


def test_only_what_is_asked_for_is_decoded() -> None:
    payload = encoded(tone(2.0, 48000), 48000)
    sound = decode_audio(payload, 16000, longest_s=0.5)
    assert len(sound.samples) == 8000 and sound.facts.cut and sound.facts.file_seconds == 2.0
    assert not decode_audio(payload, 16000, longest_s=2.0).facts.cut
    assert not decode_audio(payload, 16000, longest_s=9.0).facts.cut
    assert not sound.problems()


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG", "MP3"])
def test_a_recording_of_many_blocks_is_what_one_read_gives(form: str) -> None:
    import soundfile

    payload = encoded(tone(14.0, 44100), 44100, form=form)
    once, _ = soundfile.read(io.BytesIO(payload), dtype="float32")
    np.testing.assert_allclose(decode_audio(payload, 44100).samples, once, atol=1e-6)


@pytest.mark.parametrize(("form", "error"), [("WAV", 1e-3), ("FLAC", 1e-3), ("OGG", 0.03), ("MP3", 0.03)])
def test_a_piece_is_the_same_as_in_the_whole(form: str, error: float) -> None:
    payload = encoded(tone(4.0, 44100), 44100, form=form)
    whole = decode_audio(payload, 8000)
    piece = decode_audio(payload, 8000, 1.0, start_s=2.5)
    assert len(piece.samples) == 8000 and piece.facts.cut and not piece.problems()
    inner = slice(100, -100)  # a filter begins and ends
    assert np.abs(piece.samples - whole.samples[20_000:28_000])[inner].max() < error
    assert not decode_audio(payload, 8000, start_s=2.5).problems()  # nothing is missing
    with pytest.raises(DataError):
        decode_audio(payload, 8000, 1.0, start_s=9.0)


def test_what_is_before_a_piece_is_not_read(tmp_path: Path, monkeypatch: Any) -> None:
    import soundfile

    read: list[int] = []
    plain = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, frames=-1, **how: (
        read.append(frames), plain(self, frames, **how))[1])  # fmt: skip
    decode_audio(put(tmp_path / "long.wav", seconds=30.0), 16000, 1.0, start_s=25.0)
    assert sum(read) <= 1.3 * 16000


def test_a_tenth_of_a_syllable_is_decoded() -> None:
    sound = decode_audio(encoded(tone(0.01, 48000), 48000), 16000)
    assert sound.samples.shape == (160,) and sound.seconds == 0.01


@pytest.mark.parametrize("payload", [b"", b"RIFF", b"no recording at all", bytes(5000), b"\xff" * 5000])
def test_what_is_no_recording_is_an_error(payload: bytes) -> None:
    with pytest.raises(DataError, match="take7") as error:
        decode_audio(payload, 16000, name="take7.wav")
    assert error.value.hint
    with pytest.raises(DataError, match=r"empty|no recording"):
        audio_header(payload)


def test_a_recording_without_sound_is_an_error() -> None:
    with pytest.raises(DataError, match="holds no sound"):
        decode_audio(encoded(np.zeros(0, np.float32)), 16000)
    with pytest.raises(DataError, match="holds no sound"):
        decode_audio(encoded(tone(0.00001, 192000), 192000), 8000)
    with pytest.raises(DataError, match="no such file"):
        decode_audio(Path("nowhere.wav"), 16000)


def test_damage_further_on_names_its_place(tmp_path: Path) -> None:
    whole = encoded(tone(120.0), form="FLAC")
    broken = tmp_path / "x.flac"
    broken.write_bytes(whole[: len(whole) // 2])
    told = r"x\.flac: the recording is damaged \d+\.\d\d seconds behind its start"
    with pytest.raises(DataError, match=told) as caught:
        decode_audio(broken, 16000)
    assert 55 < float(caught.value.message.rpartition("damaged ")[2].split()[0]) <= 60
    taken = 0
    with pytest.raises(DataError, match="is damaged"):
        for block in audio_blocks(broken, 8000, 1.0):
            taken += len(block)
    assert 55 * 8000 < taken <= 60 * 8000  # all of it up to the damage, in blocks of a second
    assert decode_audio(broken, 16000, longest_s=1.0).facts.cut


def test_a_recording_that_ends_early_is_noted() -> None:
    wav = encoded(tone(2.0))
    found = decode_audio(wav[: len(wav) // 2], 16000)
    assert dict(found.problems()) == {"truncated-recording": "kept"}
    assert found.facts.missing == pytest.approx(0.5, abs=0.01)
    mp3 = encoded(tone(10.0), form="MP3")
    assert dict(decode_audio(mp3[: len(mp3) // 2], 16000).problems()) == {"truncated-recording": "kept"}
    streamed = wav[:40] + b"\xff" * 4 + wav[44:]  # written while it was recorded: its length stands nowhere
    assert decode_audio(streamed, 16000).problems() == ()
    assert len(decode_audio(streamed, 16000).samples) == 32000


def test_silence_clipping_and_what_is_no_number() -> None:
    assert kinds(encoded(np.zeros(8000, np.float32))) == {"silent-recording": "kept"}
    assert kinds(encoded(np.full(8000, 0.25, np.float32))) == {"silent-recording": "kept"}
    assert kinds(encoded(np.clip(tone() * 20, -1, 1))) == {"clipped-recording": "kept"}
    wave = tone()
    wave[100:110], wave[200] = np.nan, np.inf
    sound = decode_audio(encoded(wave, subtype="FLOAT"), 8000)
    assert dict(sound.problems()) == {"not-finite-samples": "repaired"}
    assert sound.facts.not_finite == 11 and np.isfinite(sound.samples).all()
    clean = tone()
    clean[100:110], clean[200] = 0, 0
    np.testing.assert_array_equal(sound.samples, decode_audio(encoded(clean, subtype="FLOAT"), 8000).samples)
    huge = np.full((4000, 8), np.finfo(np.float32).max, np.float32)
    assert np.isfinite(decode_audio(encoded(huge, subtype="FLOAT"), 16000).samples).all()


def test_content_counts_and_not_the_name(tmp_path: Path) -> None:
    file = put(tmp_path / "liar.wav", form="FLAC")
    assert decode_audio(file, 16000).facts.format == "FLAC"
    raw = put(tmp_path / "liar.raw")
    assert decode_audio(raw.read_bytes(), 16000).facts.format == "WAV"


def test_settings_that_are_not_possible() -> None:
    payload = encoded(tone())
    for rate in (0, -1, 10**9):
        with pytest.raises(SettingError, match="sampling rate"):
            decode_audio(payload, rate)
    for longest in (0.0, -1.0, float("nan")):
        with pytest.raises(SettingError, match="cannot be cut"):
            decode_audio(payload, 16000, longest)
    with pytest.raises(SettingError, match="no sample"):
        next(audio_blocks(payload, 16000, 0.0))


def test_a_header_with_an_impossible_rate() -> None:
    wav = encoded(tone())
    wrong = wav[:24] + (7).to_bytes(4, "little") + wav[28:]
    with pytest.raises(DataError, match="7 samples a second"):
        decode_audio(wrong, 16000)


def test_header_alone() -> None:
    header = audio_header(encoded(tone(1.5, 22050, channels=2), 22050))
    assert (header.seconds, header.rate, header.channels, header.format) == (1.5, 22050, 2, "WAV")


def test_too_long_for_once(monkeypatch: Any) -> None:
    from assay.sources import audio

    monkeypatch.setattr(audio, "MOST_SECONDS", 0.2)
    payload = encoded(tone(0.5))
    with pytest.raises(DataError, match="hours long"):
        decode_audio(payload, 16000)
    assert sum(map(len, audio_blocks(io.BytesIO(payload).getvalue(), 16000, 0.1))) == 8000
