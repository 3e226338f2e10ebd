"""What stands alone, and what a detector makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from assay.serving.listening import Detector, Hearing
from assay.serving.standing_alone import Alone

FRAME_S = 0.02
RATE = 8000


def powers(*stretches: tuple[float, float]) -> np.ndarray:
    """Frames of stretches of so many seconds and decibels each."""
    return np.concatenate([np.full(round(seconds / FRAME_S), 10 ** (level / 10)) for seconds, level in stretches])


@pytest.mark.parametrize(
    ("stretches", "holds"),
    [
        ([(0.6, -60), (0.4, 0), (0.2, -60)], True),
        ([(0.6, -60), (0.4, 0), (0.06, -60)], False),  # it may go on
        ([(0.2, -60), (0.4, 0), (0.6, -60)], False),  # what was before the quiet is not known
        ([(0.3, 0), (0.2, -60), (0.3, 0), (0.2, -60)], False),  # the last word of a sentence
        ([(0.5, -60), (0.2, 0), (0.2, -60), (0.2, 0), (0.2, -60)], True),  # a command of two words
        ([(0.6, -20), (0.4, 0), (0.2, -20)], True),  # over softer voices
        ([(0.6, -6), (0.4, 0), (0.2, -6)], False),  # over others
        ([(0.6, -60), (0.3, 0), (0.2, -9), (0.2, -60)], True),  # a soft end
        ([(1.0, -60)], False),
    ],
)
def test_what_has_quiet_about_it_stands_alone(stretches: list[tuple[float, float]], holds: bool) -> None:
    assert Alone(0.4, 0.12, 12.0).holds(powers(*stretches), FRAME_S) is holds


def test_a_command_is_heard_alone_and_not_in_a_sentence() -> None:
    shown = []

    def loud(windows: np.ndarray) -> np.ndarray:
        shown.append(len(windows))
        share = np.full(len(windows), 0.95)
        return np.stack([share, 1 - share], axis=1)

    def tone(seconds: float) -> np.ndarray:
        return np.sin(np.arange(round(seconds * RATE))).astype(np.float32)

    quiet = np.zeros(RATE, np.float32)
    sentence = np.concatenate([part for _ in range(6) for part in (tone(0.3), np.zeros(RATE // 10, np.float32))])
    hearing = Hearing(RATE, 1.0, hop_s=0.04, smoothing_s=0.08, threshold=0.9)
    plain = Detector(loud, ["go", "other"], hearing, silent=["other"])
    assert [*plain.push(np.concatenate([quiet, tone(0.3), sentence])), *plain.close()]
    everywhere, shown[:] = sum(shown), []
    alone = Detector(loud, ["go", "other"], Hearing(**{**vars(hearing), "alone": Alone()}), silent=["other"])
    assert alone.push(np.concatenate([quiet, sentence])) == []
    heard = alone.push(np.concatenate([quiet, tone(0.3), quiet]))
    end_s = len(sentence) / RATE + 2.3
    assert [one.command for one in heard] == ["go"] and 0 < heard[0].at_s - end_s < 0.3
    assert sum(shown) < everywhere / 2, "windows that are not alone are not classified"


@pytest.mark.parametrize(("seconds", "heard"), [(0.1, 1), (0.5, 1), (1.0, 1), (1.5, 0)])
def test_a_command_may_fill_its_window_but_no_more(seconds: float, heard: int) -> None:
    def loud(windows: np.ndarray) -> np.ndarray:
        return np.repeat([[0.95, 0.05]], len(windows), axis=0)

    hearing = Hearing(RATE, 1.0, hop_s=0.03, smoothing_s=0.06, threshold=0.9, alone=Alone())
    detector = Detector(loud, ["go", "other"], hearing, silent=["other"])
    quiet = np.zeros(RATE, np.float32)
    found = detector.push(np.concatenate([quiet, np.sin(np.arange(round(seconds * RATE))).astype(np.float32), quiet]))
    assert len(found) == heard
