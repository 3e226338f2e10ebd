"""Beam search: the best of the texts that a decoder can write, or nearly.

All texts of a batch are searched at once; one that is finished leaves the batch. Batches of texts of similar length
waste least.

Source: Y. Wu et al., "Google's neural machine translation system", 2016, in the form with a power of the length.

Shapes: S texts, K beams, R = S * K rows, V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import pad

from assay.networks.decoding import Decoding

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


@torch.inference_mode()
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
    scores = torch.full((len(texts), beams), _NEVER)
    scores[:, 0] = 0.0
    written = torch.zeros(len(texts) * beams, 0, dtype=torch.int64)
    last = torch.full((len(texts) * beams, 1), search.begin)
    while texts:
        logs = _allowed(decoding.step(last).float().log_softmax(dim=1), texts, written.shape[1], search)
        best, beam, token = _candidates(scores, logs, beams)
        rows = beam + torch.arange(len(texts))[:, None] * beams
        _take_finished(texts, best, rows, token, written, search)
        scores, chosen = _going_on(best, token, search)
        rows, last = rows.gather(1, chosen), token.gather(1, chosen)
        going = [
            len(text.found) < beams and bool(best > _NEVER) for text, best in zip(texts, scores[:, 0], strict=True)
        ]
        for text in (text for text, goes in zip(texts, going, strict=True) if not goes):
            finished[text.number] = sorted(text.found, key=lambda item: -item.score)[:beams]
        stay = torch.tensor(going).nonzero().flatten()
        if not len(stay):
            break
        dropped = len(stay) < len(texts)
        texts = [texts[place] for place in stay.tolist()]
        scores, rows, last = scores[stay], rows[stay].flatten(), last[stay].reshape(-1, 1)
        decoding.keep(rows, stay if dropped else None)
        written = torch.cat([written[rows], last], dim=1)
    return finished


def _allowed(logs: Tensor, texts: Sequence[_Text], length: int, search: Search) -> Tensor:
    """Log-probabilities (R, V) without what must not be written: after a text's most tokens, all but its end."""
    if search.never:
        logs[:, list(search.never)] = _NEVER
    if search.never_first and not length:
        some = torch.tensor([text.longest > 0 for text in texts]).repeat_interleave(search.beams)
        logs[some.nonzero(), torch.tensor(search.never_first)] = _NEVER
    full = torch.tensor([length >= text.longest for text in texts]).repeat_interleave(search.beams)
    if full.any():
        end = logs[full, search.end]
        logs[full] = _NEVER
        logs[full, search.end] = end
    return logs


def _candidates(scores: Tensor, logs: Tensor, beams: int) -> tuple[Tensor, Tensor, Tensor]:
    """The 2 K best continuations of each text, (S, 2K) each: log-probability, beam and token.

    Of the 2 K best at most K end the text, one for each beam, so that K others are left to go on with.
    """
    wanted = min(2 * beams, logs.shape[1])
    best, token = logs.topk(wanted, dim=1)  # (R, 2K) first, so that the vocabulary is looked through once
    total = (scores.flatten()[:, None] + best).view(len(scores), -1)
    best, place = total.topk(min(2 * beams, total.shape[1]), dim=1)
    return best, place // wanted, token.view(len(scores), -1).gather(1, place)


def _take_finished(
    texts: Sequence[_Text], best: Tensor, rows: Tensor, token: Tensor, written: Tensor, search: Search
) -> None:
    """Note the candidates among the K best of each text that end it."""
    ends = (token == search.end) & (best > _NEVER)
    ends[:, search.beams :] = False
    length = written.shape[1] + 1
    for place, column in ends.nonzero().tolist():
        text, value = texts[place], float(best[place, column])
        ids = tuple(written[rows[place, column]].tolist())
        text.found.append(Found(ids, value, value / length**search.length_penalty))


def _going_on(best: Tensor, token: Tensor, search: Search) -> tuple[Tensor, Tensor]:
    """Scores (S, K) and columns (S, K) of the K best candidates that do not end a text."""
    going = best.masked_fill(token == search.end, _NEVER)
    if going.shape[1] < search.beams:  # a vocabulary smaller than the beams
        going = pad(going, (0, search.beams - going.shape[1]), value=_NEVER)
    scores, chosen = going.topk(search.beams, dim=1)
    return scores, chosen.clamp_max(best.shape[1] - 1)
