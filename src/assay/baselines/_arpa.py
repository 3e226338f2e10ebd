"""A Kneser-Ney language model of words as text in the ARPA form, which recognisers of speech read.

Shapes: G n-grams of an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from assay.ngrams.counts import count_ngrams, join
from assay.ngrams.kneser_ney import KneserNey, build, estimated

Array = np.ndarray[Any, Any]
_ORDER, _MOST = 3, 2_000_000
_NEVER = -99.0


def arpa_of(sentences: Sequence[Sequence[str]], words: Sequence[str]) -> str:
    """A model of sentences in words, all of which are among `words`, as text.

    Probabilities are interpolated, which the form holds exactly: a back-off weight is what the discounts leave.
    """
    number = {word: place for place, word in enumerate(words)}
    end, size = len(words), len(words) + 1
    grams = count_ngrams(join([[*(number[word] for word in one), end] for one in sentences], size), _ORDER, _MOST)
    model = build(grams, size, len(grams), estimated(grams, len(grams)))
    names = [*words, "</s>", "<s>"]
    parts = [_section(model, place, names) for place in range(model.order)]
    counts = "".join(f"ngram {place}={len(part)}\n" for place, part in enumerate(parts, 1))
    body = "".join(f"\n\\{place}-grams:\n" + "\n".join(part) + "\n" for place, part in enumerate(parts, 1))
    return f"\\data\\\n{counts}{body}\n\\end\\\n"


def _section(model: KneserNey, place: int, names: Sequence[str]) -> list[str]:
    texts = _texts(model, place, names)
    left = model.left[place + 1] if place + 1 < model.order else None
    logs = np.log10(np.maximum(model.probability[place], 1e-30))
    lines: dict[str, str] = {}
    for row, text in enumerate(texts):
        weight = "" if left is None or text.endswith("</s>") else f"\t{np.log10(max(float(left[row]), 1e-30)):.6f}"
        value = _NEVER if text == "<s>" else float(logs[row])
        lines[text] = f"{value:.6f}\t{text}{weight}"
    if not place:  # words that were never seen have what is left of the lowest order
        rest = model.distribution(())
        for token, name in enumerate(names[:-1]):
            lines.setdefault(name, f"{np.log10(rest[token]):.6f}\t{name}\t0.000000")
    return list(lines.values())


def _texts(model: KneserNey, place: int, names: Sequence[str]) -> list[str]:
    """The words of each n-gram of an order."""
    tokens = model.grams[place].codes % (model.size + 1)
    if not place:
        return [names[token] for token in tokens.tolist()]
    before = _texts(model, place - 1, names)
    contexts = model.grams[place].codes // (model.size + 1)
    return [
        f"{before[context]} {names[token]}" for context, token in zip(contexts.tolist(), tokens.tolist(), strict=True)
    ]
