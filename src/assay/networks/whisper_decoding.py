"""What a network of Whisper's kind writes about windows that its encoder heard, with little work beside the products.

The steps are those of transformers' decoder. Keys and values of what was heard are made once for a window, stand there
for all of its beams, and are moved only where a window before them is finished; those of what was written have their
places from the beginning. Where the network looks can be told afterwards without going through it again.

Shapes: S windows, K beams, R = S * K rows, T tokens, V of the vocabulary, W width, F frames, H heads of a layer,
D of a head, A heads that tell where a token is spoken, N tokens of a transcript.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from assay.networks.beam_search import Search
from assay.networks.decoding import Decoding
from assay.networks.speech_words import Written

_NEVER = float("-inf")


class WhisperDecoding(Decoding):
    """Rows that a network of Whisper's kind writes.

    Args:
        model: transformers' `WhisperForConditionalGeneration`, in evaluation mode.
        heard: (S, F, W) what its encoder says of each window.
        frames: of them that each window has; what is behind is not looked at.
        beams: rows of each window, which stand together.
        prefix: tokens before the first that it is given.
        longest: tokens of a row at most, the prefix counted.
        watched: layer and number of the heads whose looks `shares` tells; none where nobody asks. One beam alone.
    """

    def __init__(
        self,
        model: Any,
        heard: Tensor,
        frames: Sequence[int],
        beams: int,
        prefix: Sequence[int],
        longest: int,
        watched: Sequence[tuple[int, int]] = (),
    ) -> None:
        decoder = model.get_decoder()
        self._prefix, self._beams, self._watched = list(prefix), beams, tuple(watched)
        self._tokens, self._places = decoder.embed_tokens, decoder.embed_positions.weight
        self._norm, self._output = decoder.layer_norm, model.get_output_embeddings().weight
        self._layers = [_Layer(layer, heard, beams, longest) for layer in decoder.layers]
        there = torch.arange(heard.shape[1]) < torch.tensor(frames)[:, None]
        self._besides = None if there.all() else torch.zeros(there.shape).masked_fill_(~there, _NEVER)[:, None, None]
        self._length = self._steps = 0
        width = self._layers[0].heard_keys.shape[-1]
        self._queries = heard.new_empty(len(self._watched), len(heard) * beams, longest, width)  # of each step

    def step(self, tokens: Tensor) -> Tensor:
        """See `Decoding.step`."""
        tokens = pad(tokens, (len(self._prefix), 0))
        for place, token in enumerate(self._prefix):
            tokens[:, place] = token
        self._prefix = []
        first, self._length = self._length, self._length + tokens.shape[1]
        x = self._tokens(tokens) + self._places[first : self._length]
        looked = []
        for layer in self._layers:
            x, queries = layer(x, first, self._besides)
            looked.append(queries)
        for place, (number, head) in enumerate(self._watched):
            self._queries[place, :, self._steps] = looked[number][:, head, -1]
        self._steps += 1
        logits: Tensor = (self._output @ self._norm(x[:, -1]).T).T  # quicker than the other way round for a few rows
        return logits

    def keep(self, rows: Tensor, texts: Tensor | None = None) -> None:
        """See `Decoding.keep`; `texts` may move a window forwards only into a place that none after it comes from."""
        here = rows.tolist()
        if here == list(range(len(here))) and texts is None:
            return
        for layer in self._layers:
            layer.keep_rows(rows, self._length)
        self._queries = self._queries[:, rows] if self._watched else self._queries
        if texts is not None:
            self._besides = None if self._besides is None else self._besides[texts]
            for layer in self._layers:
                layer.keep_texts(texts.tolist())

    def shares(self, row: int) -> Tensor | None:
        """(A, T, F) where the watched heads looked in each of the T steps of a row; None where none is watched."""
        if not self._watched:
            return None
        keys = torch.stack([self._layers[layer].heard_keys[row, head] for layer, head in self._watched])
        scores = self._queries[:, row, : self._steps] @ keys.transpose(1, 2)
        return torch.softmax(scores if self._besides is None else scores + self._besides[row, 0], dim=-1)


class _Layer:
    """A layer of the decoder with what it remembers."""

    def __init__(self, layer: Any, heard: Tensor, beams: int, longest: int) -> None:
        self._layer, self._beams = layer, beams
        self._heads, self._scale = layer.self_attn.num_heads, layer.self_attn.scaling
        self.heard_keys = self._split(layer.encoder_attn.k_proj(heard)).contiguous()  # (S, H, F, D)
        self._heard_values = self._split(layer.encoder_attn.v_proj(heard)).contiguous()
        size = (len(heard) * beams, self._heads, longest, self.heard_keys.shape[-1])
        self._keys, self._values = heard.new_empty(size), heard.new_empty(size)

    def __call__(self, x: Tensor, first: int, besides: Tensor | None) -> tuple[Tensor, Tensor]:
        """(R, T, W) behind the layer, and what was asked of the heard (R, H, T, D).

        Args:
            x: (R, T, W) before it.
            first: the place of the first of the T tokens.
            besides: (S, 1, 1, F) what is added to the scores of frames; None for nothing.
        """
        layer = self._layer
        x = x + self._written(layer.self_attn, layer.self_attn_layer_norm(x), first)
        said, queries = self._heard(layer.encoder_attn, layer.encoder_attn_layer_norm(x), besides)
        x = x + said
        return x + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(x)))), queries

    def keep_rows(self, rows: Tensor, length: int) -> None:
        """Go on with some rows; so many places are filled."""
        for name in ("_keys", "_values"):
            held = getattr(self, name)
            held[: len(rows), :, :length] = held[rows, :, :length]
            setattr(self, name, held[: len(rows)])

    def keep_texts(self, texts: Sequence[int]) -> None:
        """Go on with some windows."""
        for held in (self.heard_keys, self._heard_values):
            for place, text in enumerate(texts):
                if place != text:
                    held[place] = held[text]
        self.heard_keys, self._heard_values = self.heard_keys[: len(texts)], self._heard_values[: len(texts)]

    def _written(self, attention: Any, x: Tensor, first: int) -> Tensor:
        end = first + x.shape[1]
        self._keys[:, :, first:end] = self._split(attention.k_proj(x))
        self._values[:, :, first:end] = self._split(attention.v_proj(x))
        queries = self._split(attention.q_proj(x) * self._scale)
        mask = torch.ones(x.shape[1], end, dtype=torch.bool).tril(first) if x.shape[1] > 1 else None
        found = scaled_dot_product_attention(
            queries, self._keys[:, :, :end], self._values[:, :, :end], attn_mask=mask, scale=1.0
        )
        said: Tensor = attention.out_proj(found.transpose(1, 2).flatten(2))
        return said

    def _heard(self, attention: Any, x: Tensor, besides: Tensor | None) -> tuple[Tensor, Tensor]:
        queries = self._split(attention.q_proj(x) * self._scale)
        texts, many = len(self.heard_keys), self._beams * x.shape[1]
        beside = queries.view(texts, self._beams, self._heads, x.shape[1], -1).transpose(1, 2).flatten(2, 3)
        scores = beside @ self.heard_keys.transpose(2, 3)  # (S, H, K * T, F)
        scores = scores if besides is None else scores.add_(besides)
        found = (torch.softmax(scores, dim=-1) @ self._heard_values).view(
            texts, self._heads, self._beams, many // self._beams, -1
        )
        said: Tensor = attention.out_proj(found.permute(0, 2, 3, 1, 4).reshape(x.shape))
        return said, queries

    def _split(self, x: Tensor) -> Tensor:
        """(R, T, W) by heads: (R, H, T, D)."""
        return x.view(*x.shape[:2], self._heads, -1).transpose(1, 2)


@torch.inference_mode()
def write(decoding: WhisperDecoding, longest: Sequence[int], search: Search) -> list[Written]:
    """The most probable token of each window again and again, which `beam_search` finds with one beam, too.

    Args:
        decoding: begun with one row for each of the S windows.
        longest: the most tokens of each, without the end; 1 or more.
        search: which tokens count; its beams and what it makes of the length do not.
    """
    found: dict[int, Written] = {}
    rows = list(range(len(longest)))  # the window of each row
    ids: list[list[int]] = [[] for _ in rows]
    nats: list[list[float]] = [[] for _ in rows]
    last = torch.full((len(rows), 1), search.begin)
    never, first = (torch.tensor(some, dtype=torch.int64) for some in (search.never, search.never_first))
    for length in count():
        logits = decoding.step(last).float()
        total = logits.logsumexp(dim=1)
        logits = logits.index_fill_(1, never if length else torch.cat([never, first]), _NEVER)
        full = torch.tensor([length >= longest[number] for number in rows])
        best = logits.argmax(dim=1).masked_fill_(full, search.end)
        gained, going = logits.gather(1, best[:, None])[:, 0] - total, best != search.end
        for number, token, gain, goes, place in zip(rows, best.tolist(), gained.tolist(), going.tolist(), count()):
            nats[number].append(gain)
            if goes:
                ids[number].append(token)
            else:
                told = tuple(nats[number])
                found[number] = Written(tuple(ids[number]), sum(told), told, decoding.shares(place))
        if not going.any():
            break
        stay = torch.tensor(_closed_up(going.tolist()))
        decoding.keep(stay, None if going.all() else stay)
        rows, last = [rows[place] for place in stay.tolist()], best[stay][:, None]
    return [found[number] for number in range(len(longest))]


def _closed_up(going: Sequence[bool]) -> list[int]:
    """The places that go on: each where it is, but for the last ones, which take the places of those that do not."""
    left = sum(going)
    behind = [place for place in range(left, len(going)) if going[place]]
    return [place if going[place] else behind.pop() for place in range(left)]
