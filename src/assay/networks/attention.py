"""Attention: of tokens to one another, and of one text's tokens to another's.

Sources: A. Vaswani et al., "Attention is all you need", NIPS 2017; D. Bahdanau, K. Cho, Y. Bengio, "Neural machine
translation by jointly learning to align and translate", ICLR 2015.

Shapes: B texts, T tokens, S tokens of the other text, W channels, H heads, D = W / H channels of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from assay.networks.exporting import all_true, exporting
from assay.networks.key_value_cache import KeyValueCache
from assay.networks.positions import Rotary
from assay.networks.projections import closed, linear


class SelfAttention(nn.Module):
    """Tokens (B, T, W) look at the tokens of their own text; queries, keys and values are one product.

    Args:
        width: channels, W.
        heads: how many looks each token takes, H; wide heads cost less than narrow ones.
        causal: a token sees itself and those before it alone.
        rotary: turns queries and keys by their places; None where places are known otherwise.

    Raises:
        ValueError: the heads do not share the channels evenly.
    """

    def __init__(self, width: int, heads: int, causal: bool, rotary: Rotary | None) -> None:
        super().__init__()
        self.heads, self.causal, self.rotary = heads, causal, rotary
        self.head_width = check_heads(width, heads)
        self.queries_keys_values = linear(width, 3 * width, rows=self.head_width)
        self.out = closed(linear(width, width, columns=self.head_width))

    def forward(self, x: Tensor, keys_mask: Tensor | None = None, cache: KeyValueCache | None = None) -> Tensor:
        """(B, T, W) to the same shape.

        Args:
            x: the tokens; with a cache those after the ones that it holds.
            keys_mask: (B, 1, 1, T) bool, True for a token that may be looked at; None for all.
            cache: holds what came before and takes in these.
        """
        start = cache.length if cache is not None else 0
        parts = self.queries_keys_values(x).unflatten(-1, (3, self.heads, self.head_width))
        queries_keys, values = parts.split([2, 1], dim=2)
        if self.rotary is not None:
            queries_keys = self.rotary(queries_keys, start)
        queries, keys = (part.transpose(1, 2) for part in queries_keys.unbind(2))
        values = values.squeeze(2).transpose(1, 2)
        if cache is not None:
            keys, values = cache.append(keys, values)
        seen = self._look(queries, keys, values, keys_mask)
        mixed: Tensor = self.out(seen.transpose(1, 2).flatten(2))
        return mixed

    def _look(self, queries: Tensor, keys: Tensor, values: Tensor, keys_mask: Tensor | None) -> Tensor:
        new, held = queries.shape[2], keys.shape[2]
        if exporting() and self.causal:  # no size is compared with a number
            places = torch.arange(new) + (held - new)
            before = torch.arange(held)[None] <= places[:, None]
            keys_mask = before[None, None] if keys_mask is None else keys_mask & before
            return scaled_dot_product_attention(queries, keys, values, keys_mask)
        if self.causal and new > 1 and (keys_mask is not None or new < held):
            before = torch.ones(new, held, dtype=torch.bool, device=keys.device).tril(held - new)
            keys_mask = before if keys_mask is None else keys_mask & before
        whole = self.causal and new > 1 and keys_mask is None
        return scaled_dot_product_attention(queries, keys, values, keys_mask, is_causal=whole)


class CrossAttention(nn.Module):
    """Tokens (B, T, W) look at the tokens of another text (B, S, W), such as the sentence that is translated."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, check_heads(width, heads)
        self.queries = linear(width, width, rows=self.head_width)
        self.keys_values = linear(width, 2 * width, rows=self.head_width)
        self.out = closed(linear(width, width, columns=self.head_width))

    def remember(self, other: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (B, H, S, D) of the other text: the same for every token that looks at it."""
        keys, values = self.keys_values(other).unflatten(-1, (2, self.heads, self.head_width)).unbind(2)
        return keys.transpose(1, 2), values.transpose(1, 2)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, keys_mask: Tensor | None = None) -> Tensor:
        """(B, T, W) to the same shape.

        Args:
            x: the tokens; B may be a multiple of the other texts' number, where several in a row belong to each (the
                beams of a search).
            keys: of the other texts, see `remember`.
            values: of the other texts.
            keys_mask: (B, 1, 1, S) bool, True for a token that may be looked at; None for all.
        """
        queries = self.queries(x).unflatten(-1, (self.heads, self.head_width))
        texts = x.shape[0] if exporting() else len(keys)  # a graph's rows have texts of their own
        queries = queries.view(texts, -1, self.heads, self.head_width).transpose(1, 2)
        seen = scaled_dot_product_attention(queries, keys, values, keys_mask)
        mixed: Tensor = self.out(seen.transpose(1, 2).reshape(x.shape))
        return mixed


def check_heads(width: int, heads: int) -> int:
    """Channels of a head; raises `ValueError` where the heads do not share the channels evenly."""
    if heads < 1 or width % heads:
        raise ValueError(f"{heads} heads cannot share {width} channels evenly")
    return width // heads


def keys_mask(mask: Tensor | None) -> Tensor | None:
    """(B, 1, 1, T) out of a batch's mask (B, T); None where nothing is padded, which is quicker."""
    if mask is None or all_true(mask):
        return None
    return mask[:, None, None, :]
