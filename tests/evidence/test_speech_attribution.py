"""What speaks for a transcript: a network that hears one tone alone is explained by it, and chance explains nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

pytest.importorskip("tokenizers")
pytest.importorskip("jiwer")

from assay.evaluation.faithfulness import curves
from assay.evidence.explanation import explain_and_measure
from assay.networks.speech_ctc import SpeechCtc, SpeechCtcSettings
from assay.samples.speech_places import BANDS, band_edges, mask_speech, place_names, stretches
from assay.samples.tokens import characters
from assay.samples.transcript_spec import RATE, TranscriptSpec
from assay.serving.predictor import Predictor
from assay.tasks.transcription import RecordingBatch, Transcription

SPEC = TranscriptSpec(characters(["a"]), 5.0)
HERTZ = 1000


class Whistle(SpeechCtc):
    """Says "a" for every frame in which a tone of 1,000 Hz is loud; knows nothing else."""

    def forward(self, sound: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        bands = self.log_mel(sound)
        near = int(np.argmin(np.abs(self.middles - HERTZ)))
        level = bands[:, near - 1 : near + 2].amax(dim=1)[:, ::2]
        level = level[:, : int(self.frames(torch.tensor([sound.shape[1]])))]
        (token,) = SPEC.tokenizer.encode_batch(["a"])[0].tolist()
        logits = torch.full((*level.shape, SPEC.tokenizer.size), -30.0)
        logits[..., token], logits[..., SPEC.tokenizer.pad] = level + 4, -(level + 4)
        return logits.log_softmax(dim=-1)

    @property
    def middles(self) -> np.ndarray:
        from assay.networks.log_mel import mel_edges

        return mel_edges(RATE, self.settings.mels)[1:-1].numpy()


def tones(places: list[tuple[float, int]], seconds: float) -> torch.Tensor:
    """Bursts in the middle of the quarter of a second that begins at some second, of some pitch."""
    sound, at = torch.zeros(round(seconds * RATE)), torch.arange(RATE // 8) / RATE
    for start, hertz in places:
        sound[round((start + 1 / 16) * RATE) :][: len(at)] = 0.3 * torch.sin(2 * math.pi * hertz * at)
    return sound


def test_only_the_tone_that_is_heard_weighs() -> None:
    random = np.random.default_rng(0)
    # Bursts lie in stretches of their own: that of 1,000 Hz is said, the higher ones are not.
    heard = [sorted((2 * random.choice(6, 3, replace=False)).tolist()) for _ in range(4)]
    sounds = [
        tones([(place / 4, HERTZ) for place in own] + [(place / 4, 5000) for place in range(12) if place not in own], 3)
        for own in heard
    ]
    short = tones([(0.5, HERTZ)], 1.25)
    lengths = [*map(len, sounds), len(short)]
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    sound = torch.nn.utils.rnn.pad_sequence([*sounds, short], batch_first=True)
    batch = RecordingBatch(index=torch.arange(5), mask=mask, sound=sound, start=torch.zeros(5))
    network = Whistle(SPEC.tokenizer.size, SpeechCtcSettings(depth=1, width=32))
    predictor = Predictor(Transcription(), SPEC, network, {"beams": 1})
    assert [one.text for one in predictor.respond(batch)] == ["aaa"] * 4 + ["a"]
    found = explain_and_measure(predictor.task, predictor, batch)
    assert not isinstance(found, str)
    weights, measured, _ = found
    assert weights.shape == (5, BANDS, 12) and np.isnan(weights[4, :, 5:]).all() and np.isfinite(weights[:4]).all()
    band = int(np.searchsorted(band_edges(), HERTZ)) - 1
    for row, own in enumerate([*heard, [2]]):
        heaviest = np.argsort(-np.nan_to_num(weights[row]).ravel())[: len(own)]
        assert sorted(heaviest.tolist()) == [band * 12 + place for place in own]
    assert measured.deletion_gains.mean() > 0.2 and measured.insertion_gains.mean() > 0.2

    def left(kept: np.ndarray) -> np.ndarray:
        shown = predictor.task.masked(batch, torch.from_numpy(kept), SPEC)
        return predictor.task.support(predictor.respond(shown), answered, SPEC).values

    answered = predictor.respond(batch)
    noise = [np.where(np.isnan(weights), np.nan, random.random(weights.shape)) for _ in range(2)]
    lots = [curves(left, one, orders=2, ragged=True, seed=seed) for seed, one in enumerate(noise)]
    for gains in ("deletion_gains", "insertion_gains"):
        chance = np.concatenate([getattr(one, gains) for one in lots])
        assert abs(chance.mean()) < 3 * chance.std() / math.sqrt(len(chance)) + 0.02
        assert abs(chance.mean()) < getattr(measured, gains).mean() / 2


def test_a_hidden_place_is_silent_and_no_other() -> None:
    edges = band_edges()
    low, high = 400, 5000
    at = torch.arange(2 * RATE) / RATE
    sound = torch.stack([0.3 * (torch.sin(2 * math.pi * low * at) + torch.sin(2 * math.pi * high * at))] * 2)
    mask = torch.arange(2 * RATE) < torch.tensor([2 * RATE, RATE])[:, None]
    kept = torch.ones(2, BANDS, 8, dtype=torch.bool)
    kept[:, 3, 2:4] = False  # the highest band, from half a second to a second
    shown = mask_speech(sound, mask, kept)

    def size(part: torch.Tensor, hertz: int) -> float:
        return float(torch.fft.rfft(part).abs()[round(hertz * len(part) / RATE)] / len(part))

    hidden = shown[0, round(0.6 * RATE) : round(0.9 * RATE)]
    assert edges[3] < high and size(hidden, high) < 0.02 and size(hidden, low) > 0.14
    assert size(shown[0, RATE + 2000 :], high) > 0.14
    torch.testing.assert_close(shown[1, RATE:], sound[1, RATE:])
    assert torch.equal(mask_speech(sound, mask, torch.ones(BANDS, 8, dtype=torch.bool)), sound)
    nothing = mask_speech(sound, mask, torch.zeros(BANDS, 8, dtype=torch.bool))
    assert not nothing[0].any() and not nothing[1, :RATE].any()


def test_places_are_named_by_their_time() -> None:
    names = place_names(2 * RATE, 10.0)
    assert len(names) == BANDS * stretches(2 * RATE) == BANDS * 8
    assert names[0] == "10.00 to 10.25 s, 0 to 614 Hz" and names[-1] == "11.75 to 12.00 s, 3934 to 8000 Hz"
    assert place_names(0) == () and stretches(30 * RATE) == 14 and stretches(80) == 1
