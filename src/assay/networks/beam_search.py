"""Beam search: the best of the texts that a decoder can write, or nearly.

All texts of a batch are searched at once; one that is finished leaves the batch. Batches of texts of similar length
waste least.

Source: Y. Wu et al., "Google's neural machine translation system", 2016, in the form with a power of the length.

Shapes: S texts, K beams, R = S * K rows, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from assay.arrays import largest, log_softmax
from assay.networks.row_writing import Decoding, kept, stepped

Array = np.ndarray[Any, Any]
_NEVER = float("-inf")


@dataclass(frozen=True)
class Search:
    """How to search.

    Attributes:
        begin: the token before the first.
        end: the token after the last.
        beams: texts kept at each step; 1 takes the most probable token each time.
        length_penalty: the power of the length that log-probabilities are divided by; larger gives longer texts.
        never: tokens that are not to be written.
        never_first: tokens that no text begins with.
    """

    begin: int
    end: int
    beams: int = 4
    length_penalty: float = 1.0
    never: tuple[int, ...] = ()
    never_first: tuple[int, ...] = ()


@dataclass(frozen=True)
class Found:
    """A text that was found.

    Attributes:
        ids: its tokens, without `begin` and `end`.
        log_probability: of the tokens and the end, in nats.
        score: what was searched by: the log-probability over the power of the length, the end counted.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float


@dataclass
class _Text:
    """A text being searched: its number in the batch, and what it has found."""

    number: int
    longest: int
    found: list[Found] = field(default_factory=list)


def beam_search(start: Callable[[int], Decoding], longest: Sequence[int], search: Search) -> list[list[Found]]:
    """The best texts that a decoder can write.

    Args:
        start: begins so many rows for each text, which stand together.
        longest: the most tokens of each of the S texts, without the end.
        search: how to search.

    Returns:
        For each text, at most `beams` that were found, the best first.
    """
    decoding, beams = start(search.beams), search.beams
    texts = [_Text(number, most) for number, most in enumerate(longest)]
    finished: list[list[Found]] = [[] for _ in texts]
    scores = np.full((len(texts), beams), _NEVER, np.float32)
    scores[:, 0] = 0.0
    written = np.zeros((len(texts) * beams, 0), np.int64)
    last = np.full((len(texts) * beams, 1), search.begin)
    while texts:
        said = _Said.of(stepped(decoding, last), texts, written.shape[1], search)
        best, beam, token = _candidates(scores, said, beams)
        rows = beam + np.arange(len(texts))[:, None] * beams
        _take_finished(texts, best, rows, token, written, search)
        scores, chosen = _going_on(best, token, search)
        rows, last = np.take_along_axis(rows, chosen, 1), np.take_along_axis(token, chosen, 1)
        going = [
            len(text.found) < beams and bool(best > _NEVER) for text, best in zip(texts, scores[:, 0], strict=True)
        ]
        for text in (text for text, goes in zip(texts, going, strict=True) if not goes):
            finished[text.number] = sorted(text.found, key=lambda item: -item.score)[:beams]
        stay = np.flatnonzero(going)
        if not len(stay):
            break
        dropped = len(stay) < len(texts)
        texts = [texts[place] for place in stay.tolist()]
        scores, rows, last = scores[stay], rows[stay].flatten(), last[stay].reshape(-1, 1)
        kept(decoding, rows, stay if dropped else None)
        written = np.concatenate([written[rows], last], axis=1)
    return finished


@dataclass(frozen=True)
class _Said:
    """The most probable tokens after each row: log-probabilities (R, W) and tokens (R, W), the best first."""

    logs: Array
    tokens: Array

    @staticmethod
    def of(logits: Any, texts: Sequence[_Text], length: int, search: Search) -> _Said:
        """Without what must not be written: after a text's most tokens, all but its end."""
        first = [text.longest > 0 and not length for text in texts]
        never = np.repeat(np.asarray(first, bool), search.beams) if search.never_first and any(first) else None
        logs, tokens, end = (_best_of_array if isinstance(logits, np.ndarray) else _best_of_tensor)(
            logits, 2 * search.beams, search, never
        )
        full = np.repeat([length >= text.longest for text in texts], search.beams)
        logs[full], tokens[full] = _NEVER, search.end
        logs[full, 0] = end[full]
        return _Said(logs, tokens)


def _best_of_tensor(logits: Any, count: int, search: Search, never_first: Array | None) -> tuple[Array, Array, Array]:
    """Log-probabilities and tokens of the `count` best of each row, and the log-probability of the end (R,)."""
    import torch

    logs = logits.float().log_softmax(dim=1)
    if search.never:
        logs[:, list(search.never)] = _NEVER
    end = logs[:, search.end].numpy().copy()
    if never_first is not None:
        logs[torch.from_numpy(never_first).nonzero(), torch.tensor(search.never_first)] = _NEVER
    best, token = logs.topk(min(count, logs.shape[1]), dim=1)
    return best.numpy().copy(), token.numpy().copy(), end


def _best_of_array(logits: Array, count: int, search: Search, never_first: Array | None) -> tuple[Array, Array, Array]:
    """The same of an array."""
    logs = log_softmax(logits.astype(np.float32, copy=False))
    if search.never:
        logs[:, list(search.never)] = _NEVER
    end = logs[:, search.end].copy()
    if never_first is not None:
        logs[np.ix_(np.flatnonzero(never_first), np.asarray(search.never_first))] = _NEVER
    token = np.stack([largest(row, count) for row in logs]) if len(logs) else np.zeros((0, 1), np.int64)
    return np.take_along_axis(logs, token, 1), token, end


def _candidates(scores: Array, said: _Said, beams: int) -> tuple[Array, Array, Array]:
    """The 2 K best continuations of each text, (S, 2K) each: log-probability, beam and token.

    Of the 2 K best at most K end the text, one for each beam, so that K others are left to go on with.
    """
    wanted = said.logs.shape[1]
    total = (scores.reshape(-1, 1) + said.logs).reshape(len(scores), -1)
    place = np.argsort(-total, axis=1, kind="stable")[:, : 2 * beams]
    token = np.take_along_axis(said.tokens.reshape(len(scores), -1), place, 1)
    return np.take_along_axis(total, place, 1), place // wanted, token


def _take_finished(
    texts: Sequence[_Text], best: Array, rows: Array, token: Array, written: Array, search: Search
) -> None:
    """Note the candidates among the K best of each text that end it."""
    ends = (token == search.end) & (best > _NEVER)
    ends[:, search.beams :] = False
    length = written.shape[1] + 1
    for place, column in np.argwhere(ends).tolist():
        text, value = texts[place], float(best[place, column])
        ids = tuple(written[rows[place, column]].tolist())
        text.found.append(Found(ids, value, value / length**search.length_penalty))


def _going_on(best: Array, token: Array, search: Search) -> tuple[Array, Array]:
    """Scores (S, K) and columns (S, K) of the K best candidates that do not end a text."""
    going = np.where(token == search.end, np.float32(_NEVER), best)
    short = search.beams - going.shape[1]
    if short > 0:  # a vocabulary smaller than the beams
        going = np.pad(going, ((0, 0), (0, short)), constant_values=_NEVER)
    chosen = np.argsort(-going, axis=1, kind="stable")[:, : search.beams]
    return np.take_along_axis(going, chosen, 1), chosen.clip(max=best.shape[1] - 1)
