"""What a language model says of passages, and what it writes after prompts.

Shapes: B windows, T tokens of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.arrays import array_of
from assay.evaluation.sequences import Hypothesis
from assay.networks.generation import Sampling, write_on
from assay.samples.passage_spec import PassageSpec
from assay.samples.passage_windows import cropped
from assay.task import number_of

if TYPE_CHECKING:
    from torch import Tensor, nn

Array = np.ndarray[Any, Any]
#: Tokens that are written after a prompt.
_WRITTEN = 300


def shifted(batch: Any, spec: PassageSpec) -> tuple[Any, Any, Any]:
    """Tokens (B, T) as the network sees them, what follows each, and where something does; arrays of arrays.

    Args:
        batch: has the fields `tokens`, `mask` and `hidden`; windows longer than the network reads count by their end.
        spec: the sample spec.
    """
    mask = batch.tokens >= 0 if batch.mask is None else batch.mask
    shown = batch.tokens if batch.hidden is None else batch.tokens.masked_fill(batch.hidden, spec.tokenizer.unknown)
    inputs, _ = cropped(shown, mask, spec.longest + 1)
    targets, real = cropped(batch.tokens, mask, spec.longest + 1)
    return inputs[:, :-1], targets[:, 1:], real[:, 1:]


def nats_of(network: nn.Module, batch: Any, spec: PassageSpec, leaves_out: bool = False) -> np.ndarray[Any, Any]:
    """(B,) minus the natural logarithm of the probability of the tokens that each window foretells.

    Args:
        network: a `LanguageModel`.
        batch: as `shifted` takes it.
        spec: the sample spec.
        leaves_out: the network counted these texts, and each place is left out of the counts that it is asked about.
    """
    network_: Any = network
    inputs, targets, real = shifted(batch, spec)
    losses = array_of(network_.losses(inputs, targets, leaves_out=leaves_out))
    counted = _foretold(array_of(real), array_of(batch.scored))
    return np.asarray((losses * counted).astype(np.float64).sum(axis=1))


def _foretold(real: Array, scored: Array) -> Array:
    """See `scored`."""
    from_end = real.sum(axis=1, keepdims=True) - np.arange(real.shape[1])
    return np.asarray(real & (from_end <= scored[:, None]))


def scored(batch: Any, real: Tensor) -> Tensor:
    """(B, T) bool, which of the targets that `shifted` gives are foretold by their window, and not by one before."""
    import torch

    return torch.from_numpy(_foretold(real.numpy(), batch.scored.numpy()))


def written(network: nn.Module, batch: Any, row: int, spec: PassageSpec, options: Mapping[str, Any]) -> Hypothesis:
    """What is written after a prompt; the options are `length`, `temperature`, `top_p` and `draw_seed`."""
    drawn = list(_tokens(network, batch, row, spec, options))
    text = spec.tokenizer.decode([token for token, _ in drawn]).rstrip("\ufffd")
    return Hypothesis(text, float(sum(log for _, log in drawn)), len(drawn))


def pieces_of(network: nn.Module, batch: Any, row: int, spec: PassageSpec, options: Mapping[str, Any]) -> Iterator[str]:
    """The same in pieces, as they are written; a character waits for its last byte."""
    waiting: list[int] = []
    for token, _ in _tokens(network, batch, row, spec, options):
        waiting.append(token)
        text = spec.tokenizer.decode(waiting)
        if not text.endswith("\ufffd"):
            yield text
            waiting = []


def _tokens(
    network: nn.Module, batch: Any, row: int, spec: PassageSpec, options: Mapping[str, Any]
) -> Iterator[tuple[int, float]]:
    """Tokens after a prompt, each with its log-probability."""
    prompt = batch.tokens[row] if batch.mask is None else batch.tokens[row][batch.mask[row]]
    network_: Any = network
    how, length = _sampling(options, spec)
    return write_on(lambda longest: network_.decoding(1, longest), prompt.tolist(), length, spec.longest, how)


def _sampling(options: Mapping[str, Any], spec: PassageSpec) -> tuple[Sampling, int]:
    tokenizer = spec.tokenizer
    sampling = Sampling(
        temperature=number_of(options, "temperature", 0.8, 0.0, 100.0),
        top_p=number_of(options, "top_p", 0.95, 0.0, 1.0),
        never=tuple({tokenizer.pad, tokenizer.begin, tokenizer.end, tokenizer.unknown}),
        seed=int(number_of(options, "draw_seed", 0, 0, 2**31, whole=True)),
    )
    return sampling, int(number_of(options, "length", _WRITTEN, 1, 1_000_000, whole=True))
