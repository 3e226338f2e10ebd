"""What each token of a text added to its answer.

Shapes: B texts, T tokens, P stretches of tokens, M sets of stretches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evidence.attribution import shapley_values
from assay.samples.text_places import token_places

if TYPE_CHECKING:
    from assay.serving.predictor import Answering
    from assay.task import Task

Array = np.ndarray[Any, Any]
Strength = Callable[[Any, Any], Array]
#: A text of more tokens is explained in so many stretches of neighbours.
_STRETCHES = 40
#: Random orders, each with its reverse: as many as this number of stretches allows, within bounds.
_ORDERS, _FEWEST, _MOST = 64, 2, 6
_AT_ONCE = 128


def explain_texts(
    task: Task, predictor: Answering, batch: Any, strength: Strength | None = None, beside: Sequence[str] = ()
) -> Array:
    """(B, T) what each token added to what is left of its text's answer (`Task.support`), such as its probability.

    NaN stands for marks and padding. Shapley values: the tokens of a text sum to that of the whole text minus that of a
    text without any token. The tokens of a long text share what their stretch adds.

    Args:
        task: the application, whose `masked` leaves tokens out and whose spec has a `tokenizer`.
        predictor: what answers.
        batch: has the fields `tokens` and `mask`.
        strength: takes outputs (U,) and those that are explained (U,), and gives what tokens add to (U,); None for what
            is left of the answer.
        beside: fields that are as long as `tokens`.
    """
    measured = strength or _left(task, predictor)
    places = token_places(batch.tokens, batch.mask, predictor.spec.tokenizer).numpy()
    found = np.full(places.shape, np.nan)
    for row, real in enumerate(places):
        where = np.flatnonzero(real)
        if not len(where):
            continue
        count = min(len(where), _STRETCHES)
        stretch = np.arange(len(where)) * count // len(where)
        pairs = int(np.clip(_ORDERS // count, _FEWEST, _MOST))
        one = _one(batch, row, ("tokens", "mask", *beside))
        value = _value(task, predictor, one, where, stretch, measured)
        weights = shapley_values(value, count, pairs)[0]
        found[row, where] = (weights / np.bincount(stretch))[stretch]
    return found


def _left(task: Task, predictor: Answering) -> Strength:
    """How much of answers is left, as a function of the outputs and the answers."""

    def strength(outputs: Any, answered: Any) -> Array:
        left = task.support(outputs, answered, predictor.spec)
        if left is None:
            raise SettingError(
                f"what is left of answers of {task.name} cannot be measured",
                "Look at answers one by one with assay predict.",
            )
        return left.values

    return strength


def _value(
    task: Task, predictor: Answering, one: Any, where: Array, stretch: Array, strength: Strength
) -> Callable[[Array], Array]:
    """The strength (M, 1) of a text's answer, as a function of which of its stretches (M, P) are kept."""
    import torch

    answered = predictor.respond(one)

    def value(kept: Array) -> Array:
        strengths = []
        for start in range(0, len(kept), _AT_ONCE):
            part = kept[start : start + _AT_ONCE]
            tokens = np.ones((len(part), one.tokens.shape[1]), bool)
            tokens[:, where] = part[:, stretch]
            batch = task.masked(_repeated(one, len(part)), torch.from_numpy(tokens), predictor.spec)
            whole = isinstance(answered, np.ndarray)
            again = np.repeat(answered, len(part), axis=0) if whole else [answered[0]] * len(part)
            strengths.append(np.asarray(strength(predictor.respond(batch), again)))
        return np.concatenate(strengths)[:, None]

    return value


def _one(batch: Any, row: int, ragged: Sequence[str]) -> Any:
    """One text of a batch, without its padding."""
    end = batch.tokens.shape[1] if batch.mask is None else int(batch.mask[row].nonzero().max()) + 1
    values = {name: value[row : row + 1, :end] if name in ragged else value[row : row + 1]
              for name, value in vars(batch).items() if value is not None}  # fmt: skip
    return dataclasses.replace(batch, **values)


def _repeated(one: Any, count: int) -> Any:
    """One text several times."""
    values = {name: value.expand(count, *value.shape[1:]) for name, value in vars(one).items() if value is not None}
    return dataclasses.replace(one, **values)
