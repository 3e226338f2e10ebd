"""Planted copies of six kinds among texts: how many are found, and how many pairs are accused wrongly.

Copies are planted into each of four sets of short texts. A pair of originals that the search calls copies, though
nobody planted it, is told with its two texts; it counts against the precision unless the two differ in case,
punctuation, white space or one word alone, as a person would call copies, too.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import partial
from typing import Any

import _path  # noqa: F401
import numpy as np
from _common import Bench, Json, Target, data_root, numbers, open_bench, seeds_option

_COPIES, _FEWEST_WORDS, _LISTED = 150, 5, 40
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Random = np.random.Generator


def _mistyped(text: str, random: Random) -> str:
    """A letter of two words exchanged for another."""
    signs = list(text)
    places = [place for place, sign in enumerate(signs) if sign.isalpha()]
    for place in random.choice(places, min(2, len(places)), replace=False):
        signs[place] = _LETTERS[int(random.integers(26))]
    return "".join(signs)


def _without_a_word(text: str, random: Random) -> str:
    words = text.split()
    del words[int(random.integers(len(words)))]
    return " ".join(words)


def _with_a_word(text: str, random: Random) -> str:
    words = text.split()
    words.insert(int(random.integers(len(words) + 1)), str(random.choice(["really", "now", "the", "just", "also"])))
    return " ".join(words)


def _recased(text: str, random: Random) -> str:
    return text.upper() if random.random() < 0.5 else text.lower()


def _repunctuated(text: str, random: Random) -> str:
    kept = "".join(sign for sign in text if sign.isalnum() or sign.isspace())
    return f"{kept}{random.choice(['!', ' .', '...'])}"


#: By kind, what makes a copy of a text.
KINDS: dict[str, Callable[[str, Random], str]] = {
    "exact": lambda text, random: text,
    "other case": _recased,
    "other punctuation": _repunctuated,
    "two letters mistyped": _mistyped,
    "a word less": _without_a_word,
    "a word more": _with_a_word,
}


def texts_of(bench: Bench, name: str) -> list[str]:
    """The texts of a set, each once."""
    if bench.smoke:
        words = ("red", "green", "blue", "small", "large", "house", "river", "bridge", "garden", "window")
        random = np.random.default_rng(0)
        return [" ".join(random.choice(words, 8)) + f" {number}" for number in range(60)]
    root = data_root()
    if name == "multi30k":
        with gzip.open(root / "multi30k" / "train.en.gz", "rt", encoding="utf-8") as stream:
            lines = stream.read().splitlines()[:6000]
    elif name == "sms":
        lines = [line.split("\t", 1)[-1] for line in
                 (root / "sms_spam" / "sms.tsv").read_text(encoding="utf-8").splitlines()]  # fmt: skip
    else:
        file, encoding = {"trec": ("TREC.train.all", "latin-1"), "sst2": ("stsa.binary.train", "utf-8")}[name]
        text = (root / "sentence_classification" / file).read_text(encoding=encoding)
        lines = [line.partition(" ")[2] for line in text.splitlines()]
    return [text for text in dict.fromkeys(lines) if text.strip()]


SETS = ("trec", "sst2", "sms", "multi30k")


def measure(bench: Bench, name: str, seed: int) -> Json:
    """Plant copies, and let the search find them."""
    from assay.samples.text_copies import find_copied_texts

    random = np.random.default_rng(seed)
    originals = texts_of(bench, name)
    long = [number for number, text in enumerate(originals) if len(text.split()) >= _FEWEST_WORDS]
    each = 4 if bench.smoke else min(_COPIES, len(long) // len(KINDS))
    chosen = random.permutation(long)[: each * len(KINDS)]
    planted = [(kind, int(number)) for kind, part in zip(KINDS, np.array_split(chosen, len(KINDS)), strict=True)
               for number in part]  # fmt: skip
    texts = [*originals, *(KINDS[kind](originals[number], random) for kind, number in planted)]
    root = [*range(len(originals)), *(number for _, number in planted)]
    begun = time.perf_counter()
    pairs = find_copied_texts(texts)
    return {"texts": len(texts), "planted": len(planted),
            **score(originals, planted, root, pairs.tolist(), time.perf_counter() - begun)}  # fmt: skip


def score(
    originals: Sequence[str],
    planted: Sequence[tuple[str, int]],
    root: Sequence[int],
    pairs: Sequence[Sequence[int]],
    seconds: float,
) -> Json:
    """Planted copies found by kind, and every pair of originals that was called copies though nobody planted it."""
    hit = {place - len(originals) for pair in pairs if root[pair[0]] == root[pair[1]] for place in pair}
    hit = {place for place in hit if place >= 0}
    others = sorted({(min(root[a], root[b]), max(root[a], root[b])) for a, b in pairs if root[a] != root[b]})
    by_kind = {kind: [0, 0] for kind in KINDS}
    for place, (kind, _) in enumerate(planted):
        by_kind[kind][0] += place in hit
        by_kind[kind][1] += 1
    told = [(originals[one], originals[two]) for one, two in others]
    wrong = [pair for pair in told if not natural(*pair)]
    missed = [[kind, originals[number]] for place, (kind, number) in enumerate(planted) if place not in hit]
    return {"recall": len(hit) / len(planted), "precision": len(hit) / max(1, len(hit) + len(wrong)),
            "by_kind": by_kind, "missed": missed[:_LISTED], "natural": len(told) - len(wrong),
            "wrong": wrong[:_LISTED], "wrong_pairs": len(wrong), "seconds": round(seconds, 2)}  # fmt: skip


def natural(one: str, other: str) -> bool:
    """Whether two texts differ in case, punctuation, white space, one word, or a few letters of words alone."""
    first, second = ("".join(sign if sign.isalnum() else " " for sign in text.casefold()).split()
                     for text in (one, other))  # fmt: skip
    apart = [(first[a:b], second[c:d]) for kind, a, b, c, d in
             SequenceMatcher(None, first, second, autojunk=False).get_opcodes() if kind != "equal"]  # fmt: skip
    changed = 0
    for before, after in apart:
        alike = len(before) == len(after) and all(
            SequenceMatcher(None, x, y).ratio() >= 0.6 for x, y in zip(before, after, strict=True)
        )
        changed += 0 if alike else max(len(before), len(after))
    return changed <= 1


def main() -> None:
    bench = open_bench("truth/text_leakage", __doc__, seeds_option("0,1,2"))
    seeds = numbers(bench.options.seeds)[: 1 if bench.smoke else None]
    names = ("trec",) if bench.smoke else SETS
    found: dict[str, list[Json]] = {
        name: [bench.piece(f"{name}-{seed}", partial(measure, bench, name, seed)) for seed in seeds] for name in names
    }
    every: list[Any] = [one for runs in found.values() for one in runs]
    recall, precision = min(one["recall"] for one in every), min(one["precision"] for one in every)
    summary = {name: {key: [one[key] for one in runs] for key in ("recall", "precision", "natural", "wrong_pairs",
                                                                  "seconds")}
               for name, runs in found.items()}  # fmt: skip
    targets = [Target("least recall", recall, ">=", 0.95), Target("least precision", precision, ">=", 0.95)]
    bench.settings = {"copies of each kind": _COPIES, "words of a text that is copied, at least": _FEWEST_WORDS}
    bench.finish(summary, targets, seeds=seeds, packages=["rapidfuzz"])


if __name__ == "__main__":
    main()
