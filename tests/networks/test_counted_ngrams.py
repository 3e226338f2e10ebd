"""Counts of n-grams in a network: those of the classical model, in shares that text set aside chose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from assay.networks.counted_ngrams import CountedNgrams
from assay.networks.language_model import LanguageModel, LanguageModelSettings, fit_trust
from assay.ngrams.counts import count_ngrams, join
from assay.ngrams.kneser_ney import build, tune

SIZE, BEGIN, ORDER = 9, 1, 4
SETTINGS = LanguageModelSettings(depth=1, width=32, heads=1, buckets=16, counted=ORDER)


def texts(count: int = 3, length: int = 200) -> list[np.ndarray]:
    """Texts in which tokens depend on those before them."""
    draws = np.random.default_rng(0)
    found = []
    for _ in range(count):
        text = [2]
        while len(text) < length:
            text.append(2 + (text[-1] * 3 + int(draws.integers(2))) % (SIZE - 2))
        found.append(np.asarray(text))
    return found


def marked(text: np.ndarray) -> Tensor:
    return torch.from_numpy(np.r_[BEGIN, text])[None]


@pytest.fixture
def counted() -> CountedNgrams:
    counts = CountedNgrams(SIZE, BEGIN, ORDER)
    assert counts.empty
    counts.count(texts(), texts(2, 60))
    return counts


def test_they_are_those_of_the_classical_model(counted: CountedNgrams) -> None:
    unseen = np.random.default_rng(3).integers(2, SIZE, 60)
    whole = marked(unseen)
    found, longest = counted.probabilities(whole[:, :-1], whole[:, 1:])
    grams = count_ngrams(join(texts(), SIZE), ORDER)
    model = build(grams, SIZE, ORDER, tune(grams, ORDER, join(texts(2, 60), SIZE)))
    assert np.allclose(found.log()[0], model.log_probabilities(join([unseen], SIZE))[1:], atol=1e-5)
    assert longest.min() >= 1 and longest.max() == ORDER


def test_all_that_can_follow_sums_to_one_and_holds_what_follows(counted: CountedNgrams) -> None:
    whole = torch.cat([marked(text[:40]) for text in texts(2)])
    found, longest = counted.distribution(whole[:, :-1])
    assert torch.allclose(found.sum(-1), torch.ones(found.shape[:2]), atol=1e-5)
    own, reached = counted.probabilities(whole[:, :-1], whole[:, 1:])
    assert torch.allclose(found.gather(-1, whole[:, 1:, None])[..., 0], own, atol=1e-6)
    assert torch.equal(longest, reached)
    last, _ = counted.distribution(whole[:, :-1], last=True)
    assert torch.equal(last[:, 0], found[:, -1])


def test_a_place_is_left_out_as_if_it_had_not_been_counted(counted: CountedNgrams) -> None:
    everything = texts()
    whole = marked(everything[1])
    found, _ = counted.probabilities(whole[:, :-1], whole[:, 1:], leaves_out=True)
    for place in (3, 50, 120, 199):
        assert found[0, place].item() == pytest.approx(without(counted, everything, 1, place), rel=1e-4)


def without(counted: CountedNgrams, everything: list[np.ndarray], text: int, place: int) -> float:
    """Kneser-Ney by the book, from dictionaries, with one n-gram counted less."""
    size, lines = SIZE, [[SIZE, *one.tolist()] for one in everything]
    top: dict[tuple[int, ...], int] = {}
    for line in lines:
        for end in range(1, len(line)):
            for length in range(1, ORDER + 1):
                if end - length + 1 >= 0 and (length == ORDER or end - length + 1 == 0):
                    gram = tuple(line[end - length + 1 : end + 1])
                    top[gram] = top.get(gram, 0) + 1
    discounts = [np.r_[0.0, one] for one in counted.get_buffer("discounts").numpy()]
    line = lines[text]
    end = place + 1
    asked = tuple(line[max(0, end - ORDER + 1) : end + 1])
    top[asked] -= 1
    top = {gram: count for gram, count in top.items() if count}
    value = 1 / size
    for length in range(1, len(asked) + 1):
        counts, context, own = at(top, length), asked[len(asked) - length : -1], asked[len(asked) - length :]
        there = {gram: count for gram, count in counts.items() if gram[:-1] == context}
        total = sum(there.values())
        if not total:
            break
        discount = discounts[length - 1]
        left = sum(discount[min(count, 3)] for count in there.values())
        count = there.get(own, 0)
        value = (max(0.0, count - discount[min(count, 3)]) + left * value) / total
    return float(value)


def at(top: dict[tuple[int, ...], int], length: int) -> dict[tuple[int, ...], int]:
    """What counts at an order: occurrences of the longest and of those that begin a text, else tokens before."""
    grams = {gram: count for gram, count in top.items() if len(gram) == length}
    if length == ORDER:
        return grams
    longer: set[tuple[int, ...]] = {gram[-length - 1 :] for gram in top if len(gram) > length}
    for gram in longer:
        grams[gram[1:]] = grams.get(gram[1:], 0) + 1
    return grams


def counting() -> LanguageModel:
    torch.manual_seed(0)
    network = LanguageModel(SIZE, 64, SETTINGS, BEGIN).eval()
    asked = torch.cat([marked(text) for text in texts(2, 60)])
    network.count(texts(), [text for text in texts(2, 60)], [(asked[:, :-1], asked[:, 1:], asked[:, 1:] > 0)])
    return network


def test_a_network_trusts_its_counts_once_there_are_any() -> None:
    torch.manual_seed(0)
    network = LanguageModel(SIZE, 64, SETTINGS, BEGIN).eval()
    whole = torch.cat([marked(text[:40]) for text in texts(2)])
    inputs, targets = whole[:, :-1], whole[:, 1:]
    alone = network.losses(inputs, targets)
    network = counting()
    both = network.losses(inputs, targets)
    assert both.mean() < alone.mean() - 0.3
    logs = network(inputs).log_softmax(-1)
    assert torch.allclose(-logs.gather(-1, targets[..., None])[..., 0], both, atol=1e-4)
    mask = torch.ones_like(targets, dtype=torch.bool)
    mask[1, 20:] = False
    assert torch.allclose(network.losses(inputs, targets, mask), both[mask], atol=1e-5)
    assert network.losses(inputs, targets, leaves_out=True).mean() > both.mean() + 0.01  # without the places themselves
    assert torch.allclose(network.train().losses(inputs, targets), alone)  # it learns by itself


def test_trust_goes_to_who_knows_and_where() -> None:
    torch.manual_seed(0)
    said, longest = torch.randn(4000, 8), torch.randint(0, 3, (4000,))
    knows = (said[:, 0] > 0) & (longest == 2)
    counted, own = torch.where(knows, -0.1, -3.0), torch.full((4000,), -1.0)
    weights, by_length = fit_trust(said, longest, counted, own, 2)
    share = torch.sigmoid(said @ weights + by_length[longest])
    assert share[knows].mean() > 0.7 and share[~knows].mean() < 0.1
    assert abs(weights[0]) > 5 * weights[1:].abs().max()


def test_what_is_written_step_by_step_is_what_the_whole_network_says() -> None:
    network = counting()
    tokens = marked(texts()[0][:30])
    decoding = network.decoding(1)
    with torch.inference_mode():
        whole = network(tokens)
        first = decoding.step(tokens[:, :10])
        rest = [decoding.step(tokens[:, place : place + 1]) for place in range(10, tokens.shape[1])]
    assert torch.allclose(torch.stack([first, *rest], dim=1)[0], whole[0, 9:], atol=1e-4)


def test_counts_are_saved_with_the_weights() -> None:
    network = counting()
    again = LanguageModel(SIZE, 64, SETTINGS, BEGIN).eval()
    again.load_state_dict(network.state_dict())
    tokens = marked(texts()[0][:30])
    assert torch.equal(network(tokens), again(tokens))
    without_counts = LanguageModel(SIZE, 64, replace(SETTINGS, counted=0), BEGIN)
    assert without_counts.counts.empty and not any("trust" in name for name in without_counts.state_dict())
