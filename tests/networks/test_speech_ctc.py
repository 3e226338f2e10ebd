"""CTC: the search against every path there is, alignments against every path, padding, the language model."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from assay.errors import SettingError
from assay.networks.ctc_decoding import CtcSearch, ctc_beam_search, ctc_greedy
from assay.networks.sound_alignment import ctc_path, monotonic_path
from assay.networks.speech_ctc import SpeechCtc, SpeechCtcSettings
from assay.networks.spoken_language import SpokenLanguage


def logs(frames: int, tokens: int, seed: int, sharp: float = 1.5) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, sharp, (frames, tokens))
    return values - np.log(np.exp(values).sum(axis=1, keepdims=True))


def said(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(token for token, _ in itertools.groupby(path) if token)


def every_text(table: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of each text, over all paths."""
    found: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(table.shape[1]), repeat=len(table)):
        value = math.exp(sum(table[frame, token] for frame, token in enumerate(path)))
        found[said(path)] = found.get(said(path), 0.0) + value
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_search_finds_the_most_probable_text(seed: int) -> None:
    table = logs(5, 4, seed)
    texts = every_text(table)
    best = max(texts, key=lambda text: texts[text])
    found = ctc_beam_search(table, CtcSearch(beams=500, least=-math.inf))
    assert found.ids == best and found.log_probability == pytest.approx(math.log(texts[best]), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_a_language_model_is_weighed_in(seed: int) -> None:
    table, model = logs(4, 4, seed, 0.5), SpokenLanguage([[1, 2, 3, 1, 2]] * 5 + [[2, 3]], 4)
    search = CtcSearch(beams=500, language_weight=0.7, token_bonus=0.3, least=-math.inf)

    def score(text: tuple[int, ...]) -> float:
        told = sum(0.7 * model(text[:place])[token] + 0.3 for place, token in enumerate(text))
        return math.log(every_text(table)[text]) + told

    best = max(every_text(table), key=score)
    assert ctc_beam_search(table, search, model).ids == best


def test_the_language_model_gives_probabilities_that_follow_what_it_read() -> None:
    model = SpokenLanguage([[1, 2, 3]] * 20, 5)
    assert np.exp(model(())).sum() == pytest.approx(1) and np.exp(model((1, 2))).sum() == pytest.approx(1)
    assert model(()).argmax() == 1 and model((1,)).argmax() == 2 and model((4, 1, 2)).argmax() == 3


def test_the_most_probable_path_is_read_without_blanks_and_repetitions() -> None:
    path = [0, 2, 2, 0, 2, 1, 1, 0]
    table = np.full((8, 3), -5.0)
    table[np.arange(8), path] = -0.02
    assert ctc_greedy(table).ids == (2, 2, 1)
    assert ctc_greedy(table[:0]).ids == () and ctc_beam_search(table, CtcSearch(beams=1)).ids == (2, 2, 1)


@pytest.mark.parametrize(("seed", "ids"), [(0, (1, 2)), (1, (1, 1)), (2, (2,)), (3, (3, 1, 3))])
def test_tokens_stand_where_the_best_path_through_them_says_them(seed: int, ids: tuple[int, ...]) -> None:
    table = logs(6, 4, seed)
    paths = [path for path in itertools.product(range(4), repeat=6) if said(path) == ids]
    best = max(paths, key=lambda path: sum(table[frame, token] for frame, token in enumerate(path)))
    runs = [(token, list(frames)) for token, frames in itertools.groupby(range(6), key=lambda frame: best[frame])]
    expected = [(frames[0], frames[-1]) for token, frames in runs if token]
    first, last = ctc_path(table, ids)
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == expected


def test_a_text_that_does_not_fit_has_no_times() -> None:
    assert ctc_path(logs(2, 3, 0), (1, 1))[0].tolist() == [-1, -1]
    assert len(ctc_path(logs(2, 3, 0), ())[0]) == 0


@pytest.mark.parametrize("seed", range(4))
def test_monotonic_paths_are_the_best_of_all(seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(3, 7))

    def value(cuts: tuple[int, ...]) -> float:
        edges = [0, *cuts, 7]
        return float(sum(scores[token, edges[token] : edges[token + 1]].sum() for token in range(3)))

    best = max(itertools.combinations(range(1, 7), 2), key=value)
    assert monotonic_path(scores).tolist() == [0, *best]
    with pytest.raises(ValueError, match="do not fit"):
        monotonic_path(scores.T)


@pytest.mark.parametrize(
    "settings", [SpeechCtcSettings(depth=2, width=32), SpeechCtcSettings(depth=1, width=32, heads=0, stride=4)]
)
def test_what_a_window_says_does_not_depend_on_padding(settings: SpeechCtcSettings) -> None:
    torch.manual_seed(0)
    network = SpeechCtc(12, settings).eval()
    for parameter in network.parameters():  # closed branches would hide mistakes
        torch.nn.init.normal_(parameter, std=0.1)
    lengths = [9000, 16000, 12345, 300]
    sounds = torch.zeros(4, 16000)
    mask = torch.arange(16000) < torch.tensor(lengths)[:, None]
    sounds[mask] = torch.randn(int(mask.sum())) * 0.1
    with torch.inference_mode():
        together, frames = network(sounds, mask), network.frames(torch.tensor(lengths))
        for row, length in enumerate(lengths):
            alone = network(sounds[row : row + 1, :length])[0]
            assert len(alone) == int(frames[row])
            torch.testing.assert_close(together[row, : len(alone)], alone, atol=2e-4, rtol=1e-4)
    assert network.seconds_per_frame == 0.01 * settings.stride


def test_losses_are_nats_a_token() -> None:
    torch.manual_seed(0)
    network = SpeechCtc(5, SpeechCtcSettings(depth=1, width=32)).eval()
    sound, target = torch.randn(2, 8000) * 0.1, torch.tensor([[1, 2, 3], [2, 0, 0]])
    there = torch.tensor([[True, True, True], [True, False, False]])
    found = network.losses(sound, None, target, there)
    logits = network(sound)
    for row, ids in enumerate(([1, 2, 3], [2])):
        whole = torch.nn.functional.ctc_loss(
            logits[row][:, None], torch.tensor([ids]), [logits.shape[1]], [len(ids)], reduction="sum"
        )
        assert float(found[row].detach()) == pytest.approx(float(whole.detach()) / len(ids), rel=1e-5)
    too_long = torch.randint(1, 5, (1, 200))
    assert float(network.losses(sound[:1], None, too_long, None)[0]) == 0


@pytest.mark.parametrize("wrong", [{"stride": 3}, {"kernel": 4}, {"heads": 3}])
def test_impossible_settings_are_told(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingError):
        SpeechCtc(5, SpeechCtcSettings(**wrong))


def test_what_the_language_model_remembers_stays_small() -> None:
    for size in (30, 512):
        model = SpokenLanguage([np.arange(1, 20) % size], size)
        one = model((1, 2))
        assert one.shape == (size,) and one.dtype == np.float32 and np.exp(one).sum() == pytest.approx(1, abs=1e-4)
        assert model.remembered * one.nbytes <= 17e6 and model.remembered >= 256
    assert SpokenLanguage([np.arange(1, 20)], 60_000).remembered == 256
