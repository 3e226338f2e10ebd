"""Writing on: tokens drawn one by one from what a language model says of the next.

Source: A. Holtzman et al., "The curious case of neural text degeneration", ICLR 2020, for `top_p`.

Shapes: V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from assay.arrays import array_of, log_softmax, softmax
from assay.networks.row_writing import stepped

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn.

    Attributes:
        temperature: below 1 the probable becomes more so; 0 takes the most probable token each time.
        top_p: draw from the most probable tokens that together hold this share; 1 for all.
        never: tokens that are not to be written.
        seed: of the draws.
    """

    temperature: float = 0.8
    top_p: float = 0.95
    never: tuple[int, ...] = ()
    seed: int = 0


class Roomy(Protocol):
    """A `Decoding` that knows how many tokens can still be appended to each row."""

    @property
    def room(self) -> int:
        """Tokens."""

    def step(self, tokens: Any) -> Any:
        """See `Decoding.step`."""


def write_on(
    begin: Callable[[int], Roomy], prompt: Sequence[int], count: int, longest: int, how: Sampling
) -> Iterator[tuple[int, float]]:
    """Tokens that go on from a prompt, each with its log-probability in nats, as they are drawn.

    A text that outgrows the network goes on from its last half, which is read again.

    Args:
        begin: begins a row of at most so many tokens, such as `LanguageModel.decoding` of one row.
        prompt: at least one token, such as the mark before a text.
        count: how many tokens to write at most.
        longest: tokens that the network takes at once.
        how: how to draw.

    Raises:
        ValueError: the prompt is empty.
    """
    if not len(prompt):
        raise ValueError("a prompt has at least one token; put the mark before a text where there is none")
    generator = np.random.default_rng(how.seed)
    text = [int(token) for token in prompt]
    unread = text[-longest:]
    decoding = begin(longest)
    for _ in range(count):
        if len(unread) > decoding.room:
            decoding, unread = begin(longest), text[-max(1, longest // 2) :]
        token, log_probability = draw(stepped(decoding, np.asarray([unread], np.int64))[0], how, generator)
        text.append(token)
        unread = [token]
        yield token, log_probability


def draw(logits: Any, how: Sampling, generator: np.random.Generator) -> tuple[int, float]:
    """A token, and its log-probability among all, before temperature and `top_p`; logits are (V,)."""
    logs = log_softmax(array_of(logits).astype(np.float64))
    allowed = logs.copy()
    allowed[list(how.never)] = -np.inf
    if how.temperature <= 0:
        token = int(allowed.argmax())
        return token, float(logs[token])
    shares = softmax(allowed / how.temperature)
    order = np.argsort(-shares, kind="stable")
    shares = shares[order]
    before = shares.cumsum() - shares
    kept = np.maximum(1, np.count_nonzero(before < how.top_p))  # one at least, for a top_p of 0
    ends = shares[:kept].cumsum()
    place = int(np.searchsorted(ends, generator.random() * ends[-1], side="right"))
    token = int(order[min(place, kept - 1)])
    return token, float(logs[token])
