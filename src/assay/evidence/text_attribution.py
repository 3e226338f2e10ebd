"""What each token of a text added to its answer.

Shapes: B texts, T tokens, P stretches of tokens, M sets of stretches.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.errors import SettingError
from assay.evidence.attribution import shapley_values
from assay.samples.text_places import token_places

if TYPE_CHECKING:
    from assay.serving.predictor import Answering
    from assay.task import Task

Array = np.ndarray[Any, Any]
#: A text of more tokens is explained in so many stretches of neighbours.
_STRETCHES = 40
#: Random orders, each with its reverse: as many as this number of stretches allows, within bounds.
_ORDERS, _FEWEST, _MOST = 64, 2, 6
_AT_ONCE = 128


def explain_texts(task: Task, predictor: Answering, batch: Any) -> Array:
    """(B, T) what each token added to what is left of its text's answer (`Task.support`), such as its probability.

    NaN stands for marks and padding. Shapley values: the tokens of a text sum to that of the whole text minus that of a
    text without any token. The tokens of a long text share what their stretch adds.

    Args:
        task: the application, whose `masked` leaves tokens out and whose spec has a `tokenizer`.
        predictor: what answers.
        batch: has the fields `tokens` and `mask`.
    """
    places = token_places(batch.tokens, batch.mask, predictor.spec.tokenizer).numpy()
    found = np.full(places.shape, np.nan)
    for row, real in enumerate(places):
        where = np.flatnonzero(real)
        if not len(where):
            continue
        count = min(len(where), _STRETCHES)
        stretch = np.arange(len(where)) * count // len(where)
        pairs = int(np.clip(_ORDERS // count, _FEWEST, _MOST))
        value = _value(task, predictor, _repeated(batch, row, 1), where, stretch)
        weights = shapley_values(value, count, pairs)[0]
        found[row, where] = (weights / np.bincount(stretch))[stretch]
    return found


def _value(task: Task, predictor: Answering, one: Any, where: Array, stretch: Array) -> Callable[[Array], Array]:
    """The strength (M, 1) of a text's answer, as a function of which of its stretches (M, P) are kept."""
    import torch

    spec = predictor.spec
    answered = np.asarray(predictor.respond(one))

    def value(kept: Array) -> Array:
        strengths = []
        for start in range(0, len(kept), _AT_ONCE):
            part = kept[start : start + _AT_ONCE]
            tokens = np.ones((len(part), one.tokens.shape[1]), bool)
            tokens[:, where] = part[:, stretch]
            batch = task.masked(_repeated(one, 0, len(part)), torch.from_numpy(tokens), spec)
            again = np.repeat(answered, len(part), axis=0)
            left = task.support(predictor.respond(batch), again, spec)
            if left is None:
                raise SettingError(f"what is left of answers of {task.name} cannot be measured")
            strengths.append(np.asarray(left.values))
        return np.concatenate(strengths)[:, None]

    return value


def _repeated(batch: Any, row: int, count: int) -> Any:
    """One text of a batch, several times, without its padding."""
    length = batch.tokens.shape[1] if batch.mask is None else int(batch.mask[row].nonzero().max()) + 1
    tokens = batch.tokens[row : row + 1, :length].expand(count, -1)
    mask = None if batch.mask is None else batch.mask[row : row + 1, :length].expand(count, -1)
    others = {
        item.name: value[row : row + 1].expand(count, *value.shape[1:])
        for item in dataclasses.fields(batch)
        if item.name not in ("tokens", "mask") and (value := getattr(batch, item.name)) is not None
    }
    return dataclasses.replace(batch, tokens=tokens, mask=mask, **others)
