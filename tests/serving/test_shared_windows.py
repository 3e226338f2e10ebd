"""Energies of a stream that are computed once give the answers of windows that are looked at one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from assay.networks.keyword_net import KeywordNet, KeywordNetSettings
from assay.serving.ears import WholeWindows
from assay.serving.listening import Detector, Hearing
from assay.serving.shared_windows import SharedWindows, ear_of

RATE, CLASSES = 8000, ("a", "b", "other")
HEARING = Hearing(RATE, window_s=0.8, hop_s=0.05, smoothing_s=0.2)


@pytest.fixture(scope="module")
def network() -> KeywordNet:
    torch.manual_seed(0)
    return KeywordNet(RATE, 3, KeywordNetSettings(width=8)).eval()


def whole(network: KeywordNet, windows: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(network(torch.from_numpy(windows)).softmax(1))


def judge(network: KeywordNet, energies: torch.Tensor) -> np.ndarray:
    return np.asarray(network.judge(energies).softmax(1))


def shared(network: KeywordNet, hop: int = 400) -> object:
    length = round(HEARING.window_s * RATE)
    return ear_of(network, lambda one: judge(network, one), lambda one: whole(network, one), length, hop)


@pytest.mark.parametrize("chunk", [313, 400, 8000, 40_000])
def test_answers_are_those_of_whole_windows(network: KeywordNet, chunk: int) -> None:
    random = np.random.default_rng(0)
    loud = np.repeat([1, 0, 0, 1, 1], 8000)  # stretches of silence, which nobody asks about
    sound = (0.2 * loud * random.standard_normal(40_000)).astype(np.float32)
    ear = shared(network)
    assert isinstance(ear, SharedWindows)
    found, expected = (Detector(one, CLASSES, HEARING, ["other"]) for one in (ear, lambda one: whole(network, one)))
    heard = [np.concatenate([one.smoothed(sound[start : start + chunk]) for start in range(0, 40_000, chunk)])
             for one in (found, expected)]  # fmt: skip
    assert 0 < np.count_nonzero(heard[0].any(axis=1)) < len(heard[0])
    assert np.allclose(heard[0], heard[1], atol=1e-5)


def test_frames_that_do_not_fit_a_hop_are_not_shared(network: KeywordNet) -> None:
    assert isinstance(shared(network, 430), WholeWindows)
    assert isinstance(ear_of(torch.nn.Linear(2, 2), lambda one: np.zeros(0), lambda one: one, 100, 10), WholeWindows)
