"""How far a text is from those that a network learned from: how improbable its bytes are after one another.

The training texts make a language model of bytes, interpolated modified Kneser-Ney (`assay.ngrams`); a text is as far
away as the nats that a byte of it takes in the mean, drawn towards the usual ones where it is short. That a text of
another kind is improbable to such a model is how texts are sorted by language (W. Cavnar, J. Trenkle, "N-gram-based
text categorization", SDAIR 1994) and how training texts are chosen (R. Moore, W. Lewis, "Intelligent selection of
language model training data", ACL 2010). The network is not asked: what it does not know lies in the middle of its
features, not far out (`docs/log.md`).

Shapes: U units, N texts, G n-grams of an order, K orders, C contexts (the n-grams of the order below).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.ngrams.followers import Followers

if TYPE_CHECKING:
    from assay.samples.samples import View

Array = np.ndarray[Any, Any]
#: The longest n-grams.
_ORDER = 5
#: Bytes are the tokens; one that UTF-8 never holds ends a text.
_SIZE, _END = 256, 0xFF
#: Bytes of training texts that are counted, and of a text that are looked at; those that are looked up at once.
_COUNTED, _LOOKED_AT, _AT_ONCE = 500_000, 20_000, 1 << 16
#: A text weighs against so many bytes of the usual.
_USUAL_BYTES = 30.0


@dataclass(frozen=True)
class Wording:
    """The n-grams of some training texts.

    Attributes:
        tokens: of each order (G,) uint8, the last byte of each n-gram, ascending in each context.
        counts: of each order (G,), how much each counts in its smoothing (`counts_at`).
        followers: of each order (C,), how many n-grams each context has.
        discounts: (K, 3).
        usual: the nats of a byte of texts like these.
    """

    tokens: tuple[Array, ...]
    counts: tuple[Array, ...]
    followers: tuple[Array, ...]
    discounts: Array
    usual: float = 0.0

    def distances(self, units: Sequence[Sequence[bytes]]) -> Array:
        """(U,) the nats of a byte of each unit, drawn towards the usual; of several texts of a unit the farthest."""
        texts = [text[:_LOOKED_AT] for unit in units for text in unit if text]
        nats, sizes = self.nats(texts)
        shrunk = (nats + _USUAL_BYTES * self.usual) / (sizes + _USUAL_BYTES)
        owners = np.repeat(np.arange(len(units)), [sum(map(bool, unit)) for unit in units])
        found = np.full(len(units), -np.inf)
        np.maximum.at(found, owners, shrunk)
        return np.where(np.isfinite(found), found, self.usual)  # of no text there is nothing to say

    def nats(self, texts: Sequence[bytes]) -> tuple[Array, Array]:
        """(N,) the nats of texts with their ends, and (N,) of how many bytes."""
        from assay.ngrams.counts import join

        nats: list[Array] = []
        sizes: list[Array] = []
        for some in _in_pieces(texts):
            known = join([_ended(text) for text in some], _SIZE)
            before, after = known.values[:-1], known.values[1:]
            asked = known.real[1:]
            given = self._model.probabilities(before[None], np.where(asked, after, 0)[None])[0][0]
            starts = np.flatnonzero(~known.real)
            nats.append(-np.add.reduceat(np.where(asked, np.log(given, dtype=np.float64), 0.0), starts))
            sizes.append(np.diff(np.r_[starts, len(known.values)]) - 1)
        return (np.concatenate(nats), np.concatenate(sizes)) if nats else (np.zeros(0), np.zeros(0, np.int64))

    def arrays(self) -> dict[str, Array]:
        """What is stored of it."""
        usual = np.asarray(self.usual, np.float64)
        found: dict[str, Array] = {"discounts": self.discounts.astype(np.float32), "usual": usual}
        for place, parts in enumerate(zip(self.tokens, self.counts, self.followers, strict=True)):
            for name, values in zip(("tokens", "counts", "followers"), parts, strict=True):
                found[f"{name}_{place}"] = values.astype(np.min_scalar_type(int(values.max(initial=0))))
        return found

    @cached_property
    def _model(self) -> Followers:
        sizes = zip(self.tokens, self.followers, strict=True)
        codes = [np.repeat(np.arange(len(own)), own) * (_SIZE + 1) + last for last, own in sizes]
        return Followers(_SIZE, _SIZE, codes, self.counts, self.discounts)


def wording_of(arrays: Mapping[str, Array]) -> Wording:
    """Out of what was stored; raises `ValueError` or `KeyError` where that is damaged."""
    discounts, usual = arrays["discounts"].astype(np.float64), float(arrays["usual"])
    parts = [[arrays[f"{name}_{place}"].astype(np.int64) for place in range(len(discounts))]
             for name in ("tokens", "counts", "followers")]  # fmt: skip
    contexts = 1
    for tokens, counts, followers in zip(*parts, strict=True):
        if not tokens.shape == counts.shape == (int(followers.sum()),) or followers.shape != (contexts,):
            raise ValueError("its n-grams do not fit together")
        if tokens.min(initial=0) < 0 or tokens.max(initial=0) > _SIZE or min(counts.min(), followers.min()) < 0:
            raise ValueError("its n-grams are none")
        contexts = len(tokens)
    if not len(discounts) or discounts.shape[1:] != (3,) or not (discounts > 0).all() or not usual > 0:
        raise ValueError("its discounts are none")
    tokens, counts, followers = (tuple(one) for one in parts)
    return Wording(tokens, counts, followers, discounts, usual)


def fit_wording(texts: Iterable[bytes]) -> Wording | None:
    """Out of training texts, each of which counts once; None where there are none."""
    from assay.ngrams.counts import absolute_discounts, count_ngrams, counts_at, join

    kept = list(dict.fromkeys(text for text in texts if text))
    if not kept:
        return None
    grams = count_ngrams(join([_ended(text) for text in kept], _SIZE), _ORDER)
    counts = [counts_at(grams, place) for place in range(len(grams))]
    contexts = [1, *(len(one) for one in grams[:-1])]
    tokens = tuple(one.codes % (_SIZE + 1) for one in grams)
    followers = tuple(np.bincount(one.codes // (_SIZE + 1), minlength=size)
                      for one, size in zip(grams, contexts, strict=True))  # fmt: skip
    discounts = np.stack([absolute_discounts(one) for one in counts]).astype(np.float32).astype(np.float64)
    return Wording(tokens, tuple(counts), followers, discounts)


def training_bytes(view: View, fields: Sequence[str]) -> tuple[list[bytes], int]:
    """Texts of units of a view, evenly drawn, no more bytes of them than are counted; and of how many units."""
    count = 1000
    while True:
        units = worded(view.sample(count), fields)
        held = sum(len(text) for unit in units for text in unit)
        if held >= _COUNTED or count >= len(view):
            break
        count *= 4
    texts, room = list[bytes](), _COUNTED
    order = np.random.default_rng(0).permutation(len(units))
    for taken, place in enumerate(order):
        if room <= 0:
            return texts, taken
        some = [text[: min(room, _LOOKED_AT)] for text in units[place]]
        texts += some
        room -= sum(map(len, some))
    return texts, len(units)


def worded(view: View, fields: Sequence[str]) -> list[list[bytes]]:
    """The text in each of some fields of each unit of a view; of several windows those of all, joined."""
    from assay.samples.unit_texts import unit_bytes

    return [list(texts) for texts in zip(*(unit_bytes(view, name) for name in fields), strict=True)]


def _ended(text: bytes) -> Array:
    return np.frombuffer(text + bytes([_END]), np.uint8)


def _in_pieces(texts: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Texts in turn, so many at once as are looked up together."""
    first = held = 0
    for place, text in enumerate(texts):
        if held and held + len(text) > _AT_ONCE:
            yield texts[first:place]
            first, held = place, 0
        held += len(text) + 1
    if held:
        yield texts[first:]
