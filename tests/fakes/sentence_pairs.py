"""Samples of sentence pairs, and a toy language that is translated word by word and then put into another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.samples.samples import Samples
from assay.task import Batch
from fakes.text_samples import samples_of

NOUNS = {"dog": "hund", "cat": "katze", "man": "mann", "child": "kind", "bird": "vogel", "horse": "pferd"}
COLOURS = {"red": "rot", "blue": "blau", "green": "gruen", "black": "schwarz", "white": "weiss"}
VERBS = {"sees": "sieht", "eats": "isst", "hears": "hoert", "knows": "kennt", "finds": "findet"}


@dataclass(frozen=True, kw_only=True)
class PairBatch(Batch):
    source_text: Any = None
    source_text_mask: Any = None
    target_text: Any = None
    target_text_mask: Any = None


def pair_samples(sources: Sequence[str], targets: Sequence[str], windows: int = 1) -> Samples:
    return samples_of(list(targets), PairBatch, windows, source_text=sources, target_text=targets)


def toy_pairs(count: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Sentences such as "The red dog sees a blue cat." with translations whose colours follow their nouns."""
    random = np.random.default_rng(seed)
    sources, targets = [], []
    for _ in range(count):
        nouns, colours = random.choice([*NOUNS], 2), random.choice([*COLOURS], 2)
        verb = str(random.choice([*VERBS]))
        sources.append(f"The {colours[0]} {nouns[0]} {verb} a {colours[1]} {nouns[1]}.")
        first, second = (f"{NOUNS[noun]} {COLOURS[colour]}" for noun, colour in zip(nouns, colours, strict=True))
        targets.append(f"Der {first} {VERBS[verb]} ein {second}.")
    return sources, targets
