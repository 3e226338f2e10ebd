"""The decoder of networks of Whisper's kind: the same numbers as transformers' own, whatever else is written beside."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from real_data import DATA

pytest.importorskip("transformers")

import transformers

from assay.networks.beam_search import Search, beam_search
from assay.networks.hf_seq2seq import HfDecoding
from assay.networks.hf_speech import HfSpeech
from assay.networks.speech_marks import SpeechMarks
from assay.networks.whisper_decoding import WhisperDecoding, _closed_up, write
from whisper_examples import random_whisper

MARKS = SpeechMarks(start=50, end=51, plain=52, heads=((0, 1), (1, 0)))
PREFIX, NEVER = [50], tuple(range(52, 60))
FOLDER = Path(os.environ.get("ASSAY_WHISPER", Path(__file__).parents[2] / ".pretrained" / "whisper-tiny.en"))
PROMPTS = DATA / "asterisk_prompts_en"


@pytest.fixture(scope="module")
def model() -> Any:
    """Random weights, so large that what is written depends on what was heard and on all that was written."""
    made = random_whisper(encoder_layers=1, init_std=0.6)
    with torch.no_grad():
        made.get_decoder().embed_positions.weight.mul_(2)
    return made


def heard(*frames: int) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.randn(count, 16) for count in frames]


def by_transformers(model: Any, windows: torch.Tensor, longest: list[int], how: Search) -> list[Any]:
    def start(beams: int) -> HfDecoding:
        said = windows.repeat_interleave(beams, dim=0)
        return HfDecoding(model, said, torch.ones(said.shape[:2], dtype=torch.bool), PREFIX)

    return beam_search(start, longest, how)


def test_a_step_is_that_of_transformers(model: Any) -> None:
    windows = torch.stack(heard(9, 9, 9))
    decoding = WhisperDecoding(model, windows, [9] * 3, 1, PREFIX, 12)
    tokens = torch.randint(0, 50, (3, 9))
    with torch.inference_mode():
        found = [decoding.step(tokens[:, :1]), decoding.step(tokens[:, 1:4])]  # one, several, and one by one
        found += [decoding.step(tokens[:, place : place + 1]) for place in range(4, 9)]
        given = torch.cat([torch.tensor([PREFIX] * 3), tokens], dim=1)
        expected = model(encoder_outputs=(windows,), decoder_input_ids=given).logits
    for logits, place in zip(found, (1, 4, 5, 6, 7, 8, 9), strict=True):
        torch.testing.assert_close(logits, expected[:, place], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("beams", [1, 2, 5])
def test_a_search_finds_what_it_finds_with_transformers(model: Any, beams: int) -> None:
    windows, longest = torch.stack(heard(*[11] * 6)), [20, 3, 30, 1, 12, 30]
    how = Search(52, 51, beams, 1.0, NEVER, (3, 51))
    expected = by_transformers(model, windows, longest, how)
    found = HfSpeech(model, MARKS, "", 0.0).search(windows, longest, how)
    assert [[one.ids for one in text] for text in found] == [[one.ids for one in text] for text in expected]
    for text, others in zip(found, expected, strict=True):
        for one, other in zip(text, others, strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)


@pytest.mark.parametrize("end", [51, 7])
def test_the_most_probable_tokens_are_written(model: Any, end: int) -> None:
    windows, longest = torch.stack(heard(*[11] * 8)), [20, 3, 30, 1, 12, 30, 30, 7]
    how = Search(52, end, 1, 1.0, NEVER, (end,))
    expected = [texts[0] for texts in by_transformers(model, windows, longest, how)]
    assert len({len(one.ids) for one in expected}) > 4  # they are finished one after the other
    found = write(WhisperDecoding(model, windows, [11] * 8, 1, PREFIX, 32), longest, how)
    assert [one.ids for one in found] == [one.ids for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-3)
        assert len(one.nats) == len(one.ids) + 1 and sum(one.nats) == pytest.approx(one.log_probability)
        assert one.shares is None


@pytest.mark.parametrize("beams", [1, 3])
def test_windows_of_any_length_are_written_as_alone(model: Any, beams: int) -> None:
    network = HfSpeech(model, MARKS, "", 0.0)
    windows, longest = heard(11, 4, 23, 8), [20, 5, 9, 30]
    how = Search(52, 51, beams, 1.0, NEVER)
    together = network.write(pad_sequence(windows, batch_first=True), longest, how, True, [11, 4, 23, 8])
    for one, window, most in zip(together, windows, longest, strict=True):
        (alone,) = network.write(window[None], [most], how, True)
        assert one.ids == alone.ids and one.nats == pytest.approx(alone.nats, abs=1e-4)
        assert one.shares is not None and alone.shares is not None
        torch.testing.assert_close(one.shares[:, :, : len(window)], alone.shares, atol=1e-5, rtol=1e-4)
        assert not one.shares[:, :, len(window) :].any()


def test_where_it_looked_is_what_going_through_it_again_tells(model: Any) -> None:
    network = HfSpeech(model, MARKS, "", 0.0)
    windows, longest = torch.stack(heard(*[11] * 4)), [20, 5, 9, 30]
    for place, one in enumerate(network.write(windows, longest, Search(52, 51, 1, 1.0, NEVER), True)):
        shares, nats = network.looks(windows[place : place + 1], torch.tensor([one.ids]))
        assert one.shares is not None
        torch.testing.assert_close(one.shares, shares, atol=1e-5, rtol=1e-4)
        assert one.nats == pytest.approx(nats.tolist(), abs=1e-4)


def test_only_the_last_ones_are_moved() -> None:
    assert _closed_up([True] * 3) == [0, 1, 2]
    assert _closed_up([False, True, False, True, True]) == [4, 1, 3]
    assert _closed_up([True, True, False, False]) == [0, 1]


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.exists() or not PROMPTS.exists(), reason="no Whisper network or no prompts are here")
def test_what_people_say_is_written_as_transformers_writes_it() -> None:
    soundfile, soxr = pytest.importorskip("soundfile"), pytest.importorskip("soxr")
    network = transformers.WhisperForConditionalGeneration.from_pretrained(FOLDER).eval()
    ours = HfSpeech(network, SpeechMarks(50257, 50256, 50362, (220, 50256), heads=((1, 0),)), "en", 30.0).eval()
    files = sorted((PROMPTS / "flac").rglob("agent-*.flac"))[:3]
    sounds = [soxr.resample(*soundfile.read(file, dtype="float32"), 16_000) for file in files]
    listens = transformers.WhisperFeatureExtractor(feature_size=80)
    given = listens(sounds, sampling_rate=16_000, return_tensors="pt")["input_features"]
    how = Search(50362, 50256, 1, 1.0, tuple(range(50257, 51864)), (220, 50256))
    with torch.inference_mode():
        expected = network.generate(given, num_beams=1, do_sample=False).tolist()
        found = ours.write(
            torch.cat([ours.heard(torch.from_numpy(sound)[None]) for sound in sounds]), [100] * 3, how, False
        )
    assert [list(one.ids) for one in found] == [[token for token in row if token < 50256] for row in expected]
    assert sum(len(one.ids) for one in found) > 20
