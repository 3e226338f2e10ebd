"""Small texts with questions, in the layout of SQuAD."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

NAMES = ("Anna", "Boris", "Chloe", "David", "Elena", "Farid", "Greta", "Hugo", "Irina", "Jonas")
TOWNS = ("Lisbon", "Oslo", "Prague", "Vienna", "Turin", "Ghent", "Cork", "Bergen", "Porto", "Graz")
FILLER = "The weather was mild that week and nobody in the street spoke of anything else at all."


def article(number: int, long: bool = False) -> dict[str, Any]:
    """A text about two people, with a question about each, and one that it does not answer."""
    random = np.random.default_rng(number)
    first, second, third = random.choice(NAMES, 3, replace=False)
    here, there = random.choice(TOWNS, 2, replace=False)
    year = int(random.integers(1900, 2000))
    middle = " ".join([FILLER] * (30 if long else 1))
    context = f"{first} was born in {year} and lives in {here}. {middle} Since then {second} lives in {there}."

    def question(text: str, answer: str) -> dict[str, Any]:
        answers = [{"text": answer, "answer_start": context.index(answer)}] if answer else []
        return {"id": f"{number}-{text}", "question": text, "answers": answers, "is_impossible": not answer}

    asked = [question(f"Where does {first} live?", here), question(f"Where does {second} live?", there),
             question(f"When was {first} born?", str(year)), question(f"Where does {third} live?", "")]  # fmt: skip
    return {"title": f"article {number}", "paragraphs": [{"context": context, "qas": asked}]}


def write(file: Path, count: int, long_every: int = 0, impossible: bool = True) -> Path:
    """A file of so many articles; every so many of them has a text of several windows."""
    articles = [article(number, bool(long_every) and number % long_every == 0) for number in range(count)]
    for one in articles if not impossible else ():
        one["paragraphs"][0]["qas"] = [asked for asked in one["paragraphs"][0]["qas"] if asked["answers"]]
    file.write_text(json.dumps({"version": "v2.0", "data": articles}), encoding="utf-8")
    return file
