"""How often each token followed the few before it, as a part of a network.

Interpolated modified Kneser-Ney (see `assay.ngrams.kneser_ney`) over the network's own tokens, in tensors that are
saved with its weights.

Shapes: B texts, T tokens, V tokens of the vocabulary, K orders, G n-grams of an order, C contexts (the n-grams of the
order below), N places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.ngrams.counts import count_ngrams, counts_at, join, sums_of_contexts
from assay.ngrams.kneser_ney import tune

#: N-grams that are kept at most, of all orders together.
_MOST_GRAMS = 3_000_000


@dataclass(frozen=True)
class _Order:
    """One order, as `CountedNgrams` looks it up.

    Attributes:
        codes: (G,) int64, ascending: the context's number times (V + 1), plus the last token.
        counts: (G,).
        totals: (C,), of each context the sum of counts.
        kinds: (C, 3), of each context how many counts are one, two, and three or more.
        discounts: (4,), of counts of zero, one, two, and three or more.
    """

    codes: Tensor
    counts: Tensor
    totals: Tensor
    kinds: Tensor
    discounts: Tensor

    def find(self, codes: Tensor) -> Tensor:
        """Numbers of n-grams by their codes; -1 where there is none."""
        if not len(self.codes):
            return torch.full_like(codes, -1)
        places = torch.searchsorted(self.codes, codes).clamp_max(len(self.codes) - 1)
        return torch.where(self.codes[places] == codes, places, -1)


class CountedNgrams(nn.Module):
    """The probability of each token after the tokens before it, from counts of a text.

    Args:
        size: of the vocabulary, V.
        begin: the token that stands before a text.
        order: tokens of the longest n-gram that is counted, K.
    """

    def __init__(self, size: int, begin: int, order: int) -> None:
        super().__init__()
        self.size, self.begin, self.order = size, begin, order
        for place in range(order):
            self.register_buffer(f"codes_{place}", torch.zeros(0, dtype=torch.int64))
            self.register_buffer(f"counts_{place}", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("discounts", torch.zeros(order, 3))
        self._orders: tuple[_Order, ...] | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing was counted yet."""
        return not self.order or not len(self.get_buffer("codes_0"))

    def count(self, texts: Sequence[Any], aside: Sequence[Any]) -> None:
        """Count the n-grams of texts (T_i,) of tokens, without the mark before each.

        Args:
            texts: what is counted.
            aside: texts that the discounts are chosen on.
        """
        grams = count_ngrams(join(texts, self.size), self.order, _MOST_GRAMS)
        discounts = tune(grams, len(grams), join(aside, self.size))
        for place in range(self.order):
            there = place < len(grams)
            codes = grams[place].codes if there else np.zeros(0)
            counts = counts_at(grams, place) if there else np.zeros(0)
            setattr(self, f"codes_{place}", torch.from_numpy(codes.astype(np.int64)))
            setattr(self, f"counts_{place}", torch.from_numpy(counts.astype(np.int32)))
            self.get_buffer("discounts")[place] = torch.from_numpy(discounts[place]) if there else 0.0
        self._orders = None

    def probabilities(self, tokens: Tensor, targets: Tensor, leaves_out: bool = False) -> tuple[Tensor, Tensor]:
        """The probability of each target, and which n-grams had a say: (B, T) float32 and (B, T) int64.

        The second is the length of the longest n-gram whose context was seen, 0 for none.

        Args:
            tokens: (B, T).
            targets: (B, T), what follows each token.
            leaves_out: the texts were counted, and each place is asked about as if it had not been.
        """
        orders, contexts = self._looked_up(), self._contexts(tokens)
        numbers = [torch.where(context >= 0, order.find(context * (self.size + 1) + targets), -1)
                   for order, context in zip(orders, contexts, strict=True)]  # fmt: skip
        counts = [torch.where(number >= 0, order.counts[number.clamp_min(0)], 0.0)
                  for order, number in zip(orders, numbers, strict=True)]  # fmt: skip
        fewer = _fewer(counts, contexts) if leaves_out else [torch.zeros_like(one) for one in counts]
        found = torch.full(tokens.shape, 1 / self.size)
        longest = torch.zeros(tokens.shape, dtype=torch.int64)
        for place, (order, context, count, less) in enumerate(zip(orders, contexts, counts, fewer, strict=True)):
            at = context.clamp_min(0)
            total, own = order.totals[at] - less, count - less
            left = order.kinds[at] @ order.discounts[1:]
            discount = order.discounts[own.clamp_max(3).long()]
            left = left - (order.discounts[count.clamp_max(3).long()] - discount)  # nothing where nothing is left out
            there = (context >= 0) & (total > 0)
            mixed = ((own - discount).clamp_min(0) + left * found) / total.clamp_min(1)
            found = torch.where(there, mixed, found)
            longest = longest.masked_fill(there, place + 1)
        return found, longest

    def distribution(self, tokens: Tensor, last: bool = False) -> tuple[Tensor, Tensor]:
        """(B, T, V) float32, the probability of all that can follow each place; and (B, T) int64 as `probabilities`.

        Args:
            tokens: (B, T).
            last: of the last place alone: (B, 1, V) and (B, 1).
        """
        contexts = [context[:, -1:] if last else context for context in self._contexts(tokens)]
        shape = contexts[0].shape
        found = torch.full((shape.numel(), self.size), 1 / self.size)
        longest = torch.zeros(shape.numel(), dtype=torch.int64)
        for place, (order, context) in enumerate(zip(self._looked_up(), contexts, strict=True)):
            at, first = context.flatten().clamp_min(0), context.flatten() * (self.size + 1)
            total = order.totals[at]
            there = (context.flatten() >= 0) & (total > 0)
            low = torch.searchsorted(order.codes, first)
            known = torch.where(there, torch.searchsorted(order.codes, first + self.size) - low, 0)
            rows = torch.repeat_interleave(torch.arange(len(known)), known)
            places = torch.arange(len(rows)) + (low - known.cumsum(0) + known)[rows]
            kept = (order.counts[places] - order.discounts[order.counts[places].clamp_max(3).long()]).clamp_min(0)
            left = torch.where(there, (order.kinds[at] @ order.discounts[1:]) / total.clamp_min(1), 1.0)
            found *= left[:, None]
            found[rows, order.codes[places] - first[rows]] += kept / total[rows]
            longest = longest.masked_fill(there, place + 1)
        return found.view(*shape, self.size), longest.view(shape)

    def _contexts(self, tokens: Tensor) -> list[Tensor]:
        """For each order (B, T) int64: the number of the context that ends at each token.

        -1 where it was never seen, or the text does not reach so far back.
        """
        marked = torch.where(tokens == self.begin, self.size, tokens).long()
        orders = self._looked_up()
        contexts = [torch.zeros_like(marked)]
        for place, order in enumerate(orders[:-1]):
            before = contexts[-1] if not place else torch.nn.functional.pad(contexts[-1][:, :-1], (1, 0), value=-1)
            contexts.append(torch.where(before >= 0, order.find(before * (self.size + 1) + marked), -1))
        return contexts

    def _looked_up(self) -> tuple[_Order, ...]:
        if self._orders is None:
            self._orders = tuple(self._order(place) for place in range(self.order) if self._grams(place))
        return self._orders

    def _grams(self, place: int) -> int:
        return len(self.get_buffer(f"codes_{place}"))

    def _order(self, place: int) -> _Order:
        codes, counts = (self.get_buffer(f"{name}_{place}") for name in ("codes", "counts"))
        contexts = codes // (self.size + 1)
        sums = sums_of_contexts(contexts.numpy(), counts.numpy(), self._grams(place - 1) if place else 1)
        discounts = torch.cat([torch.zeros(1), self.get_buffer("discounts")[place]])
        total, kinds = (torch.from_numpy(one).float() for one in sums)
        return _Order(codes, counts.float(), total, kinds, discounts)

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *rest: Any) -> None:
        """Take the counts of a saved network, however many they are."""
        for name, buffer in list(self.named_buffers(recurse=False)):
            if prefix + name in state:
                setattr(self, name, buffer.new_zeros(state[prefix + name].shape))
        self._orders = None
        super()._load_from_state_dict(state, prefix, *rest)


def _fewer(counts: list[Tensor], contexts: list[Tensor]) -> list[Tensor]:
    """By how much each order's count (B, T) is too high where the place itself was counted, 0 or 1.

    The longest n-gram was counted once for each of its places. A shorter one was counted once for each token before it,
    so that it loses one only where the longer one vanishes.
    """
    fewer: list[Tensor] = []
    lost = torch.ones_like(counts[0], dtype=torch.bool)
    for count, context in zip(reversed(counts), reversed(contexts), strict=True):
        fewer.append((lost & (count > 0)).float())
        lost = torch.where(context >= 0, lost & (count <= 1), lost)
    return fewer[::-1]
