"""How often each token followed the few before it, as a part of a network.

Interpolated modified Kneser-Ney (see `assay.ngrams.kneser_ney`) over the network's own tokens, in tensors that are
saved with its weights.

Shapes: B texts, T tokens, V tokens of the vocabulary, K orders, G n-grams of an order, C contexts (the n-grams of the
order below), N places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from assay.ngrams.counts import count_ngrams, counts_at, join
from assay.ngrams.followers import Followers
from assay.ngrams.kneser_ney import tune

#: N-grams that are kept at most, of all orders together.
_MOST_GRAMS = 3_000_000


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
        self._followers: Followers | None = None

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
        self._followers = None

    def probabilities(self, tokens: Tensor, targets: Tensor, leaves_out: bool = False) -> tuple[Tensor, Tensor]:
        """See `Followers.probabilities`."""
        found, longest = self.followers().probabilities(tokens.numpy(), targets.numpy(), leaves_out)
        return torch.from_numpy(found), torch.from_numpy(longest)

    def distribution(self, tokens: Tensor, last: bool = False) -> tuple[Tensor, Tensor]:
        """See `Followers.distribution`."""
        found, longest = self.followers().distribution(tokens.numpy(), last)
        return torch.from_numpy(found), torch.from_numpy(longest)

    def followers(self) -> Followers:
        """What looks the counts up."""
        if self._followers is None:
            codes, counts = ([self.get_buffer(f"{name}_{place}").numpy() for place in range(self.order)]
                             for name in ("codes", "counts"))  # fmt: skip
            self._followers = Followers(self.size, self.begin, codes, counts, self.get_buffer("discounts").numpy())
        return self._followers

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *rest: Any) -> None:
        """Take the counts of a saved network, however many they are."""
        for name, buffer in list(self.named_buffers(recurse=False)):
            if prefix + name in state:
                setattr(self, name, buffer.new_zeros(state[prefix + name].shape))
        self._followers = None
        super()._load_from_state_dict(state, prefix, *rest)
