"""Cepstra, the SVM on them and templates under warping: known answers, storage, and what is damaged."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from assay.baselines._cepstra import COEFFICIENTS, cepstra
from assay.baselines.dtw_templates import FRAMES, DtwTemplates, warped, words
from assay.baselines.mfcc_svm import MfccSvm, statistics
from assay.errors import DataError, RunError
from assay.targets.class_target import ClassTarget
from sound_examples import RATE, WORDS, spoken

TARGET = ClassTarget((*WORDS, "other"))
OTHER = len(WORDS)
MODELS = [MfccSvm, DtwTemplates]


class FakeView:
    """A view of sounds that are in memory."""

    def __init__(self, sounds: np.ndarray, truths: np.ndarray) -> None:
        self._sounds, self._truths, self.units = sounds, truths, np.arange(len(truths))
        self.samples = SimpleNamespace(spec=SimpleNamespace(length=sounds.shape[1]), view_of=self._of)

    def __len__(self) -> int:
        return len(self._truths)

    def _of(self, units: np.ndarray) -> FakeView:
        return FakeView(self._sounds[units], self._truths[units])

    def sample(self, count: int, seed: int = 0) -> FakeView:
        return self._of(self.units[:count])

    def field(self, name: str) -> Any:
        yield self._sounds

    def truths(self) -> np.ndarray:
        return self._truths


def view(count: int, seed: int) -> Any:
    random = np.random.default_rng(seed)
    truths = np.arange(count) % len(WORDS)
    sounds = np.zeros((count, 3600), np.float32)
    for row, truth in enumerate(truths):
        sound = spoken(list(WORDS)[truth], random)
        begin = random.integers(0, 3600 - len(sound))
        sounds[row, begin : begin + len(sound)] = sound
    return FakeView(sounds, truths)


def test_cepstra_do_not_know_how_loud_or_where_a_word_is() -> None:
    sound = spoken("up", np.random.default_rng(0))
    clips = np.zeros((3, 6000), np.float32)
    clips[0, 400 : 400 + len(sound)] = clips[1, 2000 : 2000 + len(sound)] = sound
    clips[2] = 0.3 * clips[1]
    found = cepstra(clips, RATE)
    assert all(frames.shape[1] == 3 * COEFFICIENTS for frames in found)
    assert abs(len(found[0]) - len(found[1])) <= 1 and len(found[1]) == len(found[2])
    assert np.allclose(found[1], found[2], atol=0.3)
    assert statistics(clips, RATE).shape[0] == 3 and words(clips, RATE).shape == (3, FRAMES, 2 * COEFFICIENTS)


def _naive(first: np.ndarray, second: np.ndarray, band: int) -> float:
    """Sakoe and Chiba's recursion, cell by cell."""
    size = len(first)
    cost = np.full((size, size), np.inf)
    for row in range(size):
        for column in range(size):
            if abs(row - column) > band:
                continue
            apart = np.linalg.norm(first[row] - second[column])
            if row == column == 0:
                cost[row, column] = 2 * apart
                continue
            ways = []
            if row:
                ways.append(cost[row - 1, column] + apart)
            if column:
                ways.append(cost[row, column - 1] + apart)
            if row and column:
                ways.append(cost[row - 1, column - 1] + 2 * apart)
            cost[row, column] = min(ways)
    return float(cost[-1, -1] / (2 * size))


def test_warping_is_that_of_the_recursion() -> None:
    random = np.random.default_rng(0)
    asked, templates = (random.normal(size=(count, 10, 3)).astype(np.float32) for count in (4, 7))
    expected = [[_naive(one, other, 3) for other in templates] for one in asked]
    assert np.allclose(warped(asked, templates, 3), expected, rtol=1e-4)


def test_what_is_said_slower_is_near() -> None:
    frames = np.sin(np.linspace(0, 6, 24))[:, None].astype(np.float32)
    late = np.sin(6 * np.linspace(0, 1, 24) ** 1.2)[:, None].astype(np.float32)
    straight = float(np.abs(frames - late).mean())
    assert float(warped(frames[None], late[None])[0, 0]) < 0.4 * straight
    assert float(warped(frames[None], frames[None])[0, 0]) < 1e-3


@pytest.mark.parametrize("kind", MODELS)
def test_it_knows_words_of_other_voices_and_what_is_none(kind: Any, tmp_path: Path) -> None:
    model = kind(TARGET, RATE, OTHER)
    train, validation, test = view(80, 0), view(20, 1), view(60, 2)
    assert model.fit(train, validation, 20.0, 0)
    outputs = np.asarray(model.predict(test))
    assert np.allclose(outputs.sum(axis=1), 1) and (outputs >= 0).all()
    assert (outputs.argmax(axis=1) == test.truths()).mean() > 0.9
    hiss = np.random.default_rng(3).normal(0, 0.1, (20, 3600)).astype(np.float32)
    noise = FakeView(hiss, np.full(20, OTHER))
    assert (np.asarray(model.predict(noise)).argmax(axis=1) == OTHER).mean() > 0.7
    model.save(tmp_path)
    loaded = kind(TARGET, RATE, OTHER)
    loaded.load(tmp_path)
    assert np.array_equal(loaded.predict(test), outputs)
    assert np.asarray(loaded.predict(FakeView(hiss[:0], np.zeros(0, np.int64)))).shape == (0, TARGET.outputs)


@pytest.mark.parametrize("kind", MODELS)
def test_without_a_validation_side_a_tenth_is_set_aside_and_without_clips_it_says_so(kind: Any) -> None:
    nothing = FakeView(np.zeros((0, 3600), np.float32), np.zeros(0, np.int64))
    model = kind(TARGET, RATE, None)
    model.fit(view(40, 0), nothing, 5.0, 0)
    assert (np.asarray(model.predict(view(20, 1))).argmax(axis=1) == view(20, 1).truths()).mean() > 0.6
    unknown = FakeView(np.zeros((3, 3600), np.float32), np.full(3, -1))
    with pytest.raises(DataError):
        kind(TARGET, RATE, None).fit(unknown, nothing, 5.0, 0)
    with pytest.raises(RunError):
        kind(TARGET, RATE, None).predict(unknown)


@pytest.mark.parametrize("kind", MODELS)
def test_a_damaged_file_is_an_error(kind: Any, tmp_path: Path) -> None:
    model = kind(TARGET, RATE, OTHER)
    model.fit(view(30, 0), view(10, 1), 5.0, 0)
    model.save(tmp_path)
    with pytest.raises(RunError):
        kind(ClassTarget(("a", "b")), RATE, None).load(tmp_path)
    for file in sorted(tmp_path.iterdir()):
        kept = file.read_bytes()
        file.write_bytes(kept[: len(kept) // 2])
        with pytest.raises(RunError):
            kind(TARGET, RATE, OTHER).load(tmp_path)
        file.write_bytes(kept)
