"""Networks of Whisper's kind: the same numbers as transformers' own code, padding, marks, times of words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

import transformers

from assay.errors import SettingError
from assay.networks.beam_search import Search
from assay.networks.hf_speech import HfSpeech
from assay.networks.speech_marks import HfSpeechSettings, SpeechMarks
from assay.networks.speech_words import _median, looked_times, words_of
from whisper_examples import random_whisper

MARKS = SpeechMarks(start=50, end=51, plain=52, heads=((1, 0), (1, 1)))
FOLDER = Path(os.environ.get("ASSAY_WHISPER", Path(__file__).parents[2] / ".pretrained" / "whisper-tiny.en"))


@pytest.fixture(scope="module")
def model() -> Any:
    return random_whisper()


def sounds(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.randn(len(lengths), max(lengths)) * 0.1 * mask, mask


def test_a_whole_context_is_heard_as_transformers_hears_it(model: Any) -> None:
    network = HfSpeech(model, MARKS, "", 30.0).eval()
    sound, mask = sounds(20_000, 33_000)
    extractor = transformers.WhisperFeatureExtractor(feature_size=80)
    given = [row[:length].numpy() for row, length in zip(sound, mask.sum(dim=1).tolist(), strict=True)]
    features = extractor(given, sampling_rate=16_000, return_tensors="pt")["input_features"]
    with torch.inference_mode():
        expected = model.model.encoder(features).last_hidden_state
        found = network.heard(sound, mask)
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-3)


def test_layers_of_older_releases_are_asked_as_they_want_it(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    network = HfSpeech(model, MARKS, "", 0.0).eval()
    sound, mask = sounds(16_000)
    kind = type(model.get_encoder().layers[0])
    now = kind.forward

    class Older(kind):  # type: ignore[misc, valid-type]
        def forward(
            self, hidden_states: Any, attention_mask: Any, layer_head_mask: Any, output_attentions: bool = False
        ) -> Any:
            assert layer_head_mask is None
            return (now(self, hidden_states, attention_mask),)

    with torch.inference_mode():
        expected = network.heard(sound, mask)
        for layer in model.get_encoder().layers:
            monkeypatch.setattr(layer, "__class__", Older)
        found = network.heard(sound, mask)
    torch.testing.assert_close(found, expected)


def test_losses_are_those_of_transformers(model: Any) -> None:
    network = HfSpeech(model, MARKS, "", 30.0).eval()
    sound, mask = sounds(20_000)
    target = torch.tensor([[3, 7, 9]])
    with torch.inference_mode():
        heard = network.heard(sound, mask)
        given = torch.tensor([[50, 52, 3, 7, 9]])
        logits = model(encoder_outputs=(heard,), decoder_input_ids=given).logits[0, 1:]
        expected = torch.nn.functional.cross_entropy(logits, torch.tensor([3, 7, 9, 51]))
        found = network.losses(sound, mask, target, None)
    assert float(found[0]) == pytest.approx(float(expected), rel=1e-5)


def test_losses_of_windows_do_not_depend_on_longer_ones_beside_them(model: Any) -> None:
    network = HfSpeech(model, MARKS, "", 0.0).eval()
    sound, mask = sounds(40_000, 9_000, 41_000)
    target = torch.tensor([[3, 7, 9], [4, 0, 0], [5, 6, 0]])
    there = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0]]).bool()
    with torch.inference_mode():
        together = network.losses(sound, mask, target, there) * 9 / 3  # tokens and ends, texts
        alone = [
            float(network.losses(sound[row, None, :length], None, target[row, None, :tokens], None)[0]) * (tokens + 1)
            for row, (length, tokens) in enumerate([(40_000, 3), (9_000, 1), (41_000, 2)])
        ]
    assert together.tolist() == pytest.approx(alone, rel=1e-5)


def test_windows_are_padded_by_their_own_length_alone(model: Any) -> None:
    network = HfSpeech(model, MARKS, "", 0.0)
    assert network.padded(torch.tensor([1, 11_999, 12_001, 16_000, 479_000])).tolist() == [
        16_000,
        16_000,
        32_000,
        32_000,
        480_000,
    ]
    assert HfSpeech(model, MARKS, "", 5.0).padded(torch.tensor([1, 90_000])).tolist() == [80_000, 96_000]


def test_the_search_goes_on_from_the_marks(model: Any) -> None:
    network = HfSpeech(model, MARKS, "", 0.0).eval()
    sound, mask = sounds(16_000, 30_000)
    with torch.inference_mode():
        heard = network.heard(sound, mask)
        found = network.search(heard, [5, 5], Search(52, 51, 1, 1.0, tuple(range(52, 60))))
        ids = [50, 52]
        for _ in range(5):
            logits = model(encoder_outputs=(heard[:1],), decoder_input_ids=torch.tensor([ids])).logits[0, -1, :52]
            ids.append(int(logits.argmax()))
            if ids[-1] == 51:
                break
    assert list(found[0][0].ids) == [token for token in ids[2:] if token != 51][:5]


def test_looks_are_the_cross_attentions_of_the_marked_heads(model: Any) -> None:
    network = HfSpeech(model, MARKS, "", 0.0).eval()
    sound, mask = sounds(16_000)
    with torch.inference_mode():
        heard = network.heard(sound, mask)
        shares, nats = network.looks(heard, torch.tensor([[3, 7]]))
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        given = torch.tensor([[50, 52, 3, 7]])
        output = model(encoder_outputs=(heard,), decoder_input_ids=given, output_attentions=True)
    expected = output.cross_attentions[1][0, :, 1:]
    torch.testing.assert_close(shares, expected, atol=1e-5, rtol=1e-4)
    logs = output.logits[0, 1:].log_softmax(-1)
    torch.testing.assert_close(nats, logs[torch.arange(3), torch.tensor([3, 7, 51])], atol=1e-4, rtol=1e-4)


def test_tokens_follow_what_heads_look_at() -> None:
    shares = torch.full((2, 4, 40), 0.01)
    for token, (start, end) in enumerate([(0, 10), (10, 18), (18, 30), (30, 40)]):
        shares[:, token, start:end] = 1.0
    times = looked_times(shares, 40, 0.02)
    np.testing.assert_allclose(times, np.array([[0, 10], [10, 18], [18, 30]]) * 0.02, atol=0.021)
    assert len(looked_times(shares, 2, 0.02)) == 3
    assert looked_times(torch.ones(1, 1, 5), 5, 0.02).shape == (0, 2)


def test_words_are_made_of_tokens() -> None:
    times = np.array([[0.0, 0.1], [0.1, 0.3], [0.5, 0.9]])
    one, two = words_of([" He", "llo", " you"], times, [-0.1, -0.3, 0.0])
    assert (one.text, one.start, one.end, two.text, two.start) == ("Hello", 0.0, 0.3, "you", 0.5)
    assert one.confidence == pytest.approx(np.exp(-0.2)) and two.confidence == 1
    assert [word.text for word in words_of(["今", "日"], times[:2], [0, 0], spaced=False)] == ["今", "日"]


@pytest.mark.parametrize(("ids", "left"), [
    ((1, 2, 3, 9, 8, 9, 8, 9, 8, 9), (1, 2, 3, 9, 8)), ((5, 5, 5, 5), (5,)), ((1, 2, 1, 2), (1, 2, 1, 2)), ((), ()),
    ((1, 2, 3, 1, 2, 3, 1, 2, 3), (1, 2, 3)),
])  # fmt: skip
def test_circles_are_cut(ids: tuple[int, ...], left: tuple[int, ...]) -> None:
    from assay.networks.transcribing import unlooped

    assert unlooped(ids) == left


def test_networks_of_many_languages_have_to_be_told_which() -> None:
    settings = HfSpeechSettings(marks=json.dumps({
        "decoder_start_token_id": 1, "eos_token_id": 2, "no_timestamps_token_id": 3,
        "lang_to_id": {"<|en|>": 4, "<|de|>": 5}, "task_to_id": {"transcribe": 6, "translate": 7},
    }))  # fmt: skip
    marks = SpeechMarks.of(settings)
    assert marks.prefix("de-AT") == [1, 5, 6, 3]
    for wrong in ("", "fr"):
        with pytest.raises(SettingError, match="language"):
            marks.prefix(wrong)
    with pytest.raises(SettingError, match="begins and ends"):
        SpeechMarks.of(HfSpeechSettings(marks="{}"))


def test_another_kind_of_network_is_told() -> None:
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    encoder = transformers.BertModel(transformers.BertConfig(**small))
    written = transformers.BertConfig(**small, is_decoder=True, add_cross_attention=True)
    other = transformers.EncoderDecoderModel(encoder=encoder, decoder=transformers.BertLMHeadModel(written))
    with pytest.raises(SettingError, match="Whisper"):
        HfSpeech(other, MARKS, "", 0.0)


@pytest.mark.skipif(not FOLDER.exists(), reason="no Whisper network is here")
def test_the_marks_of_a_local_folder() -> None:
    marks = SpeechMarks.of(HfSpeechSettings(str(FOLDER)))
    assert (marks.start, marks.end, marks.plain, marks.languages) == (50257, 50256, 50362, None)
    assert (1, 0) in marks.heads and marks.prefix("en") == [50257, 50362]


def test_medians_are_medians() -> None:
    shares = torch.randn(3, 5, 40)
    padded = torch.nn.functional.pad(shares, (3, 3), mode="reflect")
    expected = padded.unfold(-1, 7, 1).median(dim=-1).values
    assert np.array_equal(_median(shares.numpy()), expected.numpy())
    assert np.array_equal(_median(shares.numpy()[:, :, :3]), shares.numpy()[:, :, :3])
