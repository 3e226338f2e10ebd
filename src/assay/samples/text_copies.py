"""Copies among texts: with other case, punctuation or white space, with a word exchanged, or a few characters.

1. Texts that are equal without case, punctuation and white space are copies.
2. Of the others, candidates share pieces of four characters (shingles) that few texts have, or have alike sketches, as
   in A. Broder, "On the resemblance and containment of documents", 1997. Of a long text a part of the shingles is
   looked at, chosen by hash, so that of equal texts the same are.
3. Two candidates are copies where they differ by little, and what they share is too much to be chance: the rarer a
   word, the more it says. A word in the place of another, or too many or too few, counts against. What is left, in
   bits, is the evidence of I. Fellegi and A. Sunter, "A theory for record linkage", 1969. Questions of one pattern
   ("what is the capital of …") share little that is rare.

Shapes: N texts, P pairs.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import MissingExtraError
from assay.evaluation.answers import WITHOUT_SPACES
from assay.progress import Progress
from assay.samples.draws import U64, mix, order
from assay.samples.lookalikes import Lookalikes

if TYPE_CHECKING:
    from assay.samples.samples import Samples
    from assay.sources.records import Records

Array = np.ndarray[Any, Any]
#: More texts than this are split by exact content alone.
MOST_TEXTS = 200_000
#: Texts of fewer words are copies only where they are equal but for case, punctuation and white space.
FEWEST_WORDS = 4
#: The share of its characters in which a text may differ from a copy at all; what counts is what both share.
_APART = 0.4
#: What two texts must share beyond the logarithm of their number, in bits, and how much less is enough for the split:
#: to keep two texts on one side costs little.
_EVIDENCE, _CAUTION = 10.0, 4.0
#: What a word that is not the other's counts against, and a character within a word that is otherwise the same.
_WORD_COST, _LETTER_COST = 5.0, 4.0
#: Words that differ in no more than this share of their characters are one word mistyped.
_MISTYPED = 0.4
#: Characters of a shingle; shingles of one text that are looked at, at most; texts with a rare one, at most; and rare
#: ones that candidates share, at least.
_SHINGLE, _SKETCH, _RARE, _SHARED = 4, 200, 40, 2
#: In how many orders texts are laid beside one another, and how many neighbours are looked at in each.
_ORDERS, _BESIDE = 3, 3
_CHARACTERS_A_SECOND, _UNITS_AT_ONCE = 150_000, 4096
_WORD = re.compile(f"[{WITHOUT_SPACES}]|[^\\s{WITHOUT_SPACES}]+")


def copied_text_rows(texts: Sequence[str], progress: Progress) -> Array | None:
    """(P, 2) int64: rows of texts that are copies of one another, changed a little; None where there are too many.

    Args:
        texts: (N,) any texts.
        progress: is told that copies are looked for.
    """
    if len(texts) > MOST_TEXTS:
        return None
    progress.stage("Looking for near-duplicates", len(texts))
    return find_copied_texts(texts, _EVIDENCE - _CAUTION)


def copied_record_rows(records: Records, column: str, progress: Progress) -> Array | None:
    """As `copied_text_rows`, of the texts in a column of records."""
    texts: list[str] = []
    for batch in records.batches():
        texts += [text or "" for text in batch.column(column).to_pylist()]
        if len(texts) > MOST_TEXTS:
            return None
    return copied_text_rows(texts, progress)


def text_lookalikes(samples: Samples, asked: Array, budget_s: float, field: str = "text") -> Lookalikes:
    """Copies of units whose text is a ragged field of UTF-8 bytes: see `Task.lookalikes` and `unit_texts`.

    Where there is more text than there is time for, those asked about are compared with some of the others; equal
    digests tell of the rest.
    """
    from assay.samples.unit_texts import unit_texts

    count = len(samples.side)
    ordered = np.concatenate([order(asked, "texts", 0), order(np.setdiff1d(np.arange(count), asked), "texts", 1)])
    texts: list[str] = []
    spent, most = 0, _CHARACTERS_A_SECOND * budget_s
    for start in range(0, count, _UNITS_AT_ONCE):
        texts += unit_texts(samples.view_of(ordered[start : start + _UNITS_AT_ONCE]), field)
        spent += sum(map(len, texts[start:]))
        if spent > most:
            break
    room = max(2, int(np.searchsorted(np.cumsum([len(text) for text in texts]), most, side="right")))
    pairs = find_copied_texts(texts[:room])
    return Lookalikes(np.unique(np.sort(ordered[pairs], axis=1), axis=0), np.sort(ordered[: min(room, len(asked))]))


def find_copied_texts(texts: Sequence[str], evidence: float = _EVIDENCE) -> Array:
    """(P, 2) int64: pairs of texts that are copies of one another, the lower number first; all copies are linked.

    Args:
        texts: (N,) any texts.
        evidence: bits that near copies must share beyond what their number asks for; less takes more for copies.

    Raises:
        MissingExtraError: RapidFuzz is not installed.
    """
    plain = [normalised(text) for text in texts]
    same, first = _equal(plain)
    pairs = np.concatenate([same, first[_near([plain[row] for row in first], evidence)]])
    return np.unique(np.sort(pairs, axis=1), axis=0).reshape(-1, 2).astype(np.int64)


def normalised(text: str) -> str:
    """A text without case, with one space between words and no punctuation; where nothing else is there, as it is."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(sign if sign.isalnum() or unicodedata.category(sign)[0] == "M" else " " for sign in folded)
    return " ".join(kept.split()) or " ".join(text.split())


