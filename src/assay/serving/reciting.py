"""What a network that writes recites of its training text."""

from __future__ import annotations

import time

import numpy as np

from assay.samples.samples import Samples
from assay.samples.split import TEST, TRAIN, VALIDATION
from assay.samples.text_spans import Recital, longest_copy
from assay.samples.unit_texts import unit_texts
from assay.serving.predictor import Predictor
from assay.sources.source import open_source

#: Characters of training text that are searched through, and texts that are written, at most.
_MOST_TRAINED, _MOST_WRITTEN = 2_000_000, 8
_UNITS_AT_ONCE = 256


def recital(predictor: Predictor, samples: Samples, budget_s: float, field: str, prompt: int) -> Recital | None:
    """Let a network write on after the beginnings of unseen texts, and look for what it wrote in the training text.

    Args:
        predictor: a network whose answers to prompts have a `text`.
        samples: all samples.
        budget_s: no further text is begun once half of it is spent.
        field: the ragged field of bytes that holds the texts.
        prompt: characters of a beginning.

    Returns:
        None where no unseen text is longer than a prompt.
    """
    begun = time.monotonic()
    unseen = samples.view(TEST) if np.any(samples.side == TEST) else samples.view(VALIDATION)
    texts = [text for text in unit_texts(unseen.sample(_MOST_WRITTEN), field) if len(text) > prompt]
    written: list[str] = []
    real: list[str] = []
    for text in texts:
        if written and time.monotonic() - begun > budget_s / 2:
            break
        told, left = _continued(predictor, text[:prompt]), text[prompt:]
        written.append(told[: len(left)])  # as much of both
        real.append(left[: len(told)])
    if not written:
        return None
    whole = _training_text(samples, field)
    return Recital(longest_copy(written, whole), sum(map(len, written)), longest_copy(real, whole))


def _continued(predictor: Predictor, prompt: str) -> str:
    records = predictor.task.read_inputs(open_source([prompt]), predictor.spec)
    (answer,) = (prediction.answer for prediction in predictor.predict(records)[0])
    return str(answer.text)


def _training_text(samples: Samples, field: str) -> str:
    """The training texts in their order, so that spans over two of them are found; the first where there are many."""
    found: list[str] = []
    train = samples.view(TRAIN)
    for start in range(0, len(train), _UNITS_AT_ONCE):
        found += unit_texts(samples.view_of(train.units[start : start + _UNITS_AT_ONCE]), field)
        if sum(map(len, found)) > _MOST_TRAINED:
            break
    return "".join(found)
