"""Writing on: tokens drawn one by one from what a language model says of the next.

Source: A. Holtzman et al., "The curious case of neural text degeneration", ICLR 2020, for `top_p`.

Shapes: V tokens of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from assay.networks.decoding import TransformerDecoding


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


def write_on(
    begin: Callable[[int], TransformerDecoding], prompt: Sequence[int], count: int, longest: int, how: Sampling
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
    generator = torch.Generator().manual_seed(how.seed)
    text = [int(token) for token in prompt]
    unread = text[-longest:]
    decoding = begin(longest)
    for _ in range(count):
        if len(unread) > decoding.room:
            decoding, unread = begin(longest), text[-max(1, longest // 2) :]
        with torch.inference_mode():
            logits = decoding.step(torch.tensor([unread]))[0]
            token, log_probability = draw(logits, how, generator)
        text.append(token)
        unread = [token]
        yield token, log_probability


def draw(logits: Tensor, how: Sampling, generator: torch.Generator) -> tuple[int, float]:
    """A token, and its log-probability among all, before temperature and `top_p`; logits are (V,)."""
    logs = logits.float().log_softmax(dim=0)
    allowed = logs.clone()
    if how.never:
        allowed[list(how.never)] = float("-inf")
    if how.temperature <= 0:
        token = int(allowed.argmax())
        return token, float(logs[token])
    shares, order = (allowed / how.temperature).softmax(dim=0).sort(descending=True)
    before = shares.cumsum(0) - shares
    shares = shares.masked_fill(before >= how.top_p, 0.0)
    if not shares.any():  # top_p of 0
        shares[0] = 1.0
    token = int(order[torch.multinomial(shares, 1, generator=generator)])
    return token, float(logs[token])