def _equal(plain: Sequence[str]) -> tuple[Array, Array]:
    """(P, 2) each text with the first that is equal, and (M,) the first of each; empty texts are equal to none."""
    first: dict[str, int] = {}
    pairs = [(first[text], row) for row, text in enumerate(plain) if text and first.setdefault(text, row) != row]
    return np.asarray(pairs, np.int64).reshape(-1, 2), np.asarray(list(first.values()), np.int64)


def _near(plain: Sequence[str], evidence: float) -> Array:
    """(P, 2) int64: those of normalised texts, all different, that share too much to be chance."""
    words = [_WORD.findall(text) for text in plain]
    long = np.flatnonzero([len(own) >= FEWEST_WORDS for own in words])
    if len(long) < 2:
        return np.zeros((0, 2), np.int64)
    counts = Counter(word for own in words for word in set(own))
    bits = {word: math.log2(len(plain) / count) for word, count in counts.items()}
    wanted = math.log2(len(plain)) + evidence
    found = [(one, other) for one, other in _alike(plain, _candidates(plain, long)).tolist()
             if shared_bits(words[one], words[other], bits) >= wanted]  # fmt: skip
    return np.asarray(found, np.int64).reshape(-1, 2)


def _alike(plain: Sequence[str], pairs: Array) -> Array:
    """Those of the pairs (P, 2) that differ in few characters."""
    try:
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import cpdist
    except ImportError:
        raise MissingExtraError("finding copies of texts", "text") from None
    if not len(pairs):
        return pairs
    one, other = ([plain[row] for row in column] for column in pairs.T.tolist())
    apart = cpdist(one, other, scorer=Levenshtein.normalized_distance, score_cutoff=_APART, workers=1)
    return np.asarray(pairs[np.asarray(apart) <= _APART])


def shared_bits(one: Sequence[str], other: Sequence[str], bits: Mapping[str, float]) -> float:
    """Bits of the words that two texts share in their order, each counted once, less what differs.

    Args:
        one: the words of a text.
        other: the words of the other.
        bits: of each word minus the logarithm of the share of the texts that have it.
    """
    from rapidfuzz.distance import Levenshtein

    total, seen = 0.0, set[str]()
    for step in Levenshtein.opcodes(one, other):
        own, theirs = one[step.src_start : step.src_end], other[step.dest_start : step.dest_end]
        if step.tag != "equal":
            total += _differing(own, theirs, bits)
            continue
        total += sum(bits[word] for word in set(own) - seen)
        seen.update(own)
    return total


