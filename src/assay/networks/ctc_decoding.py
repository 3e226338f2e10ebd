"""The text that a CTC network says: token by token, or by a search that also asks a language model.

Sources: A. Graves et al., "Connectionist temporal classification", ICML 2006; prefix beam search with a language model:
A. Hannun et al., "First-pass large vocabulary continuous speech recognition using bi-directional recurrent DNNs",
2014.

Shapes: F frames, V tokens of the vocabulary with the blank.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
_NEVER = -math.inf
#: Where the blank is so probable, nothing else is looked at.
_SURE = math.log(0.9995)


@dataclass(frozen=True)
class CtcSearch:
    """How to search.

    Attributes:
        beams: prefixes that are followed at once; 1 takes the most probable token of each frame.
        language_weight: what a language model's log-probability counts, of the network's.
        token_bonus: nats that each token gains, since a language model makes longer texts less probable.
        least: tokens less probable than this in a frame (nats) are not looked at.
        widest: so many tokens of a frame are looked at, at most.
        blank: the token that says nothing.
    """

    beams: int = 8
    language_weight: float = 0.4
    token_bonus: float = 0.5
    least: float = math.log(1e-3)
    widest: int = 16
    blank: int = 0


class NextToken(Protocol):
    """A language model of tokens."""

    def __call__(self, prefix: tuple[int, ...]) -> Array:
        """(V,) nats of each token after a prefix, of which only the end need count."""


@dataclass(frozen=True)
class CtcFound:
    """A text that was found.

    Attributes:
        ids: its tokens.
        log_probability: of the text under the network alone, over the paths that were followed, in nats.
    """

    ids: tuple[int, ...]
    log_probability: float


def ctc_greedy(log_probabilities: Array, blank: int = 0) -> CtcFound:
    """The tokens of the most probable path (F, V); its log-probability is that of this path."""
    if not len(log_probabilities):
        return CtcFound((), 0.0)
    path = log_probabilities.argmax(axis=1)
    changed = np.concatenate([[True], path[1:] != path[:-1]])
    ids = path[changed & (path != blank)]
    return CtcFound(tuple(ids.tolist()), float(log_probabilities.max(axis=1).sum()))


def ctc_beam_search(log_probabilities: Array, search: CtcSearch, language: NextToken | None = None) -> CtcFound:
    """The best text that a prefix beam search finds.

    Args:
        log_probabilities: (F, V).
        search: how to search.
        language: a language model; None for none.
    """
    if search.beams <= 1 and language is None:
        return ctc_greedy(log_probabilities, search.blank)
    beams: dict[tuple[int, ...], _Beam] = {(): _Beam(0.0, _NEVER, 0.0)}
    remembered: dict[tuple[int, ...], Array] = {}

    def told(prefix: tuple[int, ...], token: int) -> float:
        if language is None:
            return 0.0
        if prefix not in remembered:
            remembered[prefix] = language(prefix)
        return search.language_weight * float(remembered[prefix][token]) + search.token_bonus

    for frame in np.asarray(log_probabilities, float):
        blank = float(frame[search.blank])
        if blank > _SURE:
            for beam in beams.values():
                beam.blank, beam.token = beam.total + blank, _NEVER
            continue
        beams = _stepped(beams, frame, _looked_at(frame, search), search, told)
    best = max(beams, key=lambda prefix: beams[prefix].total + beams[prefix].language)
    return CtcFound(best, beams[best].total)


class _Beam:
    """A prefix: nats of its paths that end in a blank, and in its last token; what a language model gives it."""

    __slots__ = ("blank", "language", "token")

    def __init__(self, blank: float, token: float, language: float) -> None:
        self.blank, self.token, self.language = blank, token, language

    @property
    def total(self) -> float:
        return _sum(self.blank, self.token)


def _looked_at(frame: Array, search: CtcSearch) -> list[int]:
    """The tokens of a frame that a prefix may be lengthened by."""
    found = np.flatnonzero(frame > search.least)
    found = found[found != search.blank]
    if len(found) > search.widest:
        found = found[np.argsort(-frame[found], kind="stable")[: search.widest]]
    return [int(token) for token in found]


def _stepped(
    beams: dict[tuple[int, ...], _Beam],
    frame: Array,
    tokens: Sequence[int],
    search: CtcSearch,
    told: Callable[[tuple[int, ...], int], float],
) -> dict[tuple[int, ...], _Beam]:
    """The best prefixes after one more frame."""
    grown: dict[tuple[int, ...], _Beam] = {}

    def add(prefix: tuple[int, ...], blank: float, token: float, language: float) -> None:
        beam = grown.get(prefix)
        if beam is None:
            grown[prefix] = _Beam(blank, token, language)
        else:
            beam.blank, beam.token = _sum(beam.blank, blank), _sum(beam.token, token)

    for prefix, beam in beams.items():
        last = prefix[-1] if prefix else -1
        repeated = beam.token + float(frame[last]) if prefix else _NEVER
        add(prefix, beam.total + float(frame[search.blank]), repeated, beam.language)
        for token in tokens:
            before = beam.blank if token == last else beam.total
            if before > _NEVER:
                add((*prefix, token), _NEVER, before + float(frame[token]), beam.language + told(prefix, token))
    kept = sorted(grown, key=lambda prefix: -(grown[prefix].total + grown[prefix].language))[: search.beams]
    return {prefix: grown[prefix] for prefix in kept}


def _sum(one: float, other: float) -> float:
    """The logarithm of the sum of two numbers of which logarithms are given."""
    if one < other:
        one, other = other, one
    return one if other == _NEVER else one + math.log1p(math.exp(other - one))
