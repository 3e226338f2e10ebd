"""A language model asked one token at a time, as a search does: states instead of contexts, answers remembered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.ngrams.kneser_ney import KneserNey

_MOST_REMEMBERED = 300_000  # steps


class WordModel:
    """Steps through texts under a `KneserNey` model.

    A state is the longest context that the training text goes on from: a pair of its length and its number.

    Args:
        model: the model.
    """

    def __init__(self, model: KneserNey) -> None:
        self._width = model.size + 1
        self._order = model.order
        self._floor = -float(np.log(model.size))
        self._places = [dict(zip(one.codes.tolist(), range(len(one)), strict=True)) for one in model.grams]
        self._suffix = [one.suffix.tolist() for one in model.grams]
        self._logs = [_logs(values) for values in model.probability]
        self._left = [_logs(values) for values in model.left]
        self._steps: dict[tuple[int, int, int], tuple[float, tuple[int, int]]] = {}
        self.empty = (0, 0)
        self.begin = self._shortened(1, self._places[0].get(model.size, -1)) if model.order > 1 else self.empty

    def step(self, state: tuple[int, int], token: int) -> tuple[float, tuple[int, int]]:
        """The log probability of a token after a state, and the state after it."""
        key = (*state, token)
        found = self._steps.get(key)
        if found is None:
            if len(self._steps) > _MOST_REMEMBERED:
                self._steps.clear()
            found = self._steps[key] = self._step(*state, token)
        return found

    def walk(self, state: tuple[int, int], tokens: Sequence[int]) -> tuple[float, tuple[int, int]]:
        """As `step` for several tokens, one after the other."""
        total = 0.0
        for token in tokens:
            value, state = self.step(state, token)
            total += value
        return total, state

    def _step(self, length: int, number: int, token: int) -> tuple[float, tuple[int, int]]:
        total = 0.0
        while True:
            place = self._places[length].get(number * self._width + token)
            if place is not None:
                return total + self._logs[length][place], self._shortened(length + 1, place)
            total += self._left[length][number]
            if not length:
                return total + self._floor, self.empty
            number, length = self._suffix[length - 1][number], length - 1

    def _shortened(self, length: int, number: int) -> tuple[int, int]:
        """The longest end of an n-gram that the training text goes on from and that is short enough to be a context."""
        if number < 0:
            return self.empty
        while length and (length >= self._order or self._left[length][number] == 0.0):
            number, length = self._suffix[length - 1][number], length - 1
        return length, number


def _logs(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float]:
    with np.errstate(divide="ignore"):
        return list(np.log(values).tolist())