def _differing(own: Sequence[str], theirs: Sequence[str], bits: Mapping[str, float]) -> float:
    """What two stretches count that stand in one place: words in one another's place may be mistyped."""
    from rapidfuzz.distance import DamerauLevenshtein

    total = -_WORD_COST * abs(len(own) - len(theirs))
    for one, other in zip(own, theirs, strict=False):
        edits = DamerauLevenshtein.distance(one, other)
        alike = edits <= _MISTYPED * max(len(one), len(other))
        told = min(bits[one], bits[other]) - _LETTER_COST * edits if alike else -_WORD_COST
        total += max(told, -_WORD_COST)
    return total


def _candidates(plain: Sequence[str], rows: Array) -> Array:
    """(P, 2) int64: rows that share rare shingles, or lie beside one another when sorted by their sketches."""
    owner, shingle = _sketches([plain[row] for row in rows])
    pairs = np.concatenate([_sharing(owner, shingle, len(rows)), _neighbours(owner, shingle, len(rows))])
    return np.asarray(rows[np.unique(np.sort(pairs, axis=1), axis=0)])


def _sketches(texts: Sequence[str]) -> tuple[Array, Array]:
    """(S,) texts by number, ascending, and (S,) uint64 hashes of their shingles, the lowest of each, ascending."""
    sizes = np.asarray([len(text) for text in texts], np.int64)
    signs = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32).astype(U64)
    owner = np.repeat(np.arange(len(texts)), sizes)
    count = max(0, len(signs) - _SHINGLE + 1)
    key = np.zeros(count, U64)
    for place in range(_SHINGLE):
        key = mix(key ^ signs[place : place + count])
    inside = owner[:count] == owner[_SHINGLE - 1 : _SHINGLE - 1 + count]
    owner, key = owner[:count][inside], key[inside]
    sorted_ = np.lexsort((key, owner))
    owner, key = owner[sorted_], key[sorted_]
    new = np.r_[True, (owner[1:] != owner[:-1]) | (key[1:] != key[:-1])][: len(key)]
    owner, key = owner[new], key[new]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    return owner[rank < _SKETCH], key[rank < _SKETCH]


def _sharing(owner: Array, shingle: Array, count: int) -> Array:
    """(P, 2) texts that share several shingles which few have."""
    from scipy.sparse import csr_matrix, triu

    code, many = np.unique(shingle, return_inverse=True, return_counts=True)[1:]
    rare = (many[code] > 1) & (many[code] <= _RARE)
    ones = np.ones(int(rare.sum()), np.int32)
    table = csr_matrix((ones, (owner[rare], code[rare])), shape=(count, len(many)))
    shared = triu(table @ table.T, 1).tocoo()
    chosen = shared.data >= _SHARED
    return np.stack([shared.row[chosen], shared.col[chosen]], axis=1).astype(np.int64)


def _neighbours(owner: Array, shingle: Array, count: int) -> Array:
    """(P, 2) texts beside one another in several orders by their lowest hashes, in which copies come together."""
    parts = [np.zeros((0, 2), np.int64)]
    starts = np.searchsorted(owner, np.arange(count))
    there = np.flatnonzero(np.r_[starts[1:], len(owner)] > starts)  # a text may be shorter than a shingle
    for number in range(_ORDERS):
        lowest = np.minimum.reduceat(mix(shingle ^ U64(number)), starts[there])
        ranked = there[np.argsort(lowest, kind="stable")]
        parts += [np.stack([ranked[:-step], ranked[step:]], axis=1) for step in range(1, _BESIDE + 1)]
    return np.concatenate(parts)
